"""`SeenIds`: which broadcasts a node has seen, in memory that does not grow with their number.

A broadcast id is (origin, counter) and an origin counts up from 1, so what was seen of one origin is a few intervals,
usually one. Both dimensions are bounded:

* beyond `intervals_max` intervals of one origin the gap between its two oldest ones is closed: ids in that gap count
  as seen from then on, so a message that is late by that much is never delivered;
* beyond `origins_max` origins the one heard of longest ago is forgotten: a copy of its messages that is still
  travelling would be delivered twice.
"""

from __future__ import annotations

from partisan_actors.protocols.machine import Peer

__all__ = ["SeenIds"]


class SeenIds:
    """A bounded set of (origin, counter)."""

    __slots__ = ("_intervals_max", "_origins", "_origins_max")

    def __init__(self, origins_max: int, intervals_max: int) -> None:
        self._origins_max = origins_max
        self._intervals_max = intervals_max
        # Sorted, disjoint, not adjacent [first, last] pairs; origins in the order they were last heard of.
        self._origins: dict[Peer, list[list[int]]] = {}

    def __contains__(self, message_id: tuple[Peer, int]) -> bool:
        origin, counter = message_id
        intervals = self._origins.get(origin, ())
        return any(first <= counter <= last for first, last in reversed(intervals))

    def __len__(self) -> int:
        """How many intervals are held, over all origins: the memory in use."""
        return sum(len(intervals) for intervals in self._origins.values())

    def add(self, origin: Peer, counter: int) -> bool:
        """Note the id; True when it had not been seen."""
        intervals = self._origins.pop(origin, None)
        if intervals is None:
            intervals = []
            if len(self._origins) >= self._origins_max:
                del self._origins[next(iter(self._origins))]
        self._origins[origin] = intervals
        if intervals and counter == intervals[-1][1] + 1:  # the next one in order: nearly always
            intervals[-1][1] = counter
            return True
        return self._insert(intervals, counter)

    def _insert(self, intervals: list[list[int]], counter: int) -> bool:
        # Late ones are late by little, so the search runs from the newest interval down.
        index = len(intervals)
        while index and intervals[index - 1][0] > counter:
            index -= 1
        below = intervals[index - 1] if index else None
        above = intervals[index] if index < len(intervals) else None
        if below is not None and counter <= below[1]:
            return False
        extends_below = below is not None and below[1] + 1 == counter
        extends_above = above is not None and above[0] - 1 == counter
        if below is not None and above is not None and extends_below and extends_above:
            below[1] = above[1]
            del intervals[index]
        elif below is not None and extends_below:
            below[1] = counter
        elif above is not None and extends_above:
            above[0] = counter
        else:
            intervals.insert(index, [counter, counter])
        if len(intervals) > self._intervals_max:
            intervals[0][1] = intervals[1][1]
            del intervals[1]
        return True
