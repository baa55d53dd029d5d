"""Trace contexts under arbitrary values and arbitrary bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from partisan_actors.telemetry.context import TRACE_STATE_CHARS_MAX, TraceContext, wire_is_sampled

keys = st.from_regex(r"[a-z][a-z0-9_\-*/]{0,5}(@[a-z]{1,5})?", fullmatch=True)
values = st.from_regex(r"[!-+\--<>-~]{1,8}", fullmatch=True)
members = st.tuples(keys, values).map("=".join)

contexts = st.builds(
    TraceContext,
    trace_id=st.integers(1, 2**128 - 1),
    span_id=st.integers(1, 2**64 - 1),
    flags=st.integers(0, 255),
    parent_span_id=st.just(0),  # it never leaves its node
    trace_state=st.lists(members, max_size=20).map(",".join),
)


@given(contexts)
def test_every_context_comes_back_from_the_wire_as_it_was(context: TraceContext) -> None:
    assert TraceContext.unpack(context.pack()) == context
    assert wire_is_sampled(context.pack()) is context.is_sampled


@given(contexts)
def test_every_context_comes_back_from_its_text_as_it_was(context: TraceContext) -> None:
    assert TraceContext.from_traceparent(context.to_traceparent(), context.trace_state) == context


@given(st.text(max_size=600))
def test_any_tracestate_is_carried_as_it_is_or_not_at_all(text: str) -> None:
    context = TraceContext.from_traceparent(f"00-{1:032x}-{2:016x}-01", text)

    assert context is not None and context.trace_state in (text, "")
    assert len(context.trace_state) <= TRACE_STATE_CHARS_MAX
    assert TraceContext.unpack(context.pack()) == context


@given(st.binary(max_size=64))
def test_any_bytes_give_a_valid_context_or_none(wire: bytes) -> None:
    context = TraceContext.unpack(wire)

    assert context is None or (context.trace_id and context.span_id)
    wire_is_sampled(wire)


@given(st.text(max_size=80))
def test_any_text_gives_a_valid_context_or_none(text: str) -> None:
    context = TraceContext.from_traceparent(text)

    assert context is None or (context.trace_id and context.span_id)
