"""The kind of a task as bytes: what arrives is what was sent, and nothing else is taken for one."""

from __future__ import annotations

import pickle

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.scheduler.policy import Request
from partisan_actors.tasks.spec import TaskKind


def test_a_kind_arrives_as_it_was_and_is_packed_once() -> None:
    kind = TaskKind("f", b"hash", Request.parse(num_cpus=0.5), NodeId("a", 1), "space")
    assert kind.packed is kind.packed
    arrived = TaskKind.unpacked(kind.packed)
    assert arrived == kind
    assert arrived.packed == kind.packed


def test_something_else_is_no_kind() -> None:
    with pytest.raises(TypeError, match="not the kind of a task: dict"):
        TaskKind.unpacked(pickle.dumps({}))
