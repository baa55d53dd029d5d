"""An OTLP/HTTP receiver of metrics in this process, which keeps what it is sent as the protocol's own classes."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics

from tests.otlp_http import HttpReceiver

PATH = "/v1/metrics"


class MetricReceiver(HttpReceiver[ExportMetricsServiceRequest]):
    """Collects what is posted to `endpoint`; a context manager."""

    def __init__(self, *, status: int = 200) -> None:
        super().__init__(PATH, ExportMetricsServiceRequest, status=status)

    @property
    def endpoint(self) -> str:
        return f"{self.base}{PATH}"

    def wait_for_requests(self, count: int) -> list[ResourceMetrics]:
        """Everything that was received, once there were so many requests."""
        self.wait_for("requests", lambda: len(self.requests), count)
        return self.resources()

    def resources(self) -> list[ResourceMetrics]:
        """Everything that was received."""
        return [resource for request in list(self.requests) for resource in request.resource_metrics]

    def metrics(self) -> list[Metric]:
        """All metrics that were received, the last one of a name last."""
        return [metric for each in self.resources() for scope in each.scope_metrics for metric in scope.metrics]


def attributes_of(holder: Any) -> dict[str, Any]:
    """Keys and values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in holder.attributes}
