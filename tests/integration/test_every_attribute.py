"""The table of attributes against what a running cluster writes down: each of its keys, and no other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.telemetry import events
from partisan_actors.telemetry.options import SCOPES, TracingOptions
from partisan_actors.telemetry.sampler import ALWAYS_ON, Sampler
from partisan_actors.telemetry.spans import SpanValue, spans_of
from tests.integration.nodes import Nodes, nodes, until

# What depends on a real network, or on one that is full, is emitted in tests of their own.
ELSEWHERE = {
    events.CHANNEL_QUEUE_WAIT: "test_trace_contexts",
    events.PEER_RTT: "test_tracing",
    events.NETWORK_PEER_ADDRESS: "test_tracing",
    events.NETWORK_PEER_PORT: "test_tracing",
    events.SERVER_ADDRESS: "test_tracing",
    events.SERVER_PORT: "test_tracing",
}


@pa.actor(num_cpus=0, concurrency_groups={"reading": 2})
class Shop:
    @pa.method(concurrency_group="reading")
    def read(self, value: Any) -> int:
        return len(pa.get(value[0]))

    def items(self, count: int) -> Iterator[int]:
        yield from range(count)

    def refuse(self) -> None:
        raise ValueError("no")

    def note(self, text: str) -> None: ...


@pa.task(num_cpus=0)
def numbers(count: int) -> Iterator[int]:
    yield from range(count)


class Written:
    """What the nodes of a cluster write down."""

    def __init__(self, cluster: Nodes) -> None:
        self.cluster = cluster
        self._spans: list[SpanValue] = []

    def begin(self, sampler: Sampler = ALWAYS_ON, **options: Any) -> None:
        for runtime in self.cluster.runtimes.values():
            wanted = TracingOptions(level="full", scopes=SCOPES, traces_per_second=None, **options)
            runtime.recorder.configure(enabled=True, sampler=sampler, options=wanted)

    def spans(self) -> list[SpanValue]:
        for runtime in self.cluster.runtimes.values():
            self._spans += [span for record in runtime.recorder.take(100_000) for span in spans_of(record)]
        return self._spans

    def found(self) -> set[str]:
        spans = self.spans()
        return {key for span in spans for holder in (span, *span.happenings) for key in holder.attributes}


async def wait(call: Any) -> Any:
    return await asyncio.wait_for(call, 60)


async def _calls_through_a_node_in_between(written: Written) -> None:
    cluster = written.cluster
    for name, tag in (("b", "server"), ("a", "client"), ("c", "client")):
        await cluster.add(name, routing="relay", overlay="client_server", overlay_options={"tag": tag})
    written.begin()
    with cluster.at("c"):
        heard: list[str] = []
        subscription = pa.subscribe("prices", heard.append)
    with cluster.at("a"):
        shop = Shop.options(placement=pa.NodeAffinity("c"), name="corner", max_restarts=1).remote()
        assert await wait(shop.read.remote([pa.put(b"x" * 100_000)])) == 100_000
        assert [await wait(ref) async for ref in shop.items.remote(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="no"):
            await wait(shop.refuse.remote())
        shop.note.tell("hello")
        assert [await wait(ref) async for ref in numbers.options(placement=pa.NodeAffinity("c")).remote(3)] == [0, 1, 2]
        pa.broadcast("prices", "up")
        await until(lambda: heard)
        await asyncio.to_thread(pa.kill, shop, no_restart=False)
        await until(lambda: any(span.name == "restart Shop" for span in written.spans()))
        written.begin(Sampler(0.0), keep_failed=True)
        with pytest.raises(ValueError, match="no"):
            await wait(shop.refuse.remote())
        await asyncio.to_thread(pa.kill, shop)
    subscription.cancel()
    await until(lambda: {events.SAMPLED_LATE, events.STOP_REASON} <= written.found())


async def _messages_of_an_overlay(written: Written) -> None:
    for name in ("k", "l", "m"):
        await written.cluster.add(name)
    written.begin()
    await written.cluster.add("n")
    await until(lambda: events.OVERLAY_TTL in written.found())


async def test_every_key_of_the_table_is_written_down_by_some_program_and_no_other_is() -> None:
    async with nodes() as first:
        calls = Written(first)
        await _calls_through_a_node_in_between(calls)
    async with nodes() as second:
        overlay = Written(second)
        await _messages_of_an_overlay(overlay)

    found = calls.found() | overlay.found()
    assert found - set(events.ATTRIBUTES) == set()
    assert set(events.ATTRIBUTES) - found - set(ELSEWHERE) == set()
    for span in (*calls.spans(), *overlay.spans()):
        for key, value in span.attributes.items():
            assert type(value) is events.ATTRIBUTES[key], (span.name, key, value)
        assert (events.ERROR_TYPE in span.attributes) == (span.failure is not None)
        assert any(shape.kind == span.kind and shape.pattern.fullmatch(span.name) for shape in events.SPANS), span.name
