"""How long calls took, told apart by how they ended: what a metric of durations says with ``error.type``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from partisan_actors.telemetry.events import CallStatus
from partisan_actors.telemetry.failure import error_type
from partisan_actors.telemetry.histogram import Histogram

__all__ = ["ERROR_TYPES_MAX", "OTHER_ERRORS", "Outcomes"]

# Of one method; those that come later are OTHER_ERRORS together.
ERROR_TYPES_MAX: Final = 20
OTHER_ERRORS: Final = "(others)"


class Outcomes:
    """The durations of one method's calls. No lock, as for `Histogram`."""

    __slots__ = ("all", "failed")

    def __init__(self) -> None:
        self.all = Histogram()
        # Of those that failed, by status and type of error.
        self.failed: dict[tuple[str, str], Histogram] = {}

    def observe(self, duration_ns: int, weight: int, failed: tuple[CallStatus, type[BaseException]] | None) -> None:
        """A call took so long, and stands for `weight` of them; `failed` says how, and with which class."""
        self.all.observe(duration_ns, weight)
        if failed is not None:
            status = failed[0].value
            which = status, error_type(*failed)
            if which not in self.failed and len(self.failed) >= ERROR_TYPES_MAX:
                which = status, OTHER_ERRORS
            self.failed.setdefault(which, Histogram()).observe(duration_ns, weight)

    def plain(self) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
        """Status, type of error, and plain histogram: of what succeeded, if anything did, then of each failure."""
        failed = {which: histogram.plain() for which, histogram in list(self.failed.items())}
        fine = self.all.plain()
        for each in failed.values():
            # Read a moment apart: what failed in between is not taken from what succeeded.
            fine["buckets"] = [max(0, a - b) for a, b in zip(fine["buckets"], each["buckets"], strict=True)]
            fine["sum"] = max(0.0, fine["sum"] - each["sum"])
        fine["count"] = sum(fine["buckets"])
        if fine["count"] or not failed:
            yield CallStatus.OK.value, None, fine
        yield from ((status, error, plain) for (status, error), plain in failed.items())
