"""From records to a collector that is spoken to by gRPC: the stock exporter, against a real server."""

from __future__ import annotations

import threading
import time

import grpc
import pytest

from partisan_actors.ids import NodeId
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.recent import RecentSpans
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import AskFinished
from partisan_actors.telemetry.tracing import Tracing, start_tracing
from partisan_actors.telemetry.wall_clock import WallClock
from tests.otlp_grpc_receiver import GrpcOtlpReceiver
from tests.otlp_receiver import check_spans
from tests.unit.telemetry.story import Ticks, play, three_nodes

ADA = NodeId("ada", 1_700_000_000_000_000)
CLOSE_S = 60.0


@pytest.fixture(autouse=True)
def _grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")  # seconds, here: a slow machine is no slow collector


def start(recorder: Recorder, node: NodeId = ADA) -> Tracing:
    started = start_tracing(recorder, node, "shop", TracingOptions(level="hops"))
    assert started is not None
    return started


def ask(recorder: Recorder) -> None:
    recorder.record(AskFinished(recorder.begin(), recorder.clock(), recorder.clock(), "actor:1", "Bank", "pay"))


def test_a_story_over_three_nodes_breaks_no_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Ticks()
    nodes = three_nodes(clock)
    with GrpcOtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        tracings = [start(node.recorder, node.id) for node in nodes]

        play(nodes, clock)
        flushed = [tracing.close(CLOSE_S) for tracing in tracings]

        assert flushed == [True, True, True]
        assert check_spans(receiver.requests, clock_bound_ns=0) == []
        assert len(receiver.spans()) == sum(node.recorder.exported for node in nodes) > 20


def test_headers_and_compression_are_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    recorder = Recorder()
    with GrpcOtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", receiver.endpoint)
        tracing = start(recorder)
        ask(recorder)
        tracing.close(CLOSE_S)

    assert [span.name for span in receiver.spans()] == ["Bank/pay"]
    assert receiver.metadata[0]["authorization"] == "Bearer secret"


def test_a_collector_that_refuses_costs_its_spans_which_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")

    recorder = Recorder()
    with GrpcOtlpReceiver(refuse) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        tracing = start(recorder)
        ask(recorder)
        closed = tracing.close(CLOSE_S)

    assert closed
    assert (recorder.exported, recorder.export_failed) == (0, 1)


def test_while_a_collector_is_slow_records_wait_up_to_their_bound_and_the_rest_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    recorder = Recorder(records_max=200)
    with GrpcOtlpReceiver(lambda context: (release.wait(60), None)[1]) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        tracing = start(recorder)
        ask(recorder)
        assert receiver.attempted.wait(60)

        for _ in range(1_000):  # these wait, in two places of 200: the exporter waits for its collector
            ask(recorder)
        facts = recorder.facts()
        release.set()
        closed = tracing.close(CLOSE_S)

    assert facts["waiting"] <= 200 and facts["dropped"] >= 1_000 - 2 * 200 - 64
    assert closed
    assert recorder.exported + recorder.export_failed + recorder.dropped == 1_001


def test_while_a_collector_is_slow_the_last_spans_can_be_looked_at_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    recorder = Recorder()
    recent = RecentSpans(WallClock(recorder.clock, recorder.wall_clock))
    with GrpcOtlpReceiver(lambda context: (release.wait(60), None)[1]) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        tracing = start_tracing(recorder, ADA, "shop", TracingOptions(), recent=recent)
        assert tracing is not None
        ask(recorder)
        assert receiver.attempted.wait(60)

        for _ in range(100):
            ask(recorder)
        deadline = time.monotonic() + 60
        while recent.count < 101 and time.monotonic() < deadline:
            time.sleep(0.01)
        exported = recorder.exported
        release.set()
        closed = tracing.close(CLOSE_S)

    assert (recent.count, exported) == (101, 0), "they were kept while the first was still on its way"
    assert closed and recorder.exported == 101
