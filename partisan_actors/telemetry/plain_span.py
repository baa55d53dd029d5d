"""The plain form of a span: dicts, lists, text and numbers, which nodes answer with and files are made of.

A span is a dict of `trace_id` (32 hexadecimal digits), `span_id` and `parent_id` (16; None in a root), `name`, `kind`
(``internal``, ``server``, ``client``, ``producer``, ``consumer``), `start_ns` and `end_ns` (Unix time), `status`
(``unset``, ``ok``, ``error``), `status_message`, `attributes`, `events` (`name`, `time_ns`, `attributes`), `links`
(`trace_id`, `span_id`, `attributes`), `trace_state`, `scope`, `scope_version` and `resource`. Values of attributes are
text, booleans, numbers, and lists of these. Whoever only reads should not rely on any key but the ids and times.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.events import SpanKind
from partisan_actors.telemetry.spans import SpanValue

__all__ = ["KIND_NAMES", "PlainSpan", "parse_trace_id", "plain_span", "service_of", "span_id_text", "trace_id_text"]

PlainSpan = dict[str, Any]

_TRACE_ID: Final = re.compile("[0-9a-fA-F]{1,32}")

KIND_NAMES: Final = {kind: kind.name.lower() for kind in SpanKind}


def plain_span(
    value: SpanValue, to_unix_ns: Callable[[int], int], resource: Mapping[str, Any], scope_version: str
) -> PlainSpan:
    """`value` in plain form. `resource` is not copied: spans of one node share it."""
    context, failure = value.context, value.failure
    return {
        "trace_id": trace_id_text(context.trace_id),
        "span_id": span_id_text(context.span_id),
        "parent_id": span_id_text(context.parent_span_id) if context.parent_span_id else None,
        "name": value.name,
        "kind": KIND_NAMES[value.kind],
        "start_ns": to_unix_ns(value.started_ns),
        "end_ns": to_unix_ns(value.ended_ns),
        "status": "unset" if failure is None else "error",
        "status_message": "" if failure is None else failure.message,
        "attributes": value.attributes,
        "events": [
            {"name": event.name, "time_ns": to_unix_ns(event.at_ns), "attributes": event.attributes}
            for event in value.happenings
        ],
        "links": [_link(link) for link in value.links],
        "trace_state": context.trace_state,
        "scope": value.scope.value,
        "scope_version": scope_version,
        "resource": resource,
    }


def trace_id_text(trace_id: int) -> str:
    """A trace id as people and backends write it."""
    return f"{trace_id:032x}"


def span_id_text(span_id: int) -> str:
    """A span id as people and backends write it."""
    return f"{span_id:016x}"


def parse_trace_id(text: object) -> int:
    """The inverse of `trace_id_text`; leading zeros may be missing. Raises ConfigError."""
    if not isinstance(text, str) or not _TRACE_ID.fullmatch(text) or not int(text, 16):
        shown = text[:40] if isinstance(text, str) else type(text).__name__
        raise ConfigError("trace id", shown, "at most 32 hexadecimal digits, not all zero")
    return int(text, 16)


def service_of(span: PlainSpan) -> str:
    """The service that a span belongs to."""
    return str(span["resource"].get("service.name", ""))


def _link(link: TraceContext) -> dict[str, Any]:
    return {"trace_id": trace_id_text(link.trace_id), "span_id": span_id_text(link.span_id), "attributes": {}}
