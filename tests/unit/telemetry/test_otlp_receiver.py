"""The judge judged: every rule of `check_spans` is broken once on purpose, and must be the only one reported."""

from __future__ import annotations

import gzip
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from tests.otlp_receiver import OtlpReceiver, check_spans

TRACE = bytes(range(1, 17))
CLIENT, SERVER = b"\1" * 8, b"\2" * 8


def text(key: str, value: str) -> KeyValue:
    pair = KeyValue(key=key)
    pair.value.string_value = value
    return pair


def number(key: str, value: int) -> KeyValue:
    pair = KeyValue(key=key)
    pair.value.int_value = value
    return pair


def resource_spans(instance: str = "ada~1/10", pid: int = 10) -> ResourceSpans:
    made = ResourceSpans()
    made.resource.attributes.extend(
        [
            text("service.name", "shop"),
            text("service.instance.id", instance),
            text("host.name", "h"),
            number("process.pid", pid),
        ]
    )
    scope_spans = made.scope_spans.add(schema_url="https://opentelemetry.io/schemas/1.44.0")
    scope_spans.scope.name = "partisan_actors.calls"
    scope_spans.scope.version = "1"
    return made


def valid() -> ExportTraceServiceRequest:
    """A caller's span and an actor's span, beyond reproach."""
    request = ExportTraceServiceRequest()
    request.resource_spans.append(resource_spans())
    (scope_spans,) = request.resource_spans[0].scope_spans
    for span_id, parent, kind in ((CLIENT, b"", Span.SPAN_KIND_CLIENT), (SERVER, CLIENT, Span.SPAN_KIND_SERVER)):
        scope_spans.spans.add(
            trace_id=TRACE,
            span_id=span_id,
            parent_span_id=parent,
            name="Bank/pay",
            kind=kind,
            start_time_unix_nano=1_000,
            end_time_unix_nano=2_000,
            attributes=[text("rpc.method", "Bank/pay"), number("partisan.hop.count", 0)],
        )
    return request


def client(request: ExportTraceServiceRequest) -> Span:
    return request.resource_spans[0].scope_spans[0].spans[0]


def server(request: ExportTraceServiceRequest) -> Span:
    return request.resource_spans[0].scope_spans[0].spans[1]


def test_a_valid_export_breaks_no_rule() -> None:
    assert check_spans([valid()]) == []


def test_nothing_at_all_breaks_no_rule() -> None:
    assert check_spans([]) == []


def short_trace_id(request: ExportTraceServiceRequest) -> None:
    client(request).trace_id = server(request).trace_id = TRACE[:8]


def zero_trace_id(request: ExportTraceServiceRequest) -> None:
    client(request).trace_id = server(request).trace_id = bytes(16)


def zero_span_id(request: ExportTraceServiceRequest) -> None:
    server(request).span_id = bytes(8)


def short_parent_id(request: ExportTraceServiceRequest) -> None:
    client(request).parent_span_id = b"\7"


def negative_duration(request: ExportTraceServiceRequest) -> None:
    server(request).end_time_unix_nano = 999


def no_time(request: ExportTraceServiceRequest) -> None:
    client(request).start_time_unix_nano = 0


def no_kind(request: ExportTraceServiceRequest) -> None:
    server(request).kind = Span.SPAN_KIND_UNSPECIFIED


def wrong_kind(request: ExportTraceServiceRequest) -> None:
    server(request).kind = Span.SPAN_KIND_PRODUCER


def unknown_name(request: ExportTraceServiceRequest) -> None:
    server(request).name = "thinking"


def wrong_scope(request: ExportTraceServiceRequest) -> None:
    request.resource_spans[0].scope_spans[0].scope.name = "partisan_actors.lifecycle"


def no_scope_name(request: ExportTraceServiceRequest) -> None:
    request.resource_spans[0].scope_spans[0].scope.name = ""


def no_scope_version(request: ExportTraceServiceRequest) -> None:
    request.resource_spans[0].scope_spans[0].scope.version = ""


