"""Deadlines of calls that went their usual way: a heap, and one timer for all of them.

A call that is answered costs nothing more: what is left of it here is found to be over when its time comes, or when so
much is left that looking through all of it is cheap, for each of what is there.
"""

from __future__ import annotations

import math
from asyncio import AbstractEventLoop, TimerHandle
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from partisan_actors.errors import CallTimeout

if TYPE_CHECKING:
    from partisan_actors.actors.ref import Location
    from partisan_actors.node.router import Peer

__all__ = ["SWEPT_MIN", "Deadlines"]

# What is over is swept out when there is as much of it as there may be of others, and as this.
SWEPT_MIN: Final = 1_024
# Timers fire a little early, by the clock's resolution.
RESOLUTION_S: Final = 0.001


class Deadlines:
    """Of one node's calls. Everything belongs to the loop's thread."""

    __slots__ = ("_due", "_heap", "_loop", "_sweep_at", "_timer")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        # When it is over, the call's number, how long it was given, the node that was asked, and whom.
        self._heap: list[tuple[float, int, float, Peer, Location]] = []
        self._sweep_at = SWEPT_MIN
        self._timer: TimerHandle | None = None
        self._due = math.inf

    def __len__(self) -> int:
        """How many are kept, of calls that are over, too."""
        return len(self._heap)

    def add(self, peer: Peer, number: int, location: Location, timeout_s: float) -> None:
        """The call of that number, a pending one of `peer`, fails with CallTimeout after that time."""
        due = self._loop.time() + timeout_s
        heappush(self._heap, (due, number, timeout_s, peer, location))
        if due < self._due:
            self._arm(due)
        if len(self._heap) > self._sweep_at:
            self._sweep()

    def close(self) -> None:
        """The node has stopped, and all calls are over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._heap.clear()
        self._due = math.inf

    def _arm(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_at(due, self._fire)

    def _fire(self) -> None:
        self._timer, self._due = None, math.inf
        heap, now = self._heap, self._loop.time() + RESOLUTION_S
        try:
            while heap and (heap[0][0] <= now or heap[0][1] not in heap[0][3].pending):
                _, number, timeout_s, peer, location = heappop(heap)
                reply = peer.pending.pop(number, None)
                if reply is not None:
                    reply.fail(CallTimeout(f"a call to {location}", timeout_s))
        finally:  # a call-back of users may have raised, and the other calls have nothing to do with that
            if heap:
                self._arm(heap[0][0])

    def _sweep(self) -> None:
        heap = self._heap
        # In place: it may be that `_fire` is at it, and a call-back of what has failed has made more calls.
        heap[:] = [each for each in heap if each[1] in each[3].pending]
        heapify(heap)
        self._sweep_at = 2 * len(heap) + SWEPT_MIN
