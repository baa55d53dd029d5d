"""Plain spans as Jaeger's JSON: what its query API answers, and what its UI opens as a file.

The mapping is OpenTelemetry's for Jaeger: a parent is a ``CHILD_OF`` reference and stands first, links are
``FOLLOWS_FROM``; kind, status, scope and trace state are tags; events are logs; a resource is a process. Times are in
microseconds. A link to the parent is left out, for the UI would draw it as a second arrow.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from partisan_actors.telemetry.plain_span import PlainSpan, service_of

__all__ = ["jaeger_document", "jaeger_trace"]

# Integers beyond this one lose digits in a browser, so they go as text.
SAFE_INTEGER_MAX: Final = (1 << 53) - 1

_NS_PER_US: Final = 1_000


def jaeger_document(traces: Iterable[Sequence[PlainSpan]], limit: int = 0) -> dict[str, Any]:
    """The answer to a search, and the file that Jaeger's UI opens. Each trace has one span at least."""
    data = [jaeger_trace(trace) for trace in traces]
    return {"data": data, "total": len(data), "limit": limit, "offset": 0, "errors": None}


def jaeger_trace(trace: Sequence[PlainSpan]) -> dict[str, Any]:
    """One trace: its spans, and the processes they are of."""
    processes: dict[str, tuple[str, dict[str, Any]]] = {}
    spans = [_span(span, _process_id(span, processes)) for span in trace]
    return {
        "traceID": trace[0]["trace_id"],
        "spans": spans,
        "processes": dict(processes.values()),
        "warnings": None,
    }


def _process_id(span: PlainSpan, processes: dict[str, tuple[str, dict[str, Any]]]) -> str:
    resource = span["resource"]
    same = json.dumps(resource, sort_keys=True, default=str)
    if same not in processes:
        tags = _tags({key: value for key, value in resource.items() if key != "service.name"})
        processes[same] = (f"p{len(processes) + 1}", {"serviceName": service_of(span), "tags": tags})
    return processes[same][0]


def _span(span: PlainSpan, process_id: str) -> dict[str, Any]:
    start_us = span["start_ns"] // _NS_PER_US
    return {
        "traceID": span["trace_id"],
        "spanID": span["span_id"],
        "flags": 1,
        "operationName": span["name"],
        "references": _references(span),
        "startTime": start_us,
        "duration": max(0, span["end_ns"] - span["start_ns"]) // _NS_PER_US,
        "tags": _tags(span["attributes"]) + _tags(_facts(span)),
        "logs": [_log(event) for event in span["events"]],
        "processID": process_id,
        "warnings": None,
    }


def _references(span: PlainSpan) -> list[dict[str, str]]:
    parent = (span["trace_id"], span["parent_id"])
    references = []
    if span["parent_id"] is not None:
        references.append({"refType": "CHILD_OF", "traceID": parent[0], "spanID": parent[1]})
    references += [
        {"refType": "FOLLOWS_FROM", "traceID": link["trace_id"], "spanID": link["span_id"]}
        for link in span["links"]
        if (link["trace_id"], link["span_id"]) != parent
    ]
    return references


def _facts(span: PlainSpan) -> dict[str, Any]:
    """What OpenTelemetry has fields for, and Jaeger tags."""
    facts: dict[str, Any] = {"span.kind": span["kind"]}
    if span["scope"]:
        facts["otel.scope.name"] = span["scope"]
    if span["scope_version"]:
        facts["otel.scope.version"] = span["scope_version"]
    if span["status"] != "unset":
        facts["otel.status_code"] = span["status"].upper()
    if span["status"] == "error":
        facts["error"] = True
    if span["status_message"]:
        facts["otel.status_description"] = span["status_message"]
    if span["trace_state"]:
        facts["w3c.tracestate"] = span["trace_state"]
    return {key: value for key, value in facts.items() if key not in span["attributes"]}


def _log(event: Mapping[str, Any]) -> dict[str, Any]:
    named = {} if "event" in event["attributes"] else {"event": event["name"]}
    return {"timestamp": event["time_ns"] // _NS_PER_US, "fields": _tags({**named, **event["attributes"]})}


def _tags(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, **_typed(value)} for key, value in attributes.items()]


def _typed(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"type": "bool", "value": value}
        case int():
            return {"type": "int64", "value": value if abs(value) <= SAFE_INTEGER_MAX else str(value)}
        case float() if math.isfinite(value):
            return {"type": "float64", "value": value}
        case str():
            return {"type": "string", "value": value}
    return {"type": "string", "value": json.dumps(value, default=str)}
