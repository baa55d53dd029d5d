"""Tests of which lines of a stack a person sees."""

from __future__ import annotations

import importlib
import threading
from typing import Any

import pytest

from partisan_actors.actors import threads
from partisan_actors.actors.keys import described_key
from partisan_actors.actors.ref import actor_key
from partisan_actors.api.frames import Place, described
from partisan_actors.api.observer import Answer
from partisan_actors.cli.failure import Failure
from partisan_actors.cli.stack import named, users
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.config import host_name

# The module, which `partisan_actors.cli.stack` is; its command has the same name.
stack = importlib.import_module("partisan_actors.cli.stack")


def frame(file: str) -> dict[str, Any]:
    (found,) = described([Place(file, 1, "function")])
    return found


def test_actors_of_other_nodes_are_named() -> None:
    actor = ActorId(NodeId("a", 1), 2)
    row = {"waits_for": [f"price of an actor {described_key(actor_key(actor))} on node b", "ObjectRef(x)"]}

    told = named({"threads": [], "coroutines": [row]}, [{"id": str(actor), "class": "Shop", "name": "till"}])

    assert told["coroutines"][0]["waits_for"] == [f"price of Shop 'till' {actor} on node b", "ObjectRef(x)"]


def test_a_process_that_does_not_even_write_its_stacks_is_said_to_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "dump_of", lambda pid: "")
    answer = Answer({}, why="nothing came", is_silent=True)

    with pytest.raises(Failure, match=r"node n does not answer \(nothing came\), and its process 7 does not run"):
        stack._stuck({"name": "n", "pid": 7, "host": host_name()}, answer)


def test_the_calls_of_the_framework_around_those_of_users_are_left_out() -> None:
    ours, theirs = frame(str(threads.__file__)), frame("/opt/shop.py")

    assert users([frame(str(threading.__file__)), ours, theirs, ours]) == [theirs, ours]
    assert users([ours, ours]) == [ours, ours]
