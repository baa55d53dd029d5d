"""Trace contexts on the wire and as text."""

from __future__ import annotations

import pytest
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from partisan_actors.telemetry.context import (
    CONTEXT_BYTES,
    TRACE_STATE_CHARS_MAX,
    TraceContext,
    current_context,
    wire_is_sampled,
)

TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C
SPAN_ID = 0x00F067AA0BA902B7


def context(flags: int = 3, trace_state: str = "") -> TraceContext:
    return TraceContext(TRACE_ID, SPAN_ID, flags, 0, trace_state)


def test_a_context_without_tracestate_is_26_bytes() -> None:
    assert context().pack() == bytes.fromhex("000af7651916cd43dd8448eb211c80319c00f067aa0ba902b703")
    assert len(context().pack()) == CONTEXT_BYTES


@pytest.mark.parametrize("flags", [0x00, 0x01, 0x02, 0x03, 0xFF])
def test_flags_travel_verbatim(flags: int) -> None:
    assert TraceContext.unpack(context(flags).pack()) == context(flags)


def test_tracestate_follows_the_26_bytes() -> None:
    sent = context(trace_state="vendor=1,other=x")

    assert TraceContext.unpack(sent.pack()) == sent


def test_the_parent_stays_on_its_node() -> None:
    sent = context()._replace(parent_span_id=99)

    assert TraceContext.unpack(sent.pack()) == context()


def test_a_tracestate_beyond_the_bound_is_dropped_whole() -> None:
    sent = context(trace_state="v=" + "x" * TRACE_STATE_CHARS_MAX)

    assert TraceContext.unpack(sent.pack()) == context()


def test_a_tracestate_that_is_not_text_is_dropped() -> None:
    assert TraceContext.unpack(context().pack() + b"\xff\xfe") == context()


@pytest.mark.parametrize(
    "text",
    [
        "garbage",
        "a=b,A=c",
        "=",
        "a=",
        "a=b,=",
        "a=\x00",
        "a=b\n",
        "a=b=c",
        "1=2",
        "a@1=2",
        "a=b," * 40,
        "\u00fc=1",
        "a=\u00fc",
    ],
)
def test_a_tracestate_that_is_none_is_dropped_and_the_context_kept(text: str) -> None:
    assert TraceContext.unpack(context().pack() + text.encode()) == context()
    assert TraceContext.from_traceparent(context().to_traceparent(), text) == context()


@pytest.mark.parametrize("text", ["a=b", "a=b,,c=d", " a=b , c=d\t", "1t@v=x y", "a-b_c*/d=!~", "k=" + "v" * 200])
def test_a_tracestate_that_is_one_travels_as_it_is(text: str) -> None:
    sent = context(trace_state=text)

    assert TraceContext.unpack(sent.pack()) == TraceContext.from_traceparent(sent.to_traceparent(), text) == sent


def test_an_unknown_version_is_read_as_version_0_and_what_follows_is_ignored() -> None:
    wire = b"\x01" + context().pack()[1:] + b"future"

    assert TraceContext.unpack(wire) == context()


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        context().pack()[:-1],
        b"\xff" + context().pack()[1:],
        TraceContext(0, SPAN_ID, 1).pack(),
        TraceContext(TRACE_ID, 0, 1).pack(),
    ],
    ids=["empty", "too short", "version ff", "no trace", "no span"],
)
def test_a_broken_context_is_dropped(wire: bytes) -> None:
    assert TraceContext.unpack(wire) is None


@pytest.mark.parametrize("flags", [0x00, 0x01, 0x02, 0x03])
def test_a_relay_reads_the_sampled_bit_without_unpacking(flags: int) -> None:
    assert wire_is_sampled(context(flags).pack()) is context(flags).is_sampled


def test_no_context_is_not_sampled() -> None:
    assert not wire_is_sampled(b"")


def test_traceparent_is_what_opentelemetry_would_write() -> None:
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    carrier: dict[str, str] = {}
    span = NonRecordingSpan(SpanContext(TRACE_ID, SPAN_ID, is_remote=False, trace_flags=TraceFlags(3)))
    TraceContextTextMapPropagator().inject(carrier, set_span_in_context(span))

    assert context().to_traceparent() == carrier["traceparent"]
    assert TraceContext.from_traceparent(carrier["traceparent"]) == context()


def test_a_later_version_of_traceparent_may_be_longer() -> None:
    text = "01" + context().to_traceparent()[2:] + "-more"

    assert TraceContext.from_traceparent(text) == context()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        context().to_traceparent().upper(),
        context().to_traceparent() + "-more",
        "ff" + context().to_traceparent()[2:],
        f"00-{0:032x}-{SPAN_ID:016x}-01",
        f"00-{TRACE_ID:032x}-{0:016x}-01",
        context().to_traceparent().replace("-", "_"),
        f"00-{TRACE_ID:032x}-{SPAN_ID:016x}-0 ",
        f"0_-{TRACE_ID:032x}-{SPAN_ID:016x}-01",
    ],
)
def test_text_that_is_no_traceparent_gives_no_context(text: str) -> None:
    assert TraceContext.from_traceparent(text) is None


def test_tracestate_text_comes_along_up_to_the_bound() -> None:
    parent = context().to_traceparent()

    assert TraceContext.from_traceparent(parent, "v=1") == context(trace_state="v=1")
    assert TraceContext.from_traceparent(parent, "v" * (TRACE_STATE_CHARS_MAX + 1)) == context()


def test_there_is_no_current_context_at_first() -> None:
    assert current_context.get() is None
