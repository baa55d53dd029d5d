"""How long the calls of one actor waited and ran, beside the meters of its class: whoever looks finds the slow one.

It is told of those calls that the meter of their method times, so a call that is not timed pays nothing; of a busy
method each timed call stands for those left out, whichever actors of the class they were for.
"""

from __future__ import annotations

from typing import Any, Final

from partisan_actors.telemetry.histogram import Histogram, quantile

__all__ = ["NOT_TIMED", "ActorTimes"]

# As `ActorTimes.figures`, of an actor of which no call was timed.
NOT_TIMED: Final[dict[str, float | None]] = dict.fromkeys(("wait_p95_s", "run_p95_s", "latency_p95_s", "slowest_s"))


class ActorTimes:
    """Those of one actor, in this life of it."""

    __slots__ = ("_slowest_ns", "run", "wait")

    def __init__(self) -> None:
        self.wait = Histogram()
        self.run = Histogram()
        self._slowest_ns = 0

    def timed(self, wait_ns: int, run_ns: int, weight: int) -> None:
        """A call that stands for `weight` of them has ended."""
        self.wait.observe(wait_ns, weight)
        self.run.observe(run_ns, weight)
        if wait_ns + run_ns > self._slowest_ns:
            self._slowest_ns = wait_ns + run_ns

    @property
    def slowest_s(self) -> float:
        """The longest that one of them waited and ran."""
        return self._slowest_ns / 1e9

    def figures(self) -> dict[str, float | None]:
        """In seconds: what 95 % waited at most, and ran at most, both together, and the slowest of those timed."""
        wait, run = quantile(self.wait.buckets, 0.95), quantile(self.run.buckets, 0.95)
        if wait is None or run is None:
            return NOT_TIMED
        return {"wait_p95_s": wait, "run_p95_s": run, "latency_p95_s": wait + run, "slowest_s": self.slowest_s}

    def plain(self) -> dict[str, Any]:
        """`wait` and `run` as plain histograms, and `slowest_s`."""
        return {"wait": self.wait.plain(), "run": self.run.plain(), "slowest_s": self.slowest_s}
