"""Jaeger's JSON: by rule, by schema, and by a file that was looked at once."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from partisan_actors.telemetry.jaeger_json import SAFE_INTEGER_MAX, jaeger_document, jaeger_trace
from partisan_actors.telemetry.trace_summary import grouped
from tests.plain_spans import TRACE_ID, span_of, spans_of_the_story

SCHEMA = Path(__file__).parents[2] / "jaeger_schema.json"
GOLDEN = Path(__file__).with_name("story.jaeger.json")


def converted(**changes: Any) -> dict[str, Any]:
    (span,) = jaeger_trace([span_of(1, **changes)])["spans"]
    return dict(span)


def tags(span: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    return {tag["key"]: (tag["type"], tag["value"]) for tag in span["tags"]}


def test_the_story_of_three_nodes_is_the_file_that_was_looked_at() -> None:
    """To make the file anew: ``python -m tests.unit.telemetry.test_jaeger_json``, and look at the difference."""
    assert story() == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_the_story_keeps_to_the_schema() -> None:
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(story())


def test_times_are_microseconds() -> None:
    span = converted(start_ns=1_700_000_000_000_001_999, end_ns=1_700_000_000_000_004_500)

    assert (span["startTime"], span["duration"]) == (1_700_000_000_000_001, 2)


def test_the_parent_is_the_first_reference_and_links_follow_but_for_one_to_the_parent() -> None:
    links = [
        {"trace_id": TRACE_ID, "span_id": "a" * 16, "attributes": {}},
        {"trace_id": TRACE_ID, "span_id": "b" * 16, "attributes": {}},
    ]

    references = converted(parent_id="a" * 16, links=links)["references"]

    assert references == [
        {"refType": "CHILD_OF", "traceID": TRACE_ID, "spanID": "a" * 16},
        {"refType": "FOLLOWS_FROM", "traceID": TRACE_ID, "spanID": "b" * 16},
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", ("string", "text")),
        (True, ("bool", True)),
        (7, ("int64", 7)),
        (SAFE_INTEGER_MAX, ("int64", SAFE_INTEGER_MAX)),
        (-SAFE_INTEGER_MAX - 1, ("int64", str(-SAFE_INTEGER_MAX - 1))),
        (0.5, ("float64", 0.5)),
        (math.inf, ("string", "Infinity")),
        (["a", 1], ("string", '["a", 1]')),
    ],
)
def test_an_attribute_is_a_tag_of_its_type(value: Any, expected: tuple[str, Any]) -> None:
    assert tags(converted(attributes={"key": value}))["key"] == expected


def test_what_opentelemetry_has_fields_for_are_tags() -> None:
    span = converted(status="error", status_message="no money", trace_state="vendor=1")

    assert tags(span) == {
        "span.kind": ("string", "server"),
        "otel.scope.name": ("string", "partisan_actors.calls"),
        "otel.scope.version": ("string", "1.0"),
        "otel.status_code": ("string", "ERROR"),
        "error": ("bool", True),
        "otel.status_description": ("string", "no money"),
        "w3c.tracestate": ("string", "vendor=1"),
    }


def test_no_tag_is_there_twice_when_a_user_has_said_the_same() -> None:
    span = converted(status="error", attributes={"error": "mine"})

    assert [tag["value"] for tag in span["tags"] if tag["key"] == "error"] == ["mine"]


def test_an_event_is_a_log_with_its_name_as_a_field() -> None:
    event = {"name": "exception", "time_ns": 5_999, "attributes": {"exception.type": "KeyError"}}

    (log,) = converted(events=[event])["logs"]

    assert log["timestamp"] == 5
    assert [(field["key"], field["value"]) for field in log["fields"]] == [
        ("event", "exception"),
        ("exception.type", "KeyError"),
    ]


def test_each_resource_is_a_process_and_its_name_is_no_tag() -> None:
    trace = jaeger_trace([span_of(1), span_of(2, resource={"service.name": "bank", "host.name": "h"}), span_of(3)])

    assert [span["processID"] for span in trace["spans"]] == ["p1", "p2", "p1"]
    assert trace["processes"]["p2"] == {
        "serviceName": "bank",
        "tags": [{"key": "host.name", "type": "string", "value": "h"}],
    }


def story() -> dict[str, Any]:
    """The story, without what differs from run to run: stack traces, and the version of the package."""
    document = json.loads(json.dumps(jaeger_document(grouped(spans_of_the_story()))))
    for trace in document["data"]:
        for span in trace["spans"]:
            span["tags"] = [tag for tag in span["tags"] if tag["key"] != "otel.scope.version"]
            for log in span["logs"]:
                log["fields"] = [field for field in log["fields"] if field["key"] != "exception.stacktrace"]
    return dict(document)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(story(), indent=1) + "\n", encoding="utf-8")
