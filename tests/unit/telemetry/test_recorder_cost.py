"""What tracing costs in the path of a call, as a share of what an SDK span costs in the same run."""

from __future__ import annotations

import timeit
from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace import TracerProvider

from partisan_actors.telemetry.context import SAMPLED, TraceContext
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import AskFinished, AskServed

CALLS = 5_000

pytestmark = pytest.mark.perf


def per_call_us(action: Callable[[], object]) -> float:
    return min(timeit.repeat(action, number=CALLS, repeat=5)) / CALLS * 1e6


def sdk_span_us() -> float:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("cost")
    attributes = {"rpc.method": "Bank/pay", "partisan.lane": 0, "partisan.channel": "default", "partisan.attempt": 1}

    def span() -> None:
        with tracer.start_as_current_span("Bank/pay", attributes=attributes):
            pass

    return per_call_us(span)


def test_the_callers_side_of_an_ask_costs_a_quarter_of_an_sdk_span_at_most() -> None:
    recorder = Recorder(enabled=True)

    def ask() -> None:
        started_ns = recorder.clock()
        context = recorder.begin()
        context.pack()
        if context.flags & SAMPLED:
            recorder.record(AskFinished(context, started_ns, recorder.clock(), 7, "Bank", "pay", None, "default", 0))
        recorder.take_flat(1)

    ours, theirs = per_call_us(ask), sdk_span_us()
    print(f"caller {ours:.2f} µs, an SDK span {theirs:.2f} µs")
    assert ours < theirs / 4


def test_the_actors_side_of_an_ask_costs_a_third_of_an_sdk_span_at_most() -> None:
    recorder = Recorder(enabled=True)
    wire = recorder.begin().pack()

    def serve() -> None:
        started_ns = recorder.clock()
        context = recorder.child_of(TraceContext.unpack(wire))
        attachment = recorder.attach(context)
        dequeued_ns = recorder.clock()
        recorder.detach(attachment)
        if context.flags & SAMPLED:
            recorder.record(AskServed(context, started_ns, dequeued_ns, recorder.clock(), 7, "Bank", "pay"))
        recorder.take_flat(1)

    ours, theirs = per_call_us(serve), sdk_span_us()
    print(f"actor {ours:.2f} µs, an SDK span {theirs:.2f} µs")
    assert ours < theirs / 3
