"""An OTLP/HTTP receiver of metrics in this process, which keeps what it is sent as the protocol's own classes."""

from __future__ import annotations

import gzip
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics

__all__ = ["MetricReceiver", "attributes_of"]

PATH = "/v1/metrics"


class MetricReceiver:
    """Collects what is posted to `endpoint`; a context manager."""

    def __init__(self, *, status: int = 200) -> None:
        self.requests: list[ExportMetricsServiceRequest] = []
        self.attempts = 0
        self._arrived = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, status))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{PATH}"

    def __enter__(self) -> MetricReceiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for(self, count: int, timeout_s: float = 60.0) -> list[ResourceMetrics]:
        """What was received, once there were so many attempts; AssertionError when that takes longer."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.attempts >= count, timeout_s), (
                f"{self.attempts} in {timeout_s} s"
            )
        return self.resources()

    def resources(self) -> list[ResourceMetrics]:
        """Everything that was received."""
        return [resource for request in list(self.requests) for resource in request.resource_metrics]

    def metrics(self) -> list[Metric]:
        """All metrics that were received, the last one of a name last."""
        return [metric for each in self.resources() for scope in each.scope_metrics for metric in scope.metrics]

    def accept(self, request: ExportMetricsServiceRequest | None) -> None:
        with self._arrived:
            self.attempts += 1
            if request is not None:
                self.requests.append(request)
            self._arrived.notify_all()


def attributes_of(holder: Any) -> dict[str, Any]:
    """Keys and values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in holder.attributes}


def _handler(receiver: MetricReceiver, status: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = {"gzip": gzip.decompress, "deflate": zlib.decompress}.get(
                self.headers.get("Content-Encoding", ""), lambda plain: plain
            )(body)
            accepted = self.path == PATH and status == 200
            receiver.accept(ExportMetricsServiceRequest.FromString(body) if accepted else None)
            self.send_response(status if self.path == PATH else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """A test's output is its own."""

    return Handler
