"""What collectors answer, over HTTP and gRPC: spans that they have not taken are not counted as exported."""

from __future__ import annotations

import json
import logging
import socket

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from partisan_actors.ids import NodeId
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.otel_answers import BODY_BYTES_MAX, WHY_MAX, Answers
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import AskFinished
from partisan_actors.telemetry.tracing import start_tracing
from tests.otlp_grpc_receiver import GrpcOtlpReceiver
from tests.otlp_receiver import OtlpReceiver

PROTOBUF = "application/x-protobuf"
CLOSE_S = 60.0


def partial(rejected: int, why: str = "") -> bytes:
    told = ExportTracePartialSuccess(rejected_spans=rejected, error_message=why)
    return bytes(ExportTraceServiceResponse(partial_success=told).SerializeToString())


def spans(recorder: Recorder, count: int) -> None:
    for _ in range(count):
        recorder.finish(AskFinished(recorder.begin(), 1, 2, "actor", "Bank", "pay"))


def exported(endpoint: str, monkeypatch: pytest.MonkeyPatch, protocol: str) -> tuple[int, int, bool]:
    """Of five spans, how many are said to be exported and not to be, and whether it could be closed."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    recorder = Recorder()
    tracing = start_tracing(recorder, NodeId("ada", 1), "shop", TracingOptions(traces_per_second=None))
    assert tracing is not None
    spans(recorder, 5)
    closed = tracing.close(CLOSE_S)
    return recorder.exported, recorder.export_failed, closed


# ---- over HTTP ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "body", "taken"),
    [
        (PROTOBUF, b"", 5),
        (PROTOBUF, partial(0, "soon you will have to pay"), 5),
        (PROTOBUF, partial(2, "too old"), 3),
        (PROTOBUF, partial(5), 0),
        (PROTOBUF, partial(1 << 40), 0),
        (PROTOBUF, partial(-3), 5),
        (PROTOBUF, b"\xff\xff\xff not protobuf", 0),
        ("text/html; charset=utf-8", b"<html>welcome to nginx</html>", 0),
        ("application/json", b"{}", 5),
        ("application/json; charset=utf-8", json.dumps({"partialSuccess": {"rejectedSpans": "4"}}).encode(), 1),
        ("application/json", json.dumps({"partialSuccess": {"rejectedSpans": "many"}}).encode(), 0),
        ("application/json", b"[]", 0),
        ("application/json", b"[" * 100_000, 0),
        (PROTOBUF, bytes(BODY_BYTES_MAX + 1), 0),
    ],
    ids=[
        *("yes", "a remark", "two rejected", "all rejected", "more than all", "fewer than none", "garbage", "a page"),
        *("JSON", "four, in JSON", "a word for a number", "a list", "deep JSON", "too large"),
    ],
)
def test_over_http_what_was_not_taken_is_counted(
    content_type: str, body: bytes, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OtlpReceiver(answer=(content_type, body)) as receiver:
        counts = exported(receiver.endpoint, monkeypatch, "http/protobuf")

        assert len(receiver.spans()) == 5
    assert counts == (taken, 5 - taken, True)


def test_a_collector_that_rejects_is_logged_once_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    with OtlpReceiver(answer=(PROTOBUF, partial(1, "no such tenant"))) as receiver, caplog.at_level(logging.INFO):
        assert exported(receiver.endpoint, monkeypatch, "http/protobuf") == (0, 5, True)

    told = [entry.getMessage() for entry in caplog.records if "no such tenant" in entry.getMessage()]
    assert told == ["a collector has not taken 1 of 1 spans: no such tenant (said once)"]


# ---- over gRPC ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rejected", "taken"), [(0, 5), (2, 3), (5, 0), (1 << 40, 0)])
def test_over_grpc_what_was_not_taken_is_counted(rejected: int, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with GrpcOtlpReceiver(rejected=rejected, why="too old" if rejected else "") as receiver:
        counts = exported(receiver.endpoint, monkeypatch, "grpc")

        assert len(receiver.spans()) == 5
    assert counts == (taken, 5 - taken, True)


def test_over_grpc_something_that_speaks_http_only_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with OtlpReceiver() as receiver:
        counts = exported(receiver.endpoint, monkeypatch, "grpc")

    assert counts == (0, 5, True)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_that_is_away_is_logged_once_of_each_kind(
    protocol: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "4")
    with socket.socket() as taken, caplog.at_level(logging.INFO):  # bound, and never listening: all are refused
        taken.bind(("127.0.0.1", 0))
        counts = exported(f"http://127.0.0.1:{taken.getsockname()[1]}", monkeypatch, protocol)

    assert counts == (0, 5, True)
    templates = [str(entry.msg) for entry in caplog.records if entry.name.startswith("opentelemetry.exporter")]
    assert len(templates) == len(set(templates)) >= 1


# ---- what is remembered ------------------------------------------------------------------------------------------


def test_an_answer_is_of_one_request_and_its_reason_is_cut() -> None:
    answers = Answers()
    answers.said_over_http(PROTOBUF, partial(3, "x" * 10_000))

    assert answers.take(10) == (3, "x" * WHY_MAX)
    assert answers.take(10) == (0, "")
