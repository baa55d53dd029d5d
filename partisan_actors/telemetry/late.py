"""What is recorded although its trace was not sampled: what failed, and what took long.

The decision falls when a call is over, on each node for itself. So a trace is kept in part: the calls that a failure
went through, or that waited for what was slow, without their siblings. A collector that samples by tails can do more.
"""

from __future__ import annotations

from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.records import AskFinished, AskServed, Record, TellProcessed, TellSent
from partisan_actors.values import dataclass

__all__ = ["Late"]

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Late:
    """With `failed` calls and tells that failed are kept, and all that take `slower_ns` or more (None: no others)."""

    failed: bool
    slower_ns: int | None

    @classmethod
    def of(cls, options: TracingOptions) -> Late | None:
        """What these options ask for; None when that is nothing."""
        slow_s = options.keep_slower_s
        if not options.keep_failed and slow_s is None:
            return None
        return cls(options.keep_failed, round(slow_s * _NS_PER_S) if slow_s is not None else None)

    def keeps(self, record: Record) -> bool:
        """Whether what has become of it is kept."""
        match record:
            case AskFinished() | AskServed() | TellSent():
                started_ns = record.started_ns
            case TellProcessed():
                started_ns = record.dequeued_ns
            case _:
                return False
        is_slow = self.slower_ns is not None and record.ended_ns - started_ns >= self.slower_ns
        return is_slow or (self.failed and record.failure is not None)
