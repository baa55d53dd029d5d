"""The recorder: contexts it makes, records it keeps, and what survives a fork."""

from __future__ import annotations

import math
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterable
from random import Random

import pytest

from partisan_actors.telemetry.context import NOT_SAMPLED, RANDOM_TRACE_ID, SAMPLED, TraceContext
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.quick_records import context_of
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import BroadcastSent, Record
from partisan_actors.telemetry.sampler import Sampler


def recorder(seed: int = 5, **options: object) -> Recorder:
    return Recorder(enabled=True, random_bits=Random(seed).getrandbits, **options)  # type: ignore[arg-type]  # options pass through


def record(number: int) -> Record:
    return BroadcastSent(TraceContext(1, 1, 1), number, number, "topic")


def test_is_off_until_somebody_turns_it_on() -> None:
    assert Recorder().enabled is False
    assert Recorder().hops_enabled is False


def test_without_a_current_span_a_new_trace_begins_and_says_its_id_is_random() -> None:
    root = recorder().begin()

    assert root.flags == SAMPLED | RANDOM_TRACE_ID
    assert root.parent_span_id == 0
    assert root.trace_id and root.span_id


def test_a_child_keeps_the_trace_the_flags_and_the_tracestate() -> None:
    parent = TraceContext(7, 8, 0xF1, 0, "v=1")

    child = recorder().child_of(parent)

    assert child == TraceContext(7, child.span_id, 0xF1, 8, "v=1")
    assert child.span_id not in (0, 8)
    assert type(child) is TraceContext


def test_an_attached_context_is_the_parent_of_what_begins_under_it() -> None:
    ours = recorder()
    outer = ours.begin()

    attachment = ours.attach(outer)
    inner = ours.begin()
    ours.detach(attachment)

    assert (inner.trace_id, inner.parent_span_id) == (outer.trace_id, outer.span_id)
    assert ours.current() is None


def test_attachments_nest() -> None:
    ours = recorder()
    outer, inner = ours.begin(), ours.begin()

    first = ours.attach(outer)
    second = ours.attach(inner)
    innermost = ours.current()
    ours.detach(second)
    after = ours.current()
    ours.detach(first)

    assert (innermost, after, ours.current()) == (inner, outer, None)


def test_a_trace_that_is_not_sampled_stays_so_on_every_node_without_new_ids() -> None:
    here = recorder(sampler=Sampler(0.0))
    there = recorder(sampler=Sampler(1.0))
    root = here.begin()

    arrived = TraceContext.unpack(root.pack())
    child = there.child_of(arrived)

    assert not root.is_sampled
    assert child is arrived


def test_a_sampler_that_ignores_parents_decides_again() -> None:
    unsampled = TraceContext(7, 8, RANDOM_TRACE_ID)

    child = recorder(sampler=Sampler(1.0, follows_parent=False)).child_of(unsampled)
    grandchild = recorder(sampler=Sampler(0.0, follows_parent=False)).child_of(child)

    assert child.is_sampled
    assert child.parent_span_id == 8
    assert not grandchild.is_sampled


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 1.0])
def test_the_share_of_sampled_roots_is_the_ratio(ratio: float) -> None:
    ours = recorder(sampler=Sampler(ratio))

    sampled = sum(ours.begin().is_sampled for _ in range(4_000))

    assert abs(sampled / 4_000 - ratio) < 0.03


@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.1, 0.5, 0.9, 1.0])
def test_so_many_roots_are_traced_as_the_ratio_says_and_any_sampler_of_it_takes_their_ids(
    ratio: float,
) -> None:
    sampler = Sampler(ratio)
    ours = recorder()
    ours.configure(enabled=True, sampler=sampler, options=TracingOptions(traces_per_second=None))

    roots = [ours.begin_traced() for _ in range(20_000)]

    traced = [root for root in roots if root is not None]
    assert abs(len(traced) / 20_000 - ratio) < 0.02
    assert all(root.is_sampled and sampler.samples(root.trace_id) and not root.parent_span_id for root in traced)
    assert len({root.trace_id for root in traced}) == len(traced)


