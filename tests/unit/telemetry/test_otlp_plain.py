"""Plain spans as OTLP/JSON and back: what protobuf reads, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.otlp_json import ids_to_base64
from partisan_actors.telemetry.otlp_plain import from_otlp, to_otlp
from tests.otlp_receiver import check_spans
from tests.plain_spans import TRACE_ID, span_of, spans_of_the_story


def document(**span: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": TRACE_ID, "spanId": "a" * 16, **span}]}]}]}


def test_a_story_is_a_request_that_breaks_no_rule() -> None:
    spans = [
        {**span, "resource": {**span["resource"], "service.instance.id": span["resource"]["partisan.node.name"]}}
        for span in spans_of_the_story()
    ]

    request = json_format.ParseDict(ids_to_base64(to_otlp(spans)), ExportTraceServiceRequest())

    assert check_spans([request], clock_bound_ns=0) == []
    assert len(request.resource_spans) == 3


def test_64_bit_numbers_are_text_and_kinds_and_statuses_numbers() -> None:
    written = to_otlp([span_of(1, status="error", status_message="no", attributes={"n": 1 << 62, "x": math.nan})])
    (span,) = written["resourceSpans"][0]["scopeSpans"][0]["spans"]

    assert span["startTimeUnixNano"] == str(span_of(1)["start_ns"])
    assert (span["kind"], span["status"]) == (2, {"code": 2, "message": "no"})
    assert span["attributes"] == [
        {"key": "n", "value": {"intValue": str(1 << 62)}},
        {"key": "x", "value": {"doubleValue": "NaN"}},
    ]


def test_the_way_back_gives_what_there_was() -> None:
    spans = spans_of_the_story()

    assert sorted(from_otlp(to_otlp(spans)), key=lambda span: span["span_id"]) == sorted(
        spans, key=lambda span: span["span_id"]
    )


def test_what_other_programs_write_is_read_too() -> None:
    (span,) = from_otlp(
        document(
            kind="SPAN_KIND_CLIENT",
            status={"code": "STATUS_CODE_ERROR"},
            startTimeUnixNano=5,
            attributes=[
                {"key": "bytes", "value": {"bytesValue": "AQID"}},
                {"key": "map", "value": {"kvlistValue": {"values": []}}},
                {"key": "nothing"},
            ],
            somethingNew={"a": 1},
        )
    )

    assert (span["kind"], span["status"], span["start_ns"], span["end_ns"]) == ("client", "error", 5, 5)
    assert span["attributes"] == {"bytes": "AQID", "map": '{"values": []}', "nothing": ""}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("text", "document"),
        ([], "document"),
        ({"resourceSpans": {}}, "resourceSpans"),
        ({"resourceSpans": ["x"]}, "resourceSpans"),
        ({"resourceSpans": [{"scopeSpans": [{"spans": [7]}]}]}, "spans"),
        (document(traceId="xyz"), "traceId"),
        (document(spanId="0" * 16), "spanId"),
        (document(parentSpanId="a"), "parentSpanId"),
        (document(startTimeUnixNano="soon"), "startTimeUnixNano"),
        (document(endTimeUnixNano=[1]), "endTimeUnixNano"),
        (document(status=[]), "status"),
        (document(attributes=[5]), "attributes"),
        (document(attributes=[{"key": "a", "value": {"intValue": "many"}}]), "intValue"),
        (document(attributes=[{"key": "a", "value": {"arrayValue": [1]}}]), "arrayValue"),
        (document(links=[{"traceId": TRACE_ID}]), "spanId"),
        (document(events=["x"]), "name"),
    ],
)
def test_what_is_no_otlp_is_refused_with_where_it_is_wrong(wrong: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        from_otlp(wrong)


def test_values_nested_without_end_are_refused() -> None:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(500):
        value = {"arrayValue": {"values": [value]}}

    with pytest.raises(ConfigError, match="levels"):
        from_otlp(document(attributes=[{"key": "a", "value": value}]))
