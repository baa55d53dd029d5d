"""Tests of a node whose metrics are exported: while it runs, at its end, and when nobody takes them."""

from __future__ import annotations

import asyncio

import pytest

from partisan_actors.api.runtime import Runtime
from partisan_actors.transport.memory import MemoryNetwork
from tests.metric_receiver import MetricReceiver, attributes_of
from tests.nodes import config_of
from tests.unit.api.runtimes import door


def exported(monkeypatch: pytest.MonkeyPatch, receiver: MetricReceiver, interval_ms: int) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", receiver.endpoint)
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", str(interval_ms))


async def test_a_node_exports_what_it_measures_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    with MetricReceiver() as receiver:
        exported(monkeypatch, receiver, 50)
        runtime = Runtime(config_of("a"), transport=door(MemoryNetwork()))
        await runtime.start()
        (first, *_) = await asyncio.to_thread(receiver.wait_for_requests, 2)
        await runtime.close()

    assert attributes_of(first.resource)["partisan.node.name"] == "a"
    assert {"partisan.node.up", "process.cpu.time"} <= {metric.name for metric in receiver.metrics()}


async def test_and_once_more_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with MetricReceiver() as receiver:
        exported(monkeypatch, receiver, 3_600_000)
        runtime = Runtime(config_of("a"), transport=door(MemoryNetwork()))
        await runtime.start()
        assert runtime._metrics._starting is not None
        await runtime._metrics._starting
        await runtime.close()
        await asyncio.to_thread(receiver.wait_for_requests, 1)

    assert "partisan.node.up" in {metric.name for metric in receiver.metrics()}


async def test_a_collector_that_is_away_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://127.0.0.1:1/v1/metrics")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "10")
    runtime = Runtime(config_of("a"), transport=door(MemoryNetwork()))
    await runtime.start()
    assert runtime._metrics._starting is not None
    await runtime._metrics._starting

    async with asyncio.timeout(60):
        await runtime.close()


async def test_without_the_variables_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_METRICS_EXPORTER", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    runtime = Runtime(config_of("a"), transport=door(MemoryNetwork()))
    await runtime.start()
    await runtime.close()

    assert runtime._metrics._starting is None