def through_the_gate(ours: Recorder, numbers: Iterable[int], override: object = None) -> list[TraceContext]:
    """What those begin who ask as callers do."""
    begun = []
    for number in numbers:
        if number >= ours.due or ours.under() is not ours.nothing or override is not None:
            context = ours.begin_numbered(number, override)
            if context is not None:
                begun.append(context_of(context) if isinstance(context, bytes) else context)
    return begun


@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("step", [1, 3])
def test_the_gate_lets_through_what_the_ratio_says_whoever_takes_the_other_numbers(ratio: float, step: int) -> None:
    sampler = Sampler(ratio)
    ours = recorder()
    ours.configure(enabled=True, sampler=sampler, options=TracingOptions(traces_per_second=None))

    begun = through_the_gate(ours, range(500, 500 + 20_000 * step, step))

    assert abs(len(begun) / 20_000 - ratio) < 0.02
    assert all(root.is_sampled and sampler.samples(root.trace_id) for root in begun)


def test_what_is_inside_of_a_trace_always_comes_through_the_gate() -> None:
    ours = recorder()
    ours.configure(enabled=True, sampler=Sampler(0.0))
    outer = TraceContext(7, 8, SAMPLED)

    before = through_the_gate(ours, range(100))
    attachment = ours.attach(outer)
    inside = through_the_gate(ours, range(100, 110))
    ours.detach(attachment)
    after = through_the_gate(ours, range(110, 200))

    assert (before, after) == ([], [])
    assert [(each.trace_id, each.parent_span_id) for each in inside] == [(7, 8)] * 10


def test_what_whoever_started_this_process_wants_traced_is() -> None:
    ours = recorder()
    ours.configure(enabled=True, sampler=Sampler(0.0))
    assert through_the_gate(ours, range(10)) == []

    ours.inherited = TraceContext(7, 8, SAMPLED)

    assert {each.trace_id for each in through_the_gate(ours, range(10, 20))} == {7}


def test_a_class_that_says_so_has_a_share_of_its_own_or_none() -> None:
    ours = recorder()
    ours.configure(enabled=True, sampler=Sampler(0.0))

    assert len(through_the_gate(ours, range(10), 1.0)) == 10
    ours.configure(enabled=True, sampler=Sampler(1.0))
    assert through_the_gate(ours, range(10), "off") == []


def test_beyond_the_limit_nobody_asks_until_the_recorder_is_refreshed() -> None:
    now = [0]
    ours = recorder(clock=lambda: now[0])
    ours.configure(enabled=True, options=TracingOptions(traces_per_second=10))
    ours.refresh()

    first = through_the_gate(ours, range(100))
    closed = ours.due
    now[0] += 1_000_000_000
    still = through_the_gate(ours, range(100, 200))
    ours.refresh()
    again = through_the_gate(ours, range(200, 300))

    assert (len(first), len(still), len(again)) == (10, 0, 10)
    assert closed == math.inf


def test_a_limit_that_nobody_refreshes_is_asked_each_time() -> None:
    now = [0]
    ours = recorder(clock=lambda: now[0])
    ours.configure(enabled=True, options=TracingOptions(traces_per_second=10))

    first = through_the_gate(ours, range(100))
    now[0] += 1_000_000_000

    assert (len(first), len(through_the_gate(ours, range(100, 200)))) == (10, 10)


def test_what_may_be_kept_late_has_a_context_each() -> None:
    ours = recorder()
    ours.configure(enabled=True, sampler=Sampler(0.0), options=TracingOptions(keep_failed=True))

    begun = through_the_gate(ours, range(10))

    assert len(begun) == 10 and not any(each.is_sampled for each in begun)


def test_what_is_not_sampled_is_not_traced_below_either() -> None:
    ours = recorder()
    attachment = ours.attach(NOT_SAMPLED)

    assert ours.begin_traced() is None

    ours.detach(attachment)
    assert ours.begin_traced() is not None
    assert ours.begin_traced("off") is None


