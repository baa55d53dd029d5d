"""Histograms of durations: plain integers in fixed buckets, so that one costs little and those of many nodes add up."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

__all__ = ["BOUNDS_S", "Histogram", "merged", "quantile"]

# The upper ends of the buckets, the same for every duration on every node; one more bucket is for what took longer.
BOUNDS_S: Final = (
    *(0.000_05, 0.000_1, 0.000_25, 0.000_5),
    *(0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
_BOUNDS_NS: Final = tuple(round(bound * 1e9) for bound in BOUNDS_S)


class Histogram:
    """How long something took, how often. No lock: several threads at once may, rarely, lose one observation."""

    __slots__ = ("_sum_ns", "buckets")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self._sum_ns = 0

    def observe(self, duration_ns: int, weight: int = 1) -> None:
        """Something took so long, `weight` times."""
        self.buckets[bisect_left(_BOUNDS_NS, duration_ns)] += weight
        self._sum_ns += duration_ns * weight

    def plain(self) -> dict[str, Any]:
        """As `{"count", "sum", "buckets"}`: how many, their seconds together, and how many in each bucket alone."""
        buckets = list(self.buckets)
        return {"count": sum(buckets), "sum": self._sum_ns / 1e9, "buckets": buckets}


def merged(histograms: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What one histogram would hold that had got what each of these plain ones got."""
    buckets, total = [0] * (len(BOUNDS_S) + 1), 0.0
    for each in histograms:
        buckets = [ours + theirs for ours, theirs in zip(buckets, each["buckets"], strict=True)]
        total += each["sum"]
    return {"count": sum(buckets), "sum": total, "buckets": buckets}


def quantile(buckets: Sequence[int], share: float) -> float | None:
    """The seconds that `share` (0.5: half) of what is in these buckets did not exceed; None when there is nothing.

    Within a bucket it is taken for evenly spread, as Prometheus does. What took longer than the last bound is said to
    have taken that.
    """
    wanted, below = share * sum(buckets), 0
    if not sum(buckets):
        return None
    for count, low, high in zip(buckets, (0.0, *BOUNDS_S), BOUNDS_S, strict=False):
        if count and below + count >= wanted:
            return low + (high - low) * (wanted - below) / count
        below += count
    return BOUNDS_S[-1]
