"""What collectors answer to spans that they were sent: the stock OTLP exporters take every answer for a yes.

OTLP has a collector say with its "success" how many spans it has rejected, and why. And whatever listens at a wrong
address may answer 200 to anything, in a form that is not the protocol's: then nobody knows that spans have arrived.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no type information
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["Answers", "listening"]

HTTP: Final = "otlp_proto_http"
GRPC: Final = "otlp_proto_grpc"
# As the SDK reads it: who gives sessions of their own has them used as they are.
SESSION_VARIABLES: Final = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER",
)
# A larger answer is no answer of a collector.
BODY_BYTES_MAX: Final = 1 << 20
WHY_MAX: Final = 200


class Answers:
    """Those to the requests of one exporter. A request and the look at its answer are one thread's."""

    def __init__(self) -> None:
        self._rejected = 0
        self._why = ""

    def take(self, count: int) -> tuple[int, str]:
        """Of `count` spans that were sent, how many were not taken, and why; and forget it."""
        rejected, why = min(self._rejected, count), self._why
        self._rejected, self._why = 0, ""
        return rejected, why

    def said(self, answer: Any) -> None:
        """A collector has answered with that ExportTraceServiceResponse."""
        told = answer.partial_success
        self._note(told.rejected_spans, told.error_message)

    def said_over_http(self, content_type: str, body: bytes) -> None:
        """A collector, or somebody else, has answered 2xx with that."""
        try:
            if len(body) > BODY_BYTES_MAX:
                raise ValueError("too large")
            if content_type.partition(";")[0].strip().lower() == "application/json":
                told = json.loads(body or b"{}").get("partialSuccess") or {}
                self._note(int(told.get("rejectedSpans") or 0), str(told.get("errorMessage") or ""))
            else:
                self.said(ExportTraceServiceResponse.FromString(body))
        except (DecodeError, ValueError, TypeError, AttributeError, RecursionError):
            # All of a batch, which is smaller than this.
            self._note(1 << 62, f"what answers there, in {content_type or 'no content type'}, speaks no OTLP")

    def _note(self, rejected: int, why: str) -> None:
        self._rejected = max(0, rejected)
        self._why = why[:WHY_MAX]


def listening(
    name: str, make: Callable[..., SpanExporter], environ: Mapping[str, str]
) -> tuple[SpanExporter, Answers | None]:
    """The exporter of that name, and what will be answered to it; None for one whose answers cannot be heard."""
    answers = Answers()
    if name == HTTP and not any(environ.get(variable) for variable in SESSION_VARIABLES):
        return make(session=_session(answers)), answers
    if name == GRPC:
        return _with_ears(make, answers), answers
    return make(), None


def _session(answers: Answers) -> Any:
    import requests  # it comes with the exporter

    def look(response: Any, **_: object) -> None:
        if response.ok:
            answers.said_over_http(response.headers.get("Content-Type", ""), response.content)

    session = requests.Session()
    session.hooks["response"].append(look)
    return session


def _with_ears(make: Any, answers: Answers) -> SpanExporter:
    """The gRPC exporter has no public place to hear answers at: where this one is gone, they are not heard."""

    class Stub:
        def __init__(self, stub: Any) -> None:
            self._stub = stub

        def Export(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - the protocol's name
            answer = self._stub.Export(*args, **kwargs)
            answers.said(answer)
            return answer

    class Listening(make):  # type: ignore[misc]  # a class that is known when it is loaded
        def _initialize_channel_and_stub(self) -> None:
            super()._initialize_channel_and_stub()
            stub: Any = getattr(self, "_client", None)
            if hasattr(stub, "Export"):
                self._client = Stub(stub)

    Listening.__module__ = make.__module__  # whose logger says what is wrong
    made: SpanExporter = Listening()
    return made
