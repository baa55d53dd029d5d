"""`Clock`: virtual time, and everything that is going to happen in it, in one total order.

Time is integer nanoseconds, so that no sum depends on the order of additions. Events at the same instant happen in the
order in which they were scheduled.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

__all__ = ["NANOSECONDS_PER_SECOND", "Clock", "nanoseconds"]

NANOSECONDS_PER_SECOND = 1_000_000_000


def nanoseconds(seconds: float) -> int:
    """Seconds as the nearest whole number of nanoseconds."""
    return round(seconds * NANOSECONDS_PER_SECOND)


class Clock:
    """Starts at 0 and moves only in `run_until`."""

    def __init__(self) -> None:
        self.now_ns = 0
        # The sequence number is unique, so two entries never get as far as comparing their functions.
        self._events: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0

    @property
    def now_s(self) -> float:
        """The time that machines are told."""
        return self.now_ns / NANOSECONDS_PER_SECOND

    def __len__(self) -> int:
        """How many events are still to happen."""
        return len(self._events)

    def at(self, time_ns: int, function: Callable[..., None], *arguments: Any) -> None:
        """Call `function(*arguments)` at `time_ns`. Raises ValueError when that has passed."""
        if time_ns < self.now_ns:
            raise ValueError(f"cannot schedule at {time_ns} ns: it is {self.now_ns} ns already")
        self._sequence += 1
        heapq.heappush(self._events, (time_ns, self._sequence, function, arguments))

    def run_until(self, end_ns: int) -> int:
        """Let everything up to and including `end_ns` happen; how many events that was."""
        events = self._events
        happened = 0
        while events and events[0][0] <= end_ns:
            self.now_ns, _, function, arguments = heapq.heappop(events)
            function(*arguments)
            happened += 1
        self.now_ns = max(self.now_ns, end_ns)
        return happened
