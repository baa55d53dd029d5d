"""Points of metrics go to OpenTelemetry's exporters, from a background thread; loaded only when that is wanted.

The SDK's instruments add up what they are told, at 7 us a call; ours are added up already. So points become the SDK's
data when they are exported, all of them cumulative, and go to the exporters that ``OTEL_METRICS_EXPORTER`` names.

Whatever goes wrong in exporting is logged once and never reaches the runtime: an interval is then skipped, and as
counts only grow, nothing is missing from the next one.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib import metadata
from typing import Any, Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from partisan_actors.ids import NodeId
from partisan_actors.telemetry import events
from partisan_actors.telemetry.complaints import Complaints
from partisan_actors.telemetry.metrics import COUNTER, GAUGE, HISTOGRAM, Point
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.resource import package_version, resource_attributes
from partisan_actors.telemetry.sdk_variables import otlp_transport

__all__ = ["MetricExporting", "exporters_from", "metrics_data", "start"]

INTERVAL_MS: Final = 60_000
TIMEOUT_MS: Final = 30_000
SCOPE: Final = "partisan_actors"

_logger = logging.getLogger(__name__)


def start(
    read: Callable[[float], list[Point]],
    node: NodeId,
    cluster: str,
    options: TracingOptions,
    wall_clock: Callable[[], int],
) -> MetricExporting:
    """Export what `read(timeout_s)` gives, on a thread, as the ``OTEL_*`` variables say."""
    base = Resource.create()
    resource = base.merge(Resource(resource_attributes(node, cluster, options, base.attributes), events.SCHEMA_URL))
    interval_s, timeout_s = (
        _milliseconds(os.environ, name, default) / 1000
        for name, default in (
            ("OTEL_METRIC_EXPORT_INTERVAL", INTERVAL_MS),
            ("OTEL_METRIC_EXPORT_TIMEOUT", TIMEOUT_MS),
        )
    )
    exporting = MetricExporting(read, resource, exporters_from(os.environ), wall_clock, interval_s, timeout_s)
    exporting.start()
    return exporting


def exporters_from(environ: Mapping[str, str]) -> list[MetricExporter]:
    """What ``OTEL_METRICS_EXPORTER`` names, found as the SDK's own configuration finds it; OTLP by default.

    One that cannot be made is logged, and left out.
    """
    exporters: list[MetricExporter] = []
    for given in (environ.get("OTEL_METRICS_EXPORTER", "").strip() or "otlp").split(","):
        name = given.strip()
        if name == "none":
            continue
        entry = name if name != "otlp" else f"otlp_proto_{otlp_transport(environ, 'METRICS')}"
        try:
            found = next(iter(metadata.entry_points(group="opentelemetry_metrics_exporter", name=entry)), None)
            if found is None:
                raise LookupError("its package is not installed")
            exporter = found.load()()
            if not isinstance(exporter, MetricExporter):
                raise TypeError("it reads instruments of the SDK, and takes nothing that is ready")
            exporters.append(exporter)
        except Exception as error:  # noqa: BLE001 - any installed package; a program must not fail for want of metrics
            _logger.warning("metrics will not go to exporter %r: it cannot be made (%r)", name, error)
    return exporters


class MetricExporting:
    """The thread that reads points, and hands them to exporters, every `interval_s` seconds and once at the end."""

    def __init__(
        self,
        read: Callable[[float], list[Point]],
        resource: Resource,
        exporters: Sequence[MetricExporter],
        wall_clock: Callable[[], int],
        interval_s: float,
        timeout_s: float,
    ) -> None:
        self._read = read
        self._resource = resource
        self._exporters = exporters
        self._wall_clock = wall_clock
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._complaints = Complaints(_logger)
        self._last: list[Point] | None = None
        self._closing = threading.Event()
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._run, name="partisan-metrics", daemon=True)
        # How many exports were handed over, and how many were not, for whatever reason.
        self.exported = self.failed = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def is_finished(self) -> bool:
        """Whether it has been closed, and all of it was handed over."""
        return self._finished.is_set()

    def begin_close(self, last: list[Point] | None) -> None:
        """Have these points exported, if there are any, and nothing after them. Returns at once."""
        self._last = last
        self._closing.set()

    def _run(self) -> None:
        started_ns = self._wall_clock()
        while not self._closing.wait(self._interval_s):
            self._attempt("reading metrics", lambda: self._export(self._read(self._timeout_s), started_ns))
        last = self._last
        if last is not None:
            self._attempt("exporting metrics at the end", lambda: self._export(last, started_ns))
        for exporter in self._exporters:
            self._attempt("closing an exporter of metrics", exporter.shutdown)
        self._finished.set()

    def _export(self, points: list[Point], started_ns: int) -> None:
        data = metrics_data(points, self._resource, started_ns, self._wall_clock())
        for exporter in self._exporters:
            self._attempt("exporting metrics", partial(self._give, exporter, data))

    def _give(self, exporter: MetricExporter, data: MetricsData) -> None:
        self.failed += 1
        if exporter.export(data, timeout_millis=self._timeout_s * 1000) is not MetricExportResult.SUCCESS:
            self._complaints.say("metrics were not taken by %s", type(exporter).__name__)
            return
        self.failed -= 1
        self.exported += 1

    def _attempt(self, what: str, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - an exporter may raise anything; the others must still get theirs
            self._complaints.say(f"{what} failed: %r", error)


def metrics_data(points: Iterable[Point], resource: Resource, started_ns: int, now_ns: int) -> MetricsData:
    """The points as the SDK's exporters take them: those of one name are one metric."""
    by_name: dict[str, list[Point]] = {}
    for point in points:
        by_name.setdefault(point["name"], []).append(point)
    metrics = [_metric(same, started_ns, now_ns) for same in by_name.values()]
    scope = InstrumentationScope(SCOPE, package_version(), events.SCHEMA_URL)
    found = ScopeMetrics(scope, metrics, events.SCHEMA_URL)
    return MetricsData([ResourceMetrics(resource, [found], resource.schema_url)])


def _metric(points: Sequence[Point], started_ns: int, now_ns: int) -> Metric:
    first = points[0]
    data: Any
    if first["type"] == HISTOGRAM:
        spread = [_spread(point, started_ns, now_ns) for point in points]
        data = Histogram(spread, AggregationTemporality.CUMULATIVE)
    else:
        numbers = [NumberDataPoint(point["attributes"], started_ns, now_ns, point["value"]) for point in points]
        is_counter = first["type"] == COUNTER
        is_gauge = first["type"] == GAUGE
        data = Gauge(numbers) if is_gauge else Sum(numbers, AggregationTemporality.CUMULATIVE, is_counter)
    return Metric(first["name"], first["description"], first["unit"], data)


def _spread(point: Point, started_ns: int, now_ns: int) -> HistogramDataPoint:
    unknown: Any = None  # the least and the most: the protocol can do without, though the class says otherwise
    return HistogramDataPoint(
        attributes=point["attributes"],
        start_time_unix_nano=started_ns,
        time_unix_nano=now_ns,
        count=point["count"],
        sum=point["sum"],
        bucket_counts=point["buckets"],
        explicit_bounds=point["bounds"],
        min=unknown,
        max=unknown,
    )


def _milliseconds(environ: Mapping[str, str], name: str, default: int) -> float:
    text = environ.get(name, "").strip()
    try:
        found = float(text) if text else default
        if found > 0:
            return found
    except ValueError:
        pass
    _logger.warning("%s=%r is no number of milliseconds; %d is taken", name, text, default)
    return default