def no_schema_url(request: ExportTraceServiceRequest) -> None:
    request.resource_spans[0].scope_spans[0].schema_url = ""


def duplicate_key(request: ExportTraceServiceRequest) -> None:
    server(request).attributes.append(text("rpc.method", "Bank/pay"))


def duplicate_key_in_an_event(request: ExportTraceServiceRequest) -> None:
    pairs = [text("exception.type", "KeyError"), text("exception.type", "KeyError")]
    server(request).events.add(name="exception", time_unix_nano=1_500, attributes=pairs)


def wrong_type(request: ExportTraceServiceRequest) -> None:
    server(request).attributes.append(text("partisan.mailbox.size", "3"))


def invented_key(request: ExportTraceServiceRequest) -> None:
    server(request).attributes.append(text("partisan.mood", "good"))


def two_conventions(request: ExportTraceServiceRequest) -> None:
    server(request).attributes.append(text("messaging.system", "partisan_actors"))


def error_without_type(request: ExportTraceServiceRequest) -> None:
    server(request).status.code = Status.STATUS_CODE_ERROR


def type_without_error(request: ExportTraceServiceRequest) -> None:
    server(request).attributes.append(text("error.type", "TIMEOUT"))


def event_outside(request: ExportTraceServiceRequest) -> None:
    server(request).events.add(name="dequeued", time_unix_nano=2_001)


def exception_without_type(request: ExportTraceServiceRequest) -> None:
    server(request).events.add(name="exception", time_unix_nano=1_500)


def link_to_nothing(request: ExportTraceServiceRequest) -> None:
    server(request).links.add(trace_id=TRACE, span_id=bytes(8))


def missing_parent(request: ExportTraceServiceRequest) -> None:
    server(request).parent_span_id = b"\7" * 8


def parent_in_another_trace(request: ExportTraceServiceRequest) -> None:
    server(request).trace_id = TRACE[::-1]


def child_before_parent(request: ExportTraceServiceRequest) -> None:
    client(request).start_time_unix_nano += 2_000_000
    client(request).end_time_unix_nano += 2_000_000


def same_id_twice(request: ExportTraceServiceRequest) -> None:
    server(request).span_id = CLIENT
    server(request).parent_span_id = b""


def identity_in_a_name(request: ExportTraceServiceRequest) -> None:
    client(request).name = server(request).name = "Bank~6a1f00c2/pay"


def unknown_field(request: ExportTraceServiceRequest) -> None:
    server(request).MergeFromString(b"\xfa\x3f\x01x")  # field 1023, length-delimited


def no_service_name(request: ExportTraceServiceRequest) -> None:
    del request.resource_spans[0].resource.attributes[0]


def no_instance_id(request: ExportTraceServiceRequest) -> None:
    del request.resource_spans[0].resource.attributes[1]


def shared_instance_id(request: ExportTraceServiceRequest) -> None:
    request.resource_spans.append(resource_spans(pid=11))


def wrong_resource_type(request: ExportTraceServiceRequest) -> None:
    request.resource_spans[0].resource.attributes.append(text("partisan.node.incarnation", "1"))