def test_a_context_that_came_is_served_as_unpacking_and_a_child_would() -> None:
    ours = recorder()
    parent = ours.begin()

    served = ours.serve(parent.pack())

    assert served is not None and type(served) is TraceContext
    assert served == TraceContext(parent.trace_id, served.span_id, parent.flags, parent.span_id)
    assert served.span_id not in (0, parent.span_id)
    assert ours.serve(b"nonsense") is None
    assert ours.serve(bytes(26)) is None
    with_state = ours.serve(parent._replace(trace_state="v=1").pack())
    assert with_state is not None and with_state.trace_state == "v=1"


def test_a_linked_root_is_another_trace_with_the_same_decision() -> None:
    ours = recorder(sampler=Sampler(0.0))
    cause = TraceContext(7, 8, SAMPLED)

    root = ours.linked_root(cause)

    assert root.trace_id != 7
    assert root.parent_span_id == 0
    assert root.is_sampled
    assert not ours.linked_root(TraceContext(7, 8, RANDOM_TRACE_ID)).is_sampled


def test_ids_are_never_zero() -> None:
    zeros = Recorder(enabled=True, random_bits=lambda bits: 0)

    root = zeros.begin()

    assert root.trace_id == 1
    assert root.span_id == 1
    assert zeros.child_of(root).span_id == 1


def test_records_are_taken_oldest_first() -> None:
    ours = recorder()
    for number in range(5):
        ours.record(record(number))

    first, rest = ours.take(2), ours.take(100)

    assert [each.started_ns for each in first if isinstance(each, BroadcastSent)] == [0, 1]
    assert [each.started_ns for each in rest if isinstance(each, BroadcastSent)] == [2, 3, 4]
    assert ours.waiting == 0


def test_an_empty_recorder_is_a_true_value() -> None:
    given = Recorder()

    assert (given or Recorder()) is given


def test_at_the_bound_new_records_are_dropped_and_counted() -> None:
    ours = recorder(records_max=3)

    for number in range(5):
        ours.record(record(number))

    assert ours.dropped == 2
    assert [each.started_ns for each in ours.take(10) if isinstance(each, BroadcastSent)] == [0, 1, 2]


def test_records_of_several_threads_are_all_kept() -> None:
    ours = recorder()
    threads = [threading.Thread(target=lambda: [ours.record(record(n)) for n in range(500)]) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ours.take(10_000)) == 2_000


def test_switching_off_switches_hops_off_too() -> None:
    ours = Recorder()
    ours.configure(enabled=True, hops_enabled=True)
    assert ours.hops_enabled

    ours.configure(enabled=False, hops_enabled=True)

    assert (ours.enabled, ours.hops_enabled) == (False, False)


def test_two_recorders_draw_different_ids() -> None:
    assert Recorder().begin().trace_id != Recorder().begin().trace_id


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_forked_child_starts_empty_and_draws_other_ids() -> None:
    output = run("""
        import os
        from partisan_actors.telemetry.context import TraceContext
        from partisan_actors.telemetry.recorder import Recorder
        from partisan_actors.telemetry.records import BroadcastSent

        recorder = Recorder(enabled=True)
        recorder.record(BroadcastSent(TraceContext(1, 1, 1), 0, 0, "topic"))
        child = os.fork()
        if not child:
            print("child", recorder.waiting, recorder.begin().trace_id, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print("parent", recorder.waiting, recorder.begin().trace_id)
    """)

    (_, in_child, child_id), (_, in_parent, parent_id) = (line.split() for line in output.splitlines())
    assert (in_child, in_parent) == ("0", "1")
    assert child_id != parent_id


def test_recording_loads_no_opentelemetry() -> None:
    output = run("""
        import sys
        from partisan_actors.telemetry import recorder, records, sampler, spans, tracing

        ours = recorder.Recorder(enabled=True)
        attachment = ours.attach(ours.begin())
        context = ours.begin()
        ours.record(records.BroadcastSent(context, 0, 0, "topic"))
        ours.detach(attachment)
        print(len(ours.take(10)), [name for name in sys.modules if name.startswith("opentelemetry")])
    """)

    assert output.strip() == "1 []"
