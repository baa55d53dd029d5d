"""`Clock`: virtual time, and everything that is going to happen in it, in one total order.

Time is integer nanoseconds, so that no sum depends on the order of additions. Events at the same instant happen in the
order in which they were scheduled.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, Final, TypeAlias

__all__ = ["NANOSECONDS_PER_SECOND", "Clock", "nanoseconds"]

NANOSECONDS_PER_SECOND = 1_000_000_000
_SLOT_BITS: Final = 20  # 2**20 ns

_Event: TypeAlias = tuple[int, int, Callable[..., None], tuple[Any, ...]]


def nanoseconds(seconds: float) -> int:
    """Seconds as the nearest whole number of nanoseconds."""
    return round(seconds * NANOSECONDS_PER_SECOND)


class Clock:
    """Starts at 0 and moves only in `run_until`.

    Events wait unsorted in slots of about a millisecond; only those of the slot that time has come to are put in order.
    With ten thousand timers waiting that costs half of what one heap of them all does.
    """

    def __init__(self) -> None:
        self.now_ns = 0
        # The sequence number is unique, so two entries never get as far as comparing their functions.
        self._soon: list[_Event] = []  # a heap of all that happens up to the end of `_slot`
        self._slot = 0
        self._later: dict[int, list[_Event]] = {}  # by slot
        self._slots: list[int] = []  # a heap of the keys of `_later`
        self._sequence = 0

    @property
    def now_s(self) -> float:
        """The time that machines are told."""
        return self.now_ns / NANOSECONDS_PER_SECOND

    def __len__(self) -> int:
        """How many events are still to happen."""
        return len(self._soon) + sum(map(len, self._later.values()))

    def at(self, time_ns: int, function: Callable[..., None], *arguments: Any) -> None:
        """Call `function(*arguments)` at `time_ns`. Raises ValueError when that has passed."""
        if time_ns < self.now_ns:
            raise ValueError(f"cannot schedule at {time_ns} ns: it is {self.now_ns} ns already")
        self._sequence += 1
        slot = time_ns >> _SLOT_BITS
        if slot <= self._slot:
            heappush(self._soon, (time_ns, self._sequence, function, arguments))
        elif slot in self._later:
            self._later[slot].append((time_ns, self._sequence, function, arguments))
        else:
            self._later[slot] = [(time_ns, self._sequence, function, arguments)]
            heappush(self._slots, slot)

    def run_until(self, end_ns: int) -> int:
        """Let everything up to and including `end_ns` happen; how many events that was."""
        happened = 0
        while True:
            events = self._soon
            while events and events[0][0] <= end_ns:
                self.now_ns, _, function, arguments = heappop(events)
                function(*arguments)
                happened += 1
            if events or not self._slots or self._slots[0] << _SLOT_BITS > end_ns:
                break
            self._slot = heappop(self._slots)
            self._soon = self._later.pop(self._slot)
            heapify(self._soon)
        self.now_ns = max(self.now_ns, end_ns)
        return happened
