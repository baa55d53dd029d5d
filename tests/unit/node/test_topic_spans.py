"""Spans of broadcasts: whose children they are, what they cost where tracing is off, and what odd topics do."""

from __future__ import annotations

import pytest

from partisan_actors.node.topic_spans import traced_topic, untraced
from partisan_actors.node.topics import topic_channel
from partisan_actors.protocols.machine import Deliver
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.records import BroadcastProcessed, BroadcastSent, Record
from tests.nodes import TestNode, overlay, until

CONTEXT = TraceContext(7, 8, 1)


def taken(node: TestNode, kind: type) -> list[Record]:
    return [record for record in node.recorder.take(1000) if isinstance(record, kind)]


async def test_every_node_with_subscribers_handles_a_broadcast_inside_the_trace_of_who_published() -> None:
    async with overlay("a", "b", "c", "d") as (a, b, c, d):
        for node in (a, b, c, d):
            node.recorder.configure(enabled=True, hops_enabled=True)
        heard: list[tuple[str, object, TraceContext | None]] = []
        for node in (b, c):
            node.subscribe(
                "a/b",
                lambda origin, payload, node=node: heard.append((node.me.name, payload, node.topics.spans.current)),
            )

        a.broadcast("a/b", b"value")
        await until(lambda: len(heard) == 2)

        (sent,) = taken(a, BroadcastSent)
        assert (sent.topic, sent.context.parent_span_id) == ("a/b", 0)
        for node in (b, c):
            (processed,) = taken(node, BroadcastProcessed)
            assert processed.path in ("eager", "graft")
            assert processed.topic == "a/b" and processed.round_number == processed.hop_count + 1 >= 1
            assert processed.context.trace_id == sent.context.trace_id
            assert processed.context.parent_span_id == sent.context.span_id
            assert (node.me.name, b"value", processed.context) in heard
            assert node.topics.spans.current is None
        assert taken(d, BroadcastProcessed) == []


async def test_at_the_level_of_calls_there_is_a_span_where_it_was_published_and_one_where_it_is_handled() -> None:
    async with overlay("a", "b") as (a, b):
        for node in (a, b):
            node.recorder.configure(enabled=True)
        heard: list[TraceContext | None] = []
        b.subscribe("news", lambda origin, payload: heard.append(b.topics.spans.current))

        a.broadcast("news", 1)
        await until(lambda: heard)

        (sent,) = taken(a, BroadcastSent)
        (processed,) = taken(b, BroadcastProcessed)
        assert heard == [processed.context] and processed.context.parent_span_id == sent.context.span_id


async def test_without_tracing_nothing_is_written_down_and_nothing_more_travels() -> None:
    async with overlay("a", "b") as (a, b):
        b.recorder.configure(enabled=True, hops_enabled=True)
        topics: list[str] = []
        delivered = b.delivered
        b.delivered = lambda deliver: (topics.append(deliver.topic), delivered(deliver))[1]  # type: ignore[method-assign]  # a spy
        heard: list[object] = []
        b.subscribe("news", lambda origin, payload: heard.append(payload))

        a.broadcast("news", 1)
        await until(lambda: heard)

        assert "user/broadcast/news" in topics
        assert a.recorder.waiting == 0 and taken(b, BroadcastProcessed) == []


async def test_what_a_subscriber_raises_is_the_failure_of_its_span() -> None:
    async with overlay("a") as (a,):
        a.recorder.configure(enabled=True, hops_enabled=True)
        a.subscribe("news", lambda origin, payload: 1 / 0)

        a.topics.broadcast("news", 1, to_self=True)
        await until(lambda: a.topics.failed == 1)

        (processed,) = taken(a, BroadcastProcessed)
        assert processed.failure is not None and processed.failure.error_type == "ZeroDivisionError"


@pytest.mark.parametrize("digits", ["", "xy", "00", "ff" * 26])
async def test_a_context_that_makes_no_sense_costs_its_spans_and_nothing_else(digits: str) -> None:
    async with overlay("a") as (a,):
        a.recorder.configure(enabled=True, hops_enabled=True)
        heard: list[object] = []
        a.subscribe("news", lambda origin, payload: heard.append(payload))

        a.topics.delivered(Deliver(f"traced/broadcast/{digits}/news", a.me, a.me, 1, "value"), a.me)

        assert heard == ["value"] and a.recorder.waiting == 0


def test_a_traced_topic_names_its_channel_and_comes_apart_again() -> None:
    topic = traced_topic("a/b", "bulk", CONTEXT)

    assert topic_channel(topic) == "bulk"
    assert untraced(topic) == ("a/b", CONTEXT)
