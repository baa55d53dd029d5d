"""Whether metrics are exported to OpenTelemetry, and the only door through which what does so gets loaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from partisan_actors.ids import NodeId
from partisan_actors.telemetry.metrics import Point
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.tracing import is_disabled_by

__all__ = ["MetricExport", "is_wanted_by", "start_metric_export"]

EXPORTER_VARIABLE: Final = "OTEL_METRICS_EXPORTER"
ENDPOINT_VARIABLE: Final = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"


class MetricExport(Protocol):
    """An export that has been started."""

    @property
    def is_finished(self) -> bool:
        """Whether it has been closed, and all of it was handed over."""
        ...

    def begin_close(self, last: list[Point] | None) -> None:
        """Have these points exported, if there are any, and nothing after them. Returns at once."""
        ...


def is_wanted_by(environ: Mapping[str, str]) -> bool:
    """Whether the variables ask for metrics: an exporter is named, or an endpoint for metrics.

    An endpoint for all signals does not: it may be a Jaeger's, which takes none.
    """
    if is_disabled_by(environ):
        return False
    exporter = environ.get(EXPORTER_VARIABLE, "").strip()
    return exporter != "none" if exporter else bool(environ.get(ENDPOINT_VARIABLE, "").strip())


def start_metric_export(
    read: Callable[[float], list[Point]],
    node: NodeId,
    cluster: str,
    options: TracingOptions | None,
    wall_clock: Callable[[], int],
) -> MetricExport | None:
    """Export what `read(timeout_s)` gives, on a thread of its own; None when nobody asked for that.

    Loads opentelemetry, which takes a second and is better done off the loop.
    """
    if not is_wanted_by(os.environ):
        return None
    from partisan_actors.telemetry import otel_metrics  # not above: most nodes never pay for this import

    return otel_metrics.start(read, node, cluster, options or TracingOptions(), wall_clock)
