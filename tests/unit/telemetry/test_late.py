"""What is kept although its trace was not sampled."""

from __future__ import annotations

from partisan_actors.errors import ActorStopped
from partisan_actors.telemetry.context import LATE, RANDOM_TRACE_ID, SAMPLED, TraceContext
from partisan_actors.telemetry.failure import Failure
from partisan_actors.telemetry.late import Late
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import AskFinished, BroadcastSent, TellProcessed
from partisan_actors.telemetry.sampler import Sampler

UNSAMPLED = TraceContext(7, 8, RANDOM_TRACE_ID, 6)
FAILURE = Failure.of_call(ActorStopped("Bank", "killed"))


def test_nothing_is_kept_unless_it_is_asked_for() -> None:
    assert Late.of(TracingOptions()) is None


def test_what_failed_is_kept_and_what_went_well_is_not() -> None:
    late = Late.of(TracingOptions(keep_failed=True))

    assert late is not None
    assert late.keeps(AskFinished(UNSAMPLED, 0, 1, "a", "Bank", "pay", FAILURE))
    assert not late.keeps(AskFinished(UNSAMPLED, 0, 10**12, "a", "Bank", "pay"))


def test_what_took_long_is_kept_and_waiting_in_the_mailbox_is_no_fault_of_a_tell() -> None:
    late = Late.of(TracingOptions(keep_slower_s=0.5))

    assert late is not None
    assert late.keeps(AskFinished(UNSAMPLED, 0, 500_000_000, "a", "Bank", "pay"))
    assert not late.keeps(AskFinished(UNSAMPLED, 0, 499_999_999, "a", "Bank", "pay", FAILURE))
    assert not late.keeps(TellProcessed(UNSAMPLED, 0, 10**9, 10**9 + 1, "a", "Bank", "pay"))


def test_calls_and_tells_are_kept_and_nothing_else() -> None:
    late = Late(failed=True, slower_ns=0)

    assert not late.keeps(BroadcastSent(UNSAMPLED, 0, 10**12, "news", None, FAILURE))


def test_a_kept_record_is_sampled_and_says_that_it_was_late() -> None:
    recorder = Recorder()
    recorder.configure(enabled=True, sampler=Sampler(0.0), options=TracingOptions(keep_failed=True))
    context = recorder.begin_traced()
    assert context is not None and not context.is_sampled

    recorder.finish(AskFinished(context, 0, 1, "a", "Bank", "pay"))
    recorder.finish(AskFinished(context, 0, 1, "a", "Bank", "pay", FAILURE))

    (kept,) = recorder.take(10)
    assert kept.context == context._replace(flags=context.flags | SAMPLED | LATE)
    assert TraceContext.unpack(kept.context.pack()) == kept.context._replace(
        flags=context.flags | SAMPLED, parent_span_id=0
    ), "the mark stays on this node"
