"""An OTLP/gRPC receiver in this process, of the servicer that the protocol's own package brings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures
from types import TracebackType

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.otlp_receiver import locate


class GrpcOtlpReceiver(services.TraceServiceServicer):
    """Collects requests at `endpoint`; a context manager. `answer` may wait, or refuse by aborting the context.

    Of each request, it says that it has `rejected` so many spans.
    """

    def __init__(
        self, answer: Callable[[grpc.ServicerContext], None] = lambda context: None, *, rejected: int = 0, why: str = ""
    ) -> None:
        self._rejected = ExportTracePartialSuccess(rejected_spans=rejected, error_message=why)
        self.requests: list[ExportTraceServiceRequest] = []
        self.metadata: list[dict[str, str]] = []
        self._answer = answer
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        services.add_TraceServiceServicer_to_server(self, self._server)
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self.attempted = threading.Event()

    def __enter__(self) -> GrpcOtlpReceiver:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.stop(None).wait(60)

    def Export(  # noqa: N802 - the name that the protocol gives it
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        self.metadata.append({str(key): str(value) for key, value in context.invocation_metadata()})
        self.attempted.set()
        self._answer(context)
        self.requests.append(request)
        return ExportTraceServiceResponse(partial_success=self._rejected)

    def spans(self) -> list[Span]:
        return [located.span for located in locate(self.requests)]