@pytest.mark.parametrize(
    ("violation", "complaint"),
    [
        (short_trace_id, "trace id is not 16 bytes"),
        (zero_trace_id, "trace id is not 16 bytes, or zero"),
        (zero_span_id, "span id is not 8 bytes, or zero"),
        (short_parent_id, "parent id is not 8 bytes"),
        (negative_duration, "ends before it starts"),
        (no_time, "has no time"),
        (no_kind, "has no kind"),
        (wrong_kind, "no such name with kind 4"),
        (unknown_name, "no such name"),
        (wrong_scope, "in scope partisan_actors.lifecycle"),
        (no_scope_name, "scope has no name"),
        (no_scope_version, "scope has no version"),
        (no_schema_url, "scope has no schema URL"),
        (duplicate_key, "rpc.method is there twice"),
        (duplicate_key_in_an_event, "exception.type is there twice"),
        (wrong_type, "partisan.mailbox.size is <class 'str'>"),
        (invented_key, "partisan.mood is not in the table"),
        (two_conventions, "two conventions"),
        (error_without_type, "does not go with error.type None"),
        (type_without_error, "does not go with error.type 'TIMEOUT'"),
        (event_outside, "dequeued is outside"),
        (exception_without_type, "exception has no type"),
        (link_to_nothing, "a link to no span"),
        (missing_parent, "was not exported"),
        (parent_in_another_trace, "in another trace"),
        (child_before_parent, "starts before its parent"),
        (same_id_twice, "id is taken"),
        (identity_in_a_name, "holds an identity"),
        (unknown_field, "fields the protocol does not know"),
        (no_service_name, "no service.name"),
        (no_instance_id, "no service.instance.id"),
        (shared_instance_id, "names two processes"),
        (wrong_resource_type, "partisan.node.incarnation is <class 'str'>"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_planted_violation_is_found(violation: Callable[[ExportTraceServiceRequest], None], complaint: str) -> None:
    request = valid()

    violation(request)

    problems = check_spans([request])
    assert any(complaint in problem for problem in problems), problems


def test_a_circle_of_parents_is_found() -> None:
    request = valid()
    client(request).parent_span_id = SERVER

    problems = check_spans([request])

    assert len([problem for problem in problems if "its own ancestor" in problem]) == 2


def test_a_parent_that_another_program_recorded_is_accepted_by_name() -> None:
    request = valid()
    missing_parent(request)

    assert check_spans([request], external_parents=[b"\7" * 8]) == []


def test_too_many_names_are_found() -> None:
    request = valid()
    server(request).name = "Bank/note"

    assert check_spans([request], span_names_max=2) == []
    assert "2 different span names" in check_spans([request], span_names_max=1)[0]


def test_a_payload_in_the_export_is_found() -> None:
    request = valid()
    server(request).status.message = "could not pay 4711 to Bob"

    assert check_spans([request], forbidden_texts=["Alice"]) == []
    assert check_spans([request], forbidden_texts=["4711"]) == ["'4711' was exported"]


def test_spans_of_other_scopes_are_held_to_the_protocol_only() -> None:
    request = valid()
    request.resource_spans[0].scope_spans[0].scope.name = "user"
    server(request).name = "SELECT * FROM accounts"
    server(request).attributes.append(text("db.system.name", "sqlite"))

    assert check_spans([request]) == []

    server(request).span_id = bytes(8)
    assert check_spans([request]) != []


def post(url: str, body: bytes, encoding: str = "") -> int:
    request = urllib.request.Request(
        url, body, {"Content-Type": "application/x-protobuf", "Content-Encoding": encoding}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_the_receiver_takes_plain_and_compressed_requests() -> None:
    with OtlpReceiver() as receiver:
        plain = post(f"{receiver.endpoint}/v1/traces", valid().SerializeToString())
        compressed = post(f"{receiver.endpoint}/v1/traces", gzip.compress(valid().SerializeToString()), "gzip")

        assert (plain, compressed) == (200, 200)
        assert receiver.requests == [valid(), valid()]


def test_the_receiver_knows_no_other_path() -> None:
    with OtlpReceiver() as receiver:
        assert post(f"{receiver.endpoint}/v1/logs", b"") == 404


def test_the_receiver_can_refuse() -> None:
    with OtlpReceiver(status=503) as receiver:
        assert post(f"{receiver.endpoint}/v1/traces", valid().SerializeToString()) == 503
        assert receiver.requests == []


def test_waiting_for_spans_that_do_not_come_ends_at_the_deadline() -> None:
    with OtlpReceiver() as receiver, pytest.raises(AssertionError, match="0 of 1 spans"):
        receiver.wait_for_spans(1, timeout_s=0.01)
