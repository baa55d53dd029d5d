"""Tests of the flusher: once a turn, and the lanes with the highest priority first."""

from __future__ import annotations

import asyncio

import pytest

from partisan_actors.transport.busy_wait import BusyWait
from partisan_actors.transport.flusher import Flusher


class Lane:
    """Writes down when it is flushed."""

    def __init__(self, name: str, priority: int, written: list[str], *, messages: int = 1, calls: bool = False) -> None:
        self.name = name
        self.priority = priority
        self.is_marked = True
        self.is_for_calls = calls
        self.messages_out = 0
        self._messages = messages
        self._written = written

    def flush(self) -> None:
        self.messages_out += self._messages
        self._written.append(self.name)


async def test_lanes_are_written_by_priority_and_those_alike_in_the_order_in_which_they_had_something() -> None:
    flusher = Flusher(asyncio.get_running_loop())
    written: list[str] = []
    for name, priority in (("bulk", -10), ("first", 0), ("second", 0), ("control", 10)):
        flusher.mark(Lane(name, priority, written))

    await asyncio.sleep(0)

    assert written == ["control", "first", "second", "bulk"]


@pytest.mark.parametrize(
    ("lanes", "waits"),
    [
        ([(1, True)], True),
        ([(2, True)], True),
        ([(3, True)], False),
        ([(0, True)], False),
        ([(1, False)], False),
        ([(1, True), (1, True)], False),
    ],
    ids=["a call", "a call and an acknowledgement", "three messages", "nothing written", "no call", "two lanes"],
)
async def test_one_call_alone_may_be_answered_at_once(lanes: list[tuple[int, bool]], waits: bool) -> None:
    flusher = Flusher(asyncio.get_running_loop())
    asked: list[float] = []

    def clock() -> float:
        asked.append(1.0)
        return 1.0

    flusher.busy_wait = BusyWait(lambda call: None, clock, lambda: None)
    for messages, calls in lanes:
        flusher.mark(Lane("lane", 0, [], messages=messages, calls=calls))

    await asyncio.sleep(0)

    assert bool(asked) == waits
