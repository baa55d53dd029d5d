"""From records to a collector: the real exporters, against a real receiver."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from google.protobuf import json_format
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.telemetry import otel, otel_exporters
from partisan_actors.telemetry.context import SAMPLED, TraceContext
from partisan_actors.telemetry.options import TracingOptions
from partisan_actors.telemetry.otlp_json import ids_to_base64
from partisan_actors.telemetry.recent import RecentSpans
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import AskFinished, BroadcastSent
from partisan_actors.telemetry.tracing import Tracing, start_tracing
from partisan_actors.telemetry.wall_clock import WallClock
from tests.otlp_receiver import OtlpReceiver, attributes_of, check_spans, locate
from tests.unit.telemetry.story import Ticks, play, three_nodes

ADA = NodeId("ada", 1_700_000_000_000_000)
CLOSE_S = 60.0
SPANS_OF_THE_STORY = 24


def start(
    recorder: Recorder,
    node: NodeId,
    cluster: str,
    options: TracingOptions,
    *,
    provider: object = None,
    processors: Sequence[object] = (),
) -> Tracing:
    started = start_tracing(recorder, node, cluster, options, provider=provider, processors=processors)
    assert started is not None
    return started


def recent_of(recorder: Recorder) -> RecentSpans:
    return RecentSpans(WallClock(recorder.clock, recorder.wall_clock))


def one_span(recorder: Recorder) -> TraceContext:
    context = recorder.begin()
    recorder.record(AskFinished(context, recorder.clock(), recorder.clock(), "actor:1", "Bank", "pay"))
    return context


def test_a_story_over_three_nodes_breaks_no_rule(receiver: OtlpReceiver) -> None:
    clock = Ticks()
    nodes = three_nodes(clock)
    exporting = [start(node.recorder, node.id, "shop", TracingOptions(level="hops")) for node in nodes]

    play(nodes, clock)
    flushed = [each.close(CLOSE_S) for each in exporting]

    assert flushed == [True, True, True]
    assert len(receiver.spans()) == SPANS_OF_THE_STORY
    assert check_spans(receiver.requests, clock_bound_ns=0) == []


def test_one_call_through_a_relay_is_one_trace(receiver: OtlpReceiver) -> None:
    clock = Ticks()
    nodes = three_nodes(clock)
    exporting = [start(node.recorder, node.id, "shop", TracingOptions(level="hops")) for node in nodes]

    play(nodes, clock)
    for each in exporting:
        each.close(CLOSE_S)

    relay = next(span for span in receiver.spans() if span.name == "relay default")
    members = {span.name: span for span in receiver.spans() if span.trace_id == relay.trace_id}
    client = next(s for s in receiver.spans() if s.trace_id == relay.trace_id and s.kind == s.SPAN_KIND_CLIENT)
    server = next(s for s in receiver.spans() if s.trace_id == relay.trace_id and s.kind == s.SPAN_KIND_SERVER)
    assert set(members) == {"Bank/pay", "relay default", "mailbox Bank"}
    assert (relay.parent_span_id, server.parent_span_id) == (client.span_id, client.span_id)
    assert members["mailbox Bank"].parent_span_id == server.span_id


def test_times_are_the_time_of_day(receiver: OtlpReceiver) -> None:
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions())

    before_ns = time.time_ns()
    one_span(recorder)
    after_ns = time.time_ns()
    exporting.close(CLOSE_S)

    (span,) = receiver.spans()
    assert before_ns - 1_000_000_000 <= span.start_time_unix_nano <= span.end_time_unix_nano <= after_ns + 1_000_000_000


def test_the_resource_says_which_node_of_which_cluster(receiver: OtlpReceiver) -> None:
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions())
    one_span(recorder)
    exporting.close(CLOSE_S)

    (located,) = locate(receiver.requests)
    resource = attributes_of(located.resource)
    assert resource["service.name"] == "partisan-actors"
    assert resource["service.namespace"] == "shop"
    assert resource["service.instance.id"].startswith(f"{ADA}/")
    assert resource["partisan.node.name"] == "ada"
    assert resource["partisan.node.incarnation"] == ADA.incarnation
    assert resource["host.name"] == socket.gethostname()
    assert resource["telemetry.sdk.name"] == "opentelemetry"


@pytest.mark.parametrize(
    ("variable", "options", "expected"),
    [
        ("billing", TracingOptions(), "billing"),
        ("billing", TracingOptions(service_name="mine"), "mine"),
        ("billing", TracingOptions(service_name_per_node=True), "billing@ada"),
        ("", TracingOptions(service_name_per_node=True), "partisan-actors@ada"),
    ],
)
def test_the_service_name_comes_from_the_option_then_the_variable(
    variable: str, options: TracingOptions, expected: str, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", variable)
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", options)
    one_span(recorder)
    exporting.close(CLOSE_S)

    (located,) = locate(receiver.requests)
    assert attributes_of(located.resource)["service.name"] == expected


def test_resource_attributes_headers_and_compression_are_taken_from_the_environment(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.version=9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0ken")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions())
    one_span(recorder)
    exporting.close(CLOSE_S)

    (located,) = locate(receiver.requests)
    resource = attributes_of(located.resource)
    assert (resource["deployment.environment.name"], resource["service.version"]) == ("test", "9")
    assert receiver.headers[0]["authorization"] == "Bearer t0ken"
    assert receiver.headers[0]["content-encoding"] == "gzip"


def test_the_sampler_of_the_environment_decides(receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions())

    root = recorder.begin()
    child = recorder.child_of(TraceContext(7, 8, SAMPLED))
    exporting.close(CLOSE_S)

    assert not root.is_sampled
    assert child.is_sampled


def test_spans_arrive_while_the_program_runs_and_not_only_at_its_end(receiver: OtlpReceiver) -> None:
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions())

    for _ in range(200):
        one_span(recorder)
    arrived = receiver.wait_for_spans(200)
    exporting.close(CLOSE_S)

    assert len(arrived) == 200


def test_tracestate_and_links_are_exported(receiver: OtlpReceiver) -> None:
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions())
    parent = TraceContext(7, 8, SAMPLED, 0, "vendor=1")
    recorder.record(AskFinished(recorder.child_of(parent), 1, 2, "actor:1", "Bank", "pay"))
    exporting.close(CLOSE_S)

    (span,) = receiver.spans()
    assert span.trace_state == "vendor=1"
    assert int.from_bytes(span.trace_id, "big") == 7
    assert int.from_bytes(span.parent_span_id, "big") == 8
    assert check_spans(receiver.requests, external_parents=[span.parent_span_id]) == []


def test_closing_stops_the_recording(receiver: OtlpReceiver) -> None:
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions(level="hops"))
    assert (recorder.enabled, recorder.hops_enabled) == (True, True)

    assert exporting.close(CLOSE_S)
    assert exporting.close(CLOSE_S)

    assert (recorder.enabled, recorder.hops_enabled) == (False, False)


# ------------------------------------------------------------------------------------------------- the trace file


def read_trace_file(path: Path) -> list[ExportTraceServiceRequest]:
    return [
        json_format.ParseDict(ids_to_base64(json.loads(line)), ExportTraceServiceRequest())
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def test_the_trace_file_holds_what_a_collector_gets(receiver: OtlpReceiver, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    clock = Ticks()
    nodes = three_nodes(clock)
    options = TracingOptions(level="hops", trace_file=str(path))
    exporting = [start(node.recorder, node.id, "shop", options) for node in nodes]

    play(nodes, clock)
    for each in exporting:
        each.close(CLOSE_S)

    written = read_trace_file(path)
    assert check_spans(written, clock_bound_ns=0) == []
    in_file = {located.span.SerializeToString(deterministic=True) for located in locate(written)}
    received = {located.span.SerializeToString(deterministic=True) for located in locate(receiver.requests)}
    assert in_file == received
    assert len(in_file) == SPANS_OF_THE_STORY


def test_a_line_follows_the_rules_of_otlp_json(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions(export=False, trace_file=str(path)))
    context = one_span(recorder)
    exporting.close(CLOSE_S)

    (line,) = path.read_text().splitlines()
    (resource_spans,) = json.loads(line)["resourceSpans"]
    (scope_spans,) = resource_spans["scopeSpans"]
    (span,) = scope_spans["spans"]
    attributes = {pair["key"]: pair["value"] for pair in span["attributes"]}
    assert span["traceId"] == f"{context.trace_id:032x}"
    assert span["spanId"] == f"{context.span_id:016x}"
    assert span["kind"] == 3
    assert span["startTimeUnixNano"].isdigit()
    assert attributes["partisan.attempt"] == {"intValue": "1"}
    assert scope_spans["schemaUrl"] == "https://opentelemetry.io/schemas/1.44.0"


def test_without_export_nothing_goes_to_the_collector(receiver: OtlpReceiver, tmp_path: Path) -> None:
    recorder = Recorder()
    options = TracingOptions(export=False, trace_file=str(tmp_path / "trace.jsonl"))
    exporting = start(recorder, ADA, "shop", options)
    one_span(recorder)
    exporting.close(CLOSE_S)

    assert receiver.headers == []


def test_a_trace_file_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    recorder = Recorder()

    with pytest.raises(ConfigError, match="trace_file"):
        start(recorder, ADA, "shop", TracingOptions(export=False, trace_file=str(tmp_path / "no" / "trace")))

    assert not recorder.enabled


def test_a_full_trace_file_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "trace.jsonl"
    recorder = Recorder()
    options = TracingOptions(export=False, trace_file=str(path), trace_file_bytes_max=1_500)
    exporting = start(recorder, ADA, "shop", options)
    for _ in range(50):
        one_span(recorder)
    exporting.close(CLOSE_S)

    assert caplog.text.count("has reached its bound") == 1
    assert path.stat().st_size <= 1_500


# ------------------------------------------------------------------------------------ what the user has configured


def in_memory() -> tuple[InMemorySpanExporter, SpanProcessor]:
    exporter = InMemorySpanExporter()
    return exporter, SimpleSpanProcessor(exporter)


def test_spans_go_to_processors_that_are_given_and_nowhere_else(receiver: OtlpReceiver) -> None:
    exporter, processor = in_memory()
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions(), processors=[processor])
    one_span(recorder)
    exporting.close(CLOSE_S)

    assert [span.name for span in exporter.get_finished_spans()] == ["Bank/pay"]
    assert receiver.headers == []


def test_a_provider_that_is_given_exports_our_spans_under_its_own_resource() -> None:
    exporter, processor = in_memory()
    provider = TracerProvider(resource=Resource({"service.name": "users"}), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions(), provider=provider)
    one_span(recorder)
    exporting.close(CLOSE_S)

    (span,) = exporter.get_finished_spans()
    assert span.resource.attributes["service.name"] == "users"
    assert span.resource.attributes["partisan.node.name"] == "ada"


def test_the_provider_the_program_has_installed_is_used() -> None:
    exporter, processor = in_memory()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions())
    one_span(recorder)
    exporting.close(CLOSE_S)

    assert [span.name for span in exporter.get_finished_spans()] == ["Bank/pay"]
    assert trace.get_tracer_provider() is provider


def test_what_the_user_gave_still_works_after_we_close() -> None:
    exporter, processor = in_memory()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    start(Recorder(), ADA, "shop", TracingOptions(), provider=provider).close(CLOSE_S)

    provider.get_tracer("user").start_span("afterwards").end()

    assert [span.name for span in exporter.get_finished_spans()] == ["afterwards"]


@pytest.mark.parametrize("wrong", [{"provider": "mine"}, {"processors": ["mine"]}])
def test_something_else_than_a_provider_or_processor_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        start(Recorder(), ADA, "shop", TracingOptions(), **wrong)  # type: ignore[arg-type]  # what is tested


def test_spans_that_users_open_are_exported_inside_ours(receiver: OtlpReceiver) -> None:
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions())
    context = recorder.begin()
    started_ns = recorder.clock()

    attachment = recorder.attach(context)
    with trace.get_tracer("user").start_as_current_span("query"):
        pass
    recorder.detach(attachment)
    recorder.record(AskFinished(context, started_ns, recorder.clock(), "actor:1", "Bank", "pay"))
    exporting.close(CLOSE_S)

    by_name = {span.name: span for span in receiver.spans()}
    assert by_name["query"].parent_span_id == by_name["Bank/pay"].span_id
    assert check_spans(receiver.requests) == []


def test_users_spans_find_the_next_tracing_after_the_first_has_closed(receiver: OtlpReceiver) -> None:
    start(Recorder(), ADA, "shop", TracingOptions()).close(CLOSE_S)
    trace.get_tracer("user").start_span("between").end()
    exporting = start(Recorder(), ADA, "shop", TracingOptions())
    trace.get_tracer("user").start_span("again").end()
    exporting.close(CLOSE_S)

    assert [span.name for span in receiver.spans()] == ["again"]


def test_users_spans_are_left_alone_when_not_wanted(receiver: OtlpReceiver) -> None:
    exporting = start(Recorder(), ADA, "shop", TracingOptions(adopt_user_spans=False))

    trace.get_tracer("user").start_span("query").end()
    exporting.close(CLOSE_S)

    assert receiver.spans() == []


def test_no_exporter_is_made_when_the_environment_says_none(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions())
    one_span(recorder)
    exporting.close(CLOSE_S)

    assert receiver.headers == []


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("OTEL_TRACES_EXPORTER", "pigeon", "its package is not installed"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "pip install 'partisan-actors[grpc]'"),
    ],
)
def test_an_exporter_that_is_not_installed_is_logged_and_the_program_runs(
    variable: str, value: str, remedy: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr(otel_exporters.metadata, "entry_points", lambda **which: ())

    exporting = start(Recorder(), ADA, "shop", TracingOptions())

    assert exporting.close(CLOSE_S)
    assert "it cannot be made" in caplog.text and remedy in caplog.text


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_BSP_MAX_QUEUE_SIZE": "1000"},
        {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "3"},
        {"OTEL_BSP_MAX_QUEUE_SIZE": "10"},  # less than the SDK's default batch
    ],
    ids=["queue", "batch", "unfit"],
)
def test_the_queue_of_the_environment_is_used_when_it_fits(
    variables: dict[str, str], receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions())
    for _ in range(7):
        one_span(recorder)
    exporting.close(CLOSE_S)

    assert len(receiver.spans()) == 7
    if variables == {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "3"}:
        assert max(len(locate([request])) for request in receiver.requests) == 3


def test_a_burst_larger_than_the_queue_arrives_whole(receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "200")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "50")
    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions(traces_per_second=None))

    for _ in range(2_000):
        one_span(recorder)
    exporting.close(CLOSE_S)

    assert len(receiver.spans()) == 2_000


# ------------------------------------------------------------------------------------------------------- trouble


def test_a_collector_that_refuses_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    with OtlpReceiver(status=400) as refusing, caplog.at_level(logging.INFO):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", refusing.endpoint)
        recorder = Recorder()
        exporting = start(recorder, ADA, "shop", TracingOptions())
        for _ in range(5):
            one_span(recorder)
        exporting.close(CLOSE_S)

        assert len(refusing.headers) == 5
        assert (recorder.exported, recorder.export_failed) == (0, 5)
    assert len([entry for entry in caplog.records if "Failed to export" in entry.message]) == 1


def test_a_collector_that_is_away_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as taken:  # bound, and never listening: every connection is refused
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        recorder = Recorder()
        exporting = start(recorder, ADA, "shop", TracingOptions())
        one_span(recorder)

        assert exporting.close(CLOSE_S)

    assert len([entry for entry in caplog.records if "Failed to export" in entry.message]) == 1
    assert recorder.facts() == {"enabled": False, "waiting": 0, "dropped": 0, "exported": 0, "export_failed": 1}


def test_closing_returns_at_its_deadline_when_an_exporter_hangs(caplog: pytest.LogCaptureFixture) -> None:
    release, reached = threading.Event(), threading.Event()

    class Hanging(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            reached.set()
            release.wait(30)

    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions(), processors=[Hanging()])
    one_span(recorder)
    assert reached.wait(30)

    closed = exporting.close(0.05)
    release.set()

    assert not closed
    assert "could not be flushed" in caplog.text
    assert exporting.close(CLOSE_S)


def test_a_processor_that_raises_costs_its_span_and_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    class Choosy(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            if span.name != "publish good":
                raise RuntimeError("not this one")
            seen.append(span.name)

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            raise RuntimeError("nor this")

    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions(), processors=[Choosy()])
    for topic in ("bad", "worse", "good"):
        recorder.record(BroadcastSent(recorder.begin(), 1, 2, topic))

    assert exporting.close(CLOSE_S)
    assert seen == ["publish good"]
    assert caplog.text.count("a span could not be exported") == 1
    assert caplog.text.count("flushing spans failed") == 1


def test_an_exporter_that_raises_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            raise RuntimeError("broken")

    recorder = Recorder()
    quiet = otel_exporters.QuietExporter(Broken(), recorder)

    results = [quiet.export([ReadableSpan("a"), ReadableSpan("b")]) for _ in range(3)]
    quiet.shutdown()

    assert results == [SpanExportResult.FAILURE] * 3
    assert (recorder.exported, recorder.export_failed) == (0, 6)
    assert caplog.text.count("broken") == 1


def test_falling_behind_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    _, processor = in_memory()
    recorder = Recorder(records_max=2)
    exporting = otel.Exporting(recorder, Resource({}), recent_of(recorder), given=[processor])
    for _ in range(10):
        one_span(recorder)

    exporting.start()
    exporting.close(CLOSE_S)

    assert caplog.text.count("about 8 spans were not recorded") == 1


def test_records_of_traces_that_are_not_sampled_reach_no_processor() -> None:
    class Collecting(SpanProcessor):
        names: ClassVar[list[str]] = []

        def on_end(self, span: ReadableSpan) -> None:
            self.names.append(span.name)

    recorder = Recorder()
    exporting = start(recorder, ADA, "shop", TracingOptions(), processors=[Collecting()])
    recorder.record(AskFinished(TraceContext(7, 8, 0), 1, 2, "actor:1", "Bank", "unsampled"))
    recorder.record(AskFinished(TraceContext(7, 9, SAMPLED), 1, 2, "actor:1", "Bank", "sampled"))
    exporting.close(CLOSE_S)

    assert Collecting.names == ["Bank/sampled"]
