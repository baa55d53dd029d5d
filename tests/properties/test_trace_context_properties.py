"""Trace contexts under arbitrary values and arbitrary bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from partisan_actors.telemetry.context import TRACE_STATE_CHARS_MAX, TraceContext, wire_is_sampled

contexts = st.builds(
    TraceContext,
    trace_id=st.integers(1, 2**128 - 1),
    span_id=st.integers(1, 2**64 - 1),
    flags=st.integers(0, 255),
    parent_span_id=st.just(0),  # it never leaves its node
    trace_state=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=TRACE_STATE_CHARS_MAX),
)


@given(contexts)
def test_every_context_comes_back_from_the_wire_as_it_was(context: TraceContext) -> None:
    assert TraceContext.unpack(context.pack()) == context
    assert wire_is_sampled(context.pack()) is context.is_sampled


@given(contexts)
def test_every_context_comes_back_from_its_text_as_it_was(context: TraceContext) -> None:
    assert TraceContext.from_traceparent(context.to_traceparent(), context.trace_state) == context


@given(st.binary(max_size=64))
def test_any_bytes_give_a_valid_context_or_none(wire: bytes) -> None:
    context = TraceContext.unpack(wire)

    assert context is None or (context.trace_id and context.span_id)
    wire_is_sampled(wire)


@given(st.text(max_size=80))
def test_any_text_gives_a_valid_context_or_none(text: str) -> None:
    context = TraceContext.from_traceparent(text)

    assert context is None or (context.trace_id and context.span_id)
