"""From a clock that never goes back to the time of day: spans want the second, durations need the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["STEP_NS", "WallClock"]

# The two readings of one attempt may be pulled apart by the scheduler; the closest pair of several is used.
_ATTEMPTS: Final = 8

# Smaller differences are the noise of reading two clocks; following them would shake spans against each other.
STEP_NS: Final = 1_000_000


class WallClock:
    """Unix time for readings of `clock`. One offset serves both ends of a span, so that no step can turn it around."""

    def __init__(self, clock: Callable[[], int], wall_clock: Callable[[], int]) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._offset_ns = self._measure()

    def to_unix_ns(self, reading_ns: int) -> int:
        """The time of day at which `clock` read `reading_ns`."""
        return reading_ns + self._offset_ns

    def follow_steps(self) -> None:
        """Adopt a step of the time of day (set by hand, or after a suspend). Called between spans, now and then."""
        offset_ns = self._measure()
        if abs(offset_ns - self._offset_ns) > STEP_NS:
            self._offset_ns = offset_ns

    def _measure(self) -> int:
        best_gap_ns, best_offset_ns = None, 0
        for _ in range(_ATTEMPTS):
            before_ns = self._clock()
            wall_ns = self._wall_clock()
            gap_ns = self._clock() - before_ns
            if best_gap_ns is None or gap_ns < best_gap_ns:
                best_gap_ns, best_offset_ns = gap_ns, wall_ns - before_ns - gap_ns // 2
        return best_offset_ns
