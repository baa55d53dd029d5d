"""Tests of the flusher: once a turn, and the lanes with the highest priority first."""

from __future__ import annotations

import asyncio

from partisan_actors.transport.flusher import Flusher


class Lane:
    """Writes down when it is flushed."""

    def __init__(self, name: str, priority: int, written: list[str]) -> None:
        self.name = name
        self.priority = priority
        self.is_marked = True
        self._written = written

    def flush(self) -> None:
        self._written.append(self.name)


async def test_lanes_are_written_by_priority_and_those_alike_in_the_order_in_which_they_had_something() -> None:
    flusher = Flusher(asyncio.get_running_loop())
    written: list[str] = []
    for name, priority in (("bulk", -10), ("first", 0), ("second", 0), ("control", 10)):
        flusher.mark(Lane(name, priority, written))

    await asyncio.sleep(0)

    assert written == ["control", "first", "second", "bulk"]
