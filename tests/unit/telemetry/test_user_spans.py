"""Users' own OpenTelemetry spans and ours, inside each other."""

from __future__ import annotations

import asyncio
import contextvars
from random import Random

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from partisan_actors.telemetry.context import RANDOM_TRACE_ID, SAMPLED, TraceContext
from partisan_actors.telemetry.quick_records import context_of
from partisan_actors.telemetry.recorder import Recorder


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(enabled=True, random_bits=Random(3).getrandbits)


@pytest.fixture
def finished() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(finished: InMemorySpanExporter) -> trace.Tracer:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(finished))
    return provider.get_tracer("user")


def test_a_users_span_inside_a_method_is_our_child(
    recorder: Recorder, tracer: trace.Tracer, finished: InMemorySpanExporter
) -> None:
    ours = recorder.begin()

    attachment = recorder.attach(ours)
    with tracer.start_as_current_span("query"):
        pass
    recorder.detach(attachment)

    (span,) = finished.get_finished_spans()
    assert span.parent is not None
    assert (span.context.trace_id, span.parent.span_id) == (ours.trace_id, ours.span_id)


def test_a_call_inside_a_users_span_is_its_child(recorder: Recorder, tracer: trace.Tracer) -> None:
    attachment = recorder.attach(recorder.begin())
    with tracer.start_as_current_span("query") as span:
        call = recorder.begin()
    recorder.detach(attachment)

    users = span.get_span_context()
    assert (call.trace_id, call.parent_span_id) == (users.trace_id, users.span_id)
    assert call.flags == int(users.trace_flags)


def test_a_users_span_in_a_driver_starts_the_trace(recorder: Recorder, tracer: trace.Tracer) -> None:
    with tracer.start_as_current_span("main") as span:
        call = recorder.begin()

    assert call.trace_id == span.get_span_context().trace_id


def test_a_users_span_in_a_trace_that_is_not_sampled_is_not_recorded(
    recorder: Recorder, tracer: trace.Tracer, finished: InMemorySpanExporter
) -> None:
    attachment = recorder.attach(TraceContext(7, 8, RANDOM_TRACE_ID))
    with tracer.start_as_current_span("query") as span:
        call = recorder.begin()
    recorder.detach(attachment)

    assert not span.is_recording()
    assert not call.is_sampled
    assert finished.get_finished_spans() == ()


def test_tracestate_goes_through_both_ways(recorder: Recorder, tracer: trace.Tracer) -> None:
    attachment = recorder.attach(TraceContext(7, 8, SAMPLED, 0, "vendor=1"))
    with tracer.start_as_current_span("query") as span:
        call = recorder.begin()
    recorder.detach(attachment)

    assert span.get_span_context().trace_state.to_header() == "vendor=1"
    assert call.trace_state == "vendor=1"


def test_a_tracestate_that_no_node_would_read_is_not_sent(recorder: Recorder, tracer: trace.Tracer) -> None:
    state = trace.TraceState([(f"vendor{number}", "x" * 200) for number in range(20)])
    users = trace.SpanContext(7, 8, is_remote=True, trace_flags=trace.TraceFlags(1), trace_state=state)

    with trace.use_span(trace.NonRecordingSpan(users)):
        call = recorder.begin()

    assert (call.trace_id, call.parent_span_id, call.trace_state) == (7, 8, "")


def test_opentelemetry_sees_our_span_until_we_detach(recorder: Recorder) -> None:
    ours = recorder.begin()

    attachment = recorder.attach(ours)
    inside = trace.get_current_span()
    recorder.detach(attachment)
    outside = trace.get_current_span()

    assert inside.get_span_context().span_id == ours.span_id
    assert not inside.is_recording()
    assert f"{ours.trace_id:032x}" in repr(inside)
    assert not outside.get_span_context().is_valid


async def test_two_coroutines_in_contexts_of_their_own_do_not_mix(recorder: Recorder, tracer: trace.Tracer) -> None:
    meeting = asyncio.Barrier(2)

    async def method() -> TraceContext:
        with tracer.start_as_current_span("query"):
            await meeting.wait()
            return recorder.begin()

    async def invocation(context: TraceContext) -> TraceContext:
        recorder.attach(context)  # goes with the task's own context
        return await method()

    first, second = recorder.begin(), recorder.begin()
    calls = await asyncio.gather(invocation(first), invocation(second))

    assert [call.trace_id for call in calls] == [first.trace_id, second.trace_id]
    assert recorder.current() is None


def test_a_context_attached_in_a_copied_context_goes_with_it(recorder: Recorder) -> None:
    ours = recorder.begin()

    seen = contextvars.copy_context().run(lambda: (recorder.attach(ours), recorder.current())[1])

    assert seen == ours
    assert recorder.current() is None


def test_what_is_entered_is_the_parent_however_a_program_looks_at_it(
    recorder: Recorder, tracer: trace.Tracer, finished: InMemorySpanExporter
) -> None:
    recorder.refresh()
    wire = recorder.begin().pack()
    ours = context_of(wire, own_span_id=7)

    def enter() -> None:
        assert recorder.quick_place is not None
        place = recorder.quick_place.make()
        place.wire, place.span_id = wire, 7
        recorder.quick_place.enter(place)

    def inside() -> None:
        enter()
        assert recorder.current() == ours
        with tracer.start_as_current_span("query"):
            pass

    def by_value() -> None:
        enter()
        context = otel_context.get_current()
        (key,) = context
        assert len(context) == 1 and key in context and context[key] is context.get(key)
        assert {**context} == dict(context) == context.copy() == context
        assert trace.get_current_span().get_span_context().span_id == ours.span_id
        token = otel_context.attach(otel_context.set_value("mine", 1))
        assert recorder.current() == ours and otel_context.get_value("mine") == 1
        otel_context.detach(token)
        assert recorder.current() == ours

    for look in (inside, by_value):
        contextvars.Context().run(look)
    (span,) = finished.get_finished_spans()
    assert span.parent is not None and span.parent.span_id == ours.span_id


def test_nothing_is_entered_where_calls_have_more_to_say_than_that_they_were_made(recorder: Recorder) -> None:
    recorder.configure(enabled=False)
    before = recorder.quick_place
    recorder.configure(enabled=True, hops_enabled=True)
    with_hops = recorder.quick_place
    recorder.configure(enabled=True)

    assert before is None and with_hops is None and recorder.quick_place is not None
