"""Between plain spans and OTLP/JSON, OpenTelemetry's own form: for export, and for what a viewer sends back. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.events import SCHEMA_URL, Scope, SpanKind
from partisan_actors.telemetry.plain_span import KIND_NAMES, PlainSpan

__all__ = ["from_otlp", "to_otlp"]

_KINDS: Final = {name: int(kind) for kind, name in KIND_NAMES.items()}
_KIND_NAMES: Final = {int(kind): name for kind, name in KIND_NAMES.items()} | {
    f"SPAN_KIND_{kind.name}": name for kind, name in KIND_NAMES.items()
}
_STATUSES: Final = ("unset", "ok", "error")
_STATUS_NAMES: Final = {"STATUS_CODE_UNSET": "unset", "STATUS_CODE_OK": "ok", "STATUS_CODE_ERROR": "error"}
_OUR_SCOPES: Final = frozenset(scope.value for scope in Scope)
_INT64: Final = range(-(1 << 63), 1 << 63)
_DEPTH_MAX: Final = 20


def to_otlp(spans: Iterable[PlainSpan]) -> dict[str, Any]:
    """An ExportTraceServiceRequest: spans by resource and scope, in the order they came."""
    resources: dict[str, tuple[Mapping[str, Any], dict[tuple[str, str], list[dict[str, Any]]]]] = {}
    for span in spans:
        resource = span["resource"]
        _, scopes = resources.setdefault(json.dumps(resource, sort_keys=True, default=str), (resource, {}))
        scopes.setdefault((span["scope"], span["scope_version"]), []).append(_span(span))
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _pairs(resource)},
                "scopeSpans": [_scope(name, version, members) for (name, version), members in scopes.items()],
            }
            for resource, scopes in resources.values()
        ]
    }


def from_otlp(document: Any) -> list[PlainSpan]:
    """The spans of an OTLP/JSON document: one request, or whatever has ``resourceSpans``.

    Raises ConfigError, which says where, for what is none: such documents come from outside.
    """
    spans: list[PlainSpan] = []
    for group in _list(document, "resourceSpans", "document"):
        resource = _attributes(_object(group, "resource"))
        for scoped in _list(group, "scopeSpans", "resourceSpans"):
            scope = _object(scoped, "scope")
            spans += [_read(span, scope, resource) for span in _list(scoped, "spans", "scopeSpans")]
    return spans


def _scope(name: str, version: str, spans: list[dict[str, Any]]) -> dict[str, Any]:
    scope = {"name": name, **({"version": version} if version else {})}
    schema = {"schemaUrl": SCHEMA_URL} if name in _OUR_SCOPES else {}
    return {"scope": scope, "spans": spans, **schema}


def _span(span: PlainSpan) -> dict[str, Any]:
    written: dict[str, Any] = {
        "traceId": span["trace_id"],
        "spanId": span["span_id"],
        "name": span["name"],
        "kind": _KINDS[span["kind"]],
        "startTimeUnixNano": str(span["start_ns"]),
        "endTimeUnixNano": str(span["end_ns"]),
        "attributes": _pairs(span["attributes"]),
        "events": [
            {
                "timeUnixNano": str(event["time_ns"]),
                "name": event["name"],
                "attributes": _pairs(event["attributes"]),
            }
            for event in span["events"]
        ],
        "links": [
            {"traceId": link["trace_id"], "spanId": link["span_id"], "attributes": _pairs(link["attributes"])}
            for link in span["links"]
        ],
        "status": _status(span),
    }
    if span["parent_id"] is not None:
        written["parentSpanId"] = span["parent_id"]
    if span["trace_state"]:
        written["traceState"] = span["trace_state"]
    return written


def _status(span: PlainSpan) -> dict[str, Any]:
    status: dict[str, Any] = {}
    if span["status"] != "unset":
        status["code"] = _STATUSES.index(span["status"])
    if span["status_message"]:
        status["message"] = span["status_message"]
    return status


def _pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any_value(value)} for key, value in attributes.items()]


def _any_value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int() if value in _INT64:
            return {"intValue": str(value)}
        case float() if math.isfinite(value):
            return {"doubleValue": value}
        case float():  # as protobuf's JSON writes them
            return {"doubleValue": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
        case list() | tuple():
            return {"arrayValue": {"values": [_any_value(each) for each in value]}}
    return {"stringValue": value if isinstance(value, str) else str(value)}


# ---- reading ----------------------------------------------------------------------------------------------------


def _read(span: Any, scope: Mapping[str, Any], resource: dict[str, Any]) -> PlainSpan:
    if not isinstance(span, Mapping):
        raise _wrong("spans", span, "objects")
    start_ns, end_ns = _time(span, "startTimeUnixNano"), _time(span, "endTimeUnixNano")
    status = _object(span, "status")
    code = status.get("code", 0)
    return {
        "trace_id": _id(span, "traceId", 32),
        "span_id": _id(span, "spanId", 16),
        "parent_id": _id(span, "parentSpanId", 16) if span.get("parentSpanId") else None,
        "name": _text(span, "name"),
        "kind": _KIND_NAMES.get(_hashable(span.get("kind", 1)), KIND_NAMES[SpanKind.INTERNAL]),
        "start_ns": start_ns,
        "end_ns": max(start_ns, end_ns),
        "status": _STATUSES[code]
        if type(code) is int and 0 <= code <= 2
        else _STATUS_NAMES.get(_hashable(code), "unset"),
        "status_message": _text(status, "message"),
        "attributes": _attributes(span),
        "events": [
            {"name": _text(event, "name"), "time_ns": _time(event, "timeUnixNano"), "attributes": _attributes(event)}
            for event in _list(span, "events", "span")
        ],
        "links": [
            {"trace_id": _id(link, "traceId", 32), "span_id": _id(link, "spanId", 16), "attributes": _attributes(link)}
            for link in _list(span, "links", "span")
        ],
        "trace_state": _text(span, "traceState"),
        "scope": _text(scope, "name"),
        "scope_version": _text(scope, "version"),
        "resource": resource,
    }


def _attributes(holder: Any) -> dict[str, Any]:
    found = {}
    for pair in _list(holder, "attributes", "attributes"):
        if not isinstance(pair, Mapping):
            raise _wrong("attributes", pair, "objects with key and value")
        found[_text(pair, "key")] = _value(_object(pair, "value"), 0)
    return found


def _value(value: Mapping[str, Any], depth: int) -> Any:
    if depth > _DEPTH_MAX:
        raise _wrong("value", "...", f"at most {_DEPTH_MAX} levels")
    for kind, content in value.items():
        try:
            match kind:
                case "stringValue" | "bytesValue":
                    return str(content)
                case "boolValue":
                    return bool(content)
                case "intValue":
                    return int(content)
                case "doubleValue":
                    return float(content)
                case "arrayValue":
                    return [_value(each, depth + 1) for each in _list(content, "values", "arrayValue")]
                case "kvlistValue":
                    return json.dumps(content, default=str)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            if isinstance(error, ConfigError):
                raise
            raise _wrong(kind, content, "a value of that kind") from None
    return ""


def _object(holder: Any, key: str) -> Mapping[str, Any]:
    value = holder.get(key) if isinstance(holder, Mapping) else None
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(key, value, "an object")
    return value


def _list(holder: Any, key: str, where: str) -> list[Any]:
    if not isinstance(holder, Mapping):
        raise _wrong(where, holder, "an object of OTLP/JSON")
    value = holder.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(key, value, "a list")
    return value


def _text(holder: Mapping[str, Any], key: str) -> str:
    if not isinstance(holder, Mapping):
        raise _wrong(key, holder, "an object")
    value = holder.get(key)
    return "" if value is None else str(value)


def _time(holder: Mapping[str, Any], key: str) -> int:
    value: Any = holder.get(key, 0) if isinstance(holder, Mapping) else None
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = -1
    if not 0 <= number < 1 << 64:
        raise _wrong(key, value, "nanoseconds since 1970")
    return number


def _id(holder: Mapping[str, Any], key: str, digits: int) -> str:
    text = _text(holder, key).lower()
    if not re.fullmatch(rf"[0-9a-f]{{{digits}}}", text) or not text.strip("0"):
        raise _wrong(key, text, f"{digits} hexadecimal digits, not all zero")
    return text


def _hashable(value: Any) -> Any:
    return value if isinstance(value, (str, int)) else None


def _wrong(name: str, value: object, allowed: str) -> ConfigError:
    shown = repr(value)
    return ConfigError(f"OTLP {name}", value if len(shown) <= 100 else shown[:100], allowed)
