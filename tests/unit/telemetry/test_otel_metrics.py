"""Tests of the export of metrics: the stock exporter, a real receiver, and exporters that fail."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.resources import Resource

from partisan_actors.ids import NodeId
from partisan_actors.telemetry.histogram import BOUNDS_S, Histogram
from partisan_actors.telemetry.metric_export import is_wanted_by, start_metric_export
from partisan_actors.telemetry.metrics import COUNTER, GAUGE, HISTOGRAM, METRICS, Point, point
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.otel_metrics import MetricExporting, exporters_from
from tests.metric_receiver import MetricReceiver, attributes_of

NODE = NodeId("a", 0xABC)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[MetricReceiver]:
    with MetricReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", receiver.endpoint)
        monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
        yield receiver


def examples() -> list[Point]:
    """A point of each metric of the table."""
    histogram = Histogram()
    histogram.observe(70_000, 3)
    values = {HISTOGRAM: histogram.plain()}
    return [
        point(metric.name, values.get(metric.type, 7), *("x" for _ in metric.attributes)) for metric in METRICS.values()
    ]


def until_finished(exporting: Any) -> None:
    deadline = time.monotonic() + 60
    while not exporting.is_finished:
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_every_metric_arrives_as_the_table_has_it(receiver: MetricReceiver) -> None:
    exporting = start_metric_export(lambda timeout_s: examples(), NODE, "shop", None, time.time_ns)
    assert exporting is not None
    receiver.wait_for_requests(2)
    exporting.begin_close(None)
    until_finished(exporting)

    found: dict[str, Metric] = {metric.name: metric for metric in receiver.metrics()}
    assert set(found) == set(METRICS)
    for name, metric in found.items():
        row = METRICS[name]
        assert (metric.unit, metric.description) == (row.unit, row.description)
        kind = metric.WhichOneof("data")
        assert kind == {HISTOGRAM: "histogram", GAUGE: "gauge"}.get(row.type, "sum")
        data = getattr(metric, kind)
        if kind != "gauge":
            assert data.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        if kind == "sum":
            assert data.is_monotonic == (row.type == COUNTER)
        for each in data.data_points:
            assert tuple(attributes_of(each)) == row.attributes
            assert each.time_unix_nano > 0
            if kind != "gauge":
                assert 0 < each.start_time_unix_nano <= each.time_unix_nano
            if kind == "histogram":
                assert list(each.explicit_bounds) == list(BOUNDS_S)
                assert (each.count, sum(each.bucket_counts), each.HasField("min")) == (3, 3, False)


def test_who_sends_them_is_told(receiver: MetricReceiver) -> None:
    exporting = start_metric_export(lambda _: examples(), NODE, "shop", TracingOptions(service_name="x"), time.time_ns)
    assert exporting is not None
    (first, *_) = receiver.wait_for_requests(1)
    exporting.begin_close(None)
    until_finished(exporting)

    told = attributes_of(first.resource)
    assert (told["service.name"], told["service.namespace"], told["partisan.node.name"]) == ("x", "shop", "a")
    assert [scope.scope.name for scope in first.scope_metrics] == ["partisan_actors"]


def test_what_is_given_at_the_end_is_exported_although_no_interval_is_over(
    receiver: MetricReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "3600000")
    exporting = start_metric_export(lambda timeout_s: [], NODE, "shop", None, time.time_ns)
    assert exporting is not None

    exporting.begin_close([point("partisan.dead_letters", 5, "Bank", "actor ended")])
    until_finished(exporting)

    (metric,) = receiver.metrics()
    assert (metric.name, metric.sum.data_points[0].as_int) == ("partisan.dead_letters", 5)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, True),
        ({"OTEL_METRICS_EXPORTER": "console"}, True),
        ({"OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://x"}, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a-jaeger"}, False),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_the_variables_decide_whether_there_is_an_export(environ: dict[str, str], wanted: bool) -> None:
    assert is_wanted_by(environ) is wanted


def test_nothing_is_loaded_that_nobody_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_METRICS_EXPORTER", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", raising=False)

    assert start_metric_export(lambda timeout_s: [], NODE, "c", None, time.time_ns) is None


def test_exporters_that_cannot_be_had_are_told_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(exporters_from({"OTEL_METRICS_EXPORTER": "console, nonsense"})) == 1

    assert "metrics will not go to exporter 'nonsense'" in caplog.text


@pytest.mark.parametrize("text", ["soon", "-5", "0"])
def test_a_bad_interval_is_told_and_the_default_is_taken(
    text: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "console")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", text)
    with caplog.at_level(logging.WARNING):
        exporting = start_metric_export(lambda timeout_s: [], NODE, "c", None, time.time_ns)
    assert exporting is not None
    exporting.begin_close(None)
    until_finished(exporting)

    assert f"OTEL_METRIC_EXPORT_INTERVAL='{text}' is no number of milliseconds; 60000 is taken" in caplog.text


class Failing(MetricExporter):
    """Takes nothing: raises, or says so."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self._error = error
        self.was_shut_down = False

    def export(self, metrics_data: Any, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        if self._error is not None:
            raise self._error
        return MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self.was_shut_down = True


class Keeping(Failing):
    """Takes everything."""

    def export(self, metrics_data: Any, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        return MetricExportResult.SUCCESS


def test_one_exporter_that_fails_costs_the_others_nothing_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    exporters = [Failing(OSError("away")), Failing(None), Keeping(None)]
    exporting = MetricExporting(lambda timeout_s: examples(), Resource({}), exporters, time.time_ns, 0.005, 1.0)
    with caplog.at_level(logging.WARNING):
        exporting.start()
        deadline = time.monotonic() + 60
        while exporting.exported < 5:
            assert time.monotonic() < deadline
            threading.Event().wait(0.005)
        exporting.begin_close(None)
        until_finished(exporting)

    assert exporting.failed == 2 * exporting.exported
    assert len([record for record in caplog.records if "said once" in record.getMessage()]) == 2
    assert all(exporter.was_shut_down for exporter in exporters)


def test_a_node_that_cannot_be_read_costs_an_interval(caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([TimeoutError("the loop is late"), examples()])

    def read(timeout_s: float) -> list[Point]:
        answer = next(answers, [])
        if isinstance(answer, Exception):
            raise answer
        return answer

    exporter = Keeping(None)
    exporting = MetricExporting(read, Resource({}), [exporter], time.time_ns, 0.005, 1.0)
    with caplog.at_level(logging.WARNING):
        exporting.start()
        deadline = time.monotonic() + 60
        while exporting.exported < 1:
            assert time.monotonic() < deadline
            threading.Event().wait(0.005)
        exporting.begin_close(None)
        until_finished(exporting)

    assert "reading metrics failed" in caplog.text
