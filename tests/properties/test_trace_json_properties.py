"""Whatever spans there are, the forms of a trace hold them all, and whatever is sent for one is read or refused."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.chrome_json import chrome_document
from partisan_actors.telemetry.jaeger_json import jaeger_document
from partisan_actors.telemetry.otlp_json import ids_to_base64
from partisan_actors.telemetry.otlp_plain import from_otlp, to_otlp
from partisan_actors.telemetry.plain_span import PlainSpan
from partisan_actors.telemetry.trace_summary import grouped, summary
from tests.plain_spans import forests

SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[1] / "jaeger_schema.json").read_text()))


# A forest takes ten times as long to make as other examples do.
EXAMPLES = 20


@settings(max_examples=EXAMPLES)
@given(forests())
def test_jaegers_form_has_the_same_spans_and_durations(spans: list[PlainSpan]) -> None:
    document = json.loads(json.dumps(jaeger_document(grouped(spans))))

    SCHEMA.validate(document)
    found = {(span["traceID"], span["spanID"]): (trace, span) for trace in document["data"] for span in trace["spans"]}
    assert set(found) == {(span["trace_id"], span["span_id"]) for span in spans}
    for span in spans:
        trace, written = found[span["trace_id"], span["span_id"]]
        assert abs(written["duration"] * 1_000 - (span["end_ns"] - span["start_ns"])) < 1_000
        assert trace["processes"][written["processID"]]["serviceName"] == span["resource"]["service.name"]
        keys = [tag["key"] for tag in written["tags"]]
        assert len(keys) == len(set(keys))


@settings(max_examples=EXAMPLES)
@given(forests())
def test_otlp_is_read_by_protobuf_and_comes_back_as_it_was(spans: list[PlainSpan]) -> None:
    document = json.loads(json.dumps(to_otlp(spans)))

    assert sorted(from_otlp(document), key=lambda span: span["span_id"]) == sorted(
        spans, key=lambda span: span["span_id"]
    )
    request = json_format.ParseDict(ids_to_base64(document), ExportTraceServiceRequest())
    assert sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans) == len(spans)


@settings(max_examples=EXAMPLES)
@given(forests())
def test_a_timeline_has_every_span_once_and_a_track_holds_only_what_is_nested_or_apart(spans: list[PlainSpan]) -> None:
    events = [event for event in chrome_document(spans)["traceEvents"] if event["ph"] == "X"]

    assert sorted(event["args"]["span_id"] for event in events) == sorted(span["span_id"] for span in spans)
    times = {span["span_id"]: (span["start_ns"], span["end_ns"]) for span in spans}
    tracks = defaultdict(list)
    for event in events:
        tracks[event["pid"], event["tid"]].append(times[event["args"]["span_id"]])
    for members in tracks.values():
        for first in members:
            for second in members:
                is_apart = first[1] <= second[0] or second[1] <= first[0]
                is_nested = first[0] <= second[0] and second[1] <= first[1]
                assert is_apart or is_nested or (second[0] <= first[0] and first[1] <= second[1])


@settings(max_examples=EXAMPLES)
@given(forests())
def test_a_summary_counts_every_span_of_its_trace(spans: list[PlainSpan]) -> None:
    rows = [summary(trace) for trace in grouped(spans)]

    assert sum(row["spans"] for row in rows) == len(spans)
    assert sum(row["errors"] for row in rows) == sum(span["status"] == "error" for span in spans)
    assert [row["start_ns"] for row in rows] == sorted((row["start_ns"] for row in rows), reverse=True)


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["resourceSpans", "scopeSpans", "spans", "resource", "scope", "attributes", "key", "value", "traceId",
                 "spanId", "status", "code", "events", "links", "arrayValue", "values", "intValue", "kind"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)  # fmt: skip  # the keys stand together


@given(_JSON)
def test_any_document_is_read_or_refused_in_words(document: Any) -> None:
    try:
        spans = from_otlp(document)
    except ConfigError as error:
        spans = []
        said = str(error)
    else:
        said = "OTLP"

    assert "OTLP" in said
    assert from_otlp(to_otlp(spans)) == spans
