"""Tests of what becomes of calls when the process of an isolated actor ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from partisan_actors.actors.crashes import fail_calls, fail_calls_of_all
from partisan_actors.actors.ref import Location
from partisan_actors.actors.replies import Answer, Reply
from partisan_actors.errors import ActorStopped, ActorUnavailable, NodeDown
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.peer import Peer
from partisan_actors.objects.fetching import Fetched

PROCESS = NodeId("p", 1)


def peer() -> Peer:
    """The node that the process was."""
    return Peer(PROCESS, None, {"calls": 1})  # type: ignore[arg-type]  # nothing is sent


def location(can_restart: bool) -> Location:
    """Where its actor was."""
    return Location(ActorId(NodeId("maker", 1), 1), "Parser", None, can_restart)


async def test_calls_of_an_actor_that_is_gone_fail_with_the_reason() -> None:
    process, call = peer(), Reply[Any](asyncio.get_running_loop())
    process.pending[1] = call

    fail_calls(process, location(can_restart=False), "signal 9")

    with pytest.raises(ActorStopped, match="signal 9"):
        await call
    assert not process.pending


async def test_who_fetches_a_value_of_the_process_hears_that_the_node_is_gone_and_nothing_of_its_actor() -> None:
    process, fetched = peer(), Fetched(asyncio.get_running_loop())
    process.pending[1] = fetched

    fail_calls(process, location(can_restart=False), "signal 9")

    assert process.pending == {1: fetched}
    assert not fetched.done()


async def test_calls_of_actors_that_end_with_their_node_say_so_unless_some_are_made_again() -> None:
    loop, gone, mixed = asyncio.get_running_loop(), peer(), peer()
    call, question, unclear = Reply[Any](loop), Answer[Any](loop), Reply[Any](loop)
    gone.pending.update({1: call, 2: question})
    mixed.pending[1] = unclear

    fail_calls_of_all(gone, [location(can_restart=False)], "it was silent")
    fail_calls_of_all(mixed, [location(can_restart=False), location(can_restart=True)], "it was silent")
    fail_calls_of_all(mixed, [], "it was silent")

    with pytest.raises(ActorStopped, match=r"Parser .* ended with it") as error:
        await call
    assert isinstance(error.value, NodeDown)
    assert error.value.node == str(PROCESS)
    assert list(gone.pending.values()) == [question]
    assert list(mixed.pending.values()) == [unclear]


async def test_calls_of_an_actor_that_is_made_again_may_or_may_not_have_run() -> None:
    process, call = peer(), Reply[Any](asyncio.get_running_loop())
    process.pending[1] = call

    fail_calls(process, location(can_restart=True), "signal 9")

    with pytest.raises(ActorUnavailable, match="signal 9"):
        await call


async def test_what_services_were_asked_is_left_to_fail_as_for_any_node() -> None:
    process, answer = peer(), Answer[Any](asyncio.get_running_loop())
    process.pending[1] = answer

    fail_calls(process, location(can_restart=False), "signal 9")

    assert process.pending == {1: answer} and not answer.done()
