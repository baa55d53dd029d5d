"""Traces, as the nodes remember them: a list, one of them whole, and files of it for other viewers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from partisan_actors.api.observer import Answer
from partisan_actors.api.trace_search import Found, find_traces, get_traces, last_spans, operations, services
from partisan_actors.api.tracing_service import OFF, SPANS_MAX, TRACES
from partisan_actors.dashboard.endpoints import Desk, Endpoint, Raw
from partisan_actors.dashboard.parameters import Choice, Flag, Integer, Parameter, Shaped, Text
from partisan_actors.dashboard.problems import Problem
from partisan_actors.dashboard.schemas import FACTS, array, record
from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.chrome_json import chrome_document
from partisan_actors.telemetry.jaeger_json import jaeger_document
from partisan_actors.telemetry.otlp_plain import to_otlp
from partisan_actors.telemetry.plain_span import PlainSpan, parse_trace_id, trace_id_text
from partisan_actors.telemetry.trace_query import LIMIT, LIMIT_MAX, TraceQuery, duration_ns, tags_of
from partisan_actors.telemetry.trace_summary import summary

__all__ = ["TRACE", "TRACE_ENDPOINTS", "Nodes", "one_trace", "trace_id_of"]

TRACE: Final = Parameter(
    "id", Shaped("[0-9a-fA-F]{1,32}", "at most 32 hexadecimal digits"), "The id of a trace.", in_path=True
)
SINCE_S_MAX: Final = 30 * 86_400
TIMELINE_SPANS: Final = 2_000

_FORMATS: Final[Mapping[str, Callable[[list[PlainSpan]], Any]]] = {
    "jaeger": lambda trace: jaeger_document([trace]),
    "otlp": to_otlp,
    "chrome": chrome_document,
}


class Nodes:
    """Puts one question to the spans of every node, for `trace_search`."""

    def __init__(self, desk: Desk) -> None:
        self._watcher = desk.watcher

    def __call__(self, method: str, *args: Any) -> Awaitable[Sequence[Answer]]:
        return self._ask(method, *args)

    async def _ask(self, method: str, *args: Any) -> Sequence[Answer]:
        return (await self._watcher.survey(TRACES, method, *args)).answers


def facts_of(desk: Desk, found: Found) -> dict[str, Any]:
    """How complete what was found is."""
    return {
        "cluster": desk.watcher.cluster,
        "asked": found.asked,
        "answered": found.answered,
        "unanswered": found.silent,
    }


def trace_id_of(text: str) -> str:
    """A trace id in full. Raises Problem for the one that no trace has."""
    try:
        return trace_id_text(parse_trace_id(text))
    except ConfigError as error:
        raise Problem(404, str(error)) from None


async def one_trace(desk: Desk, text: str) -> tuple[list[PlainSpan], Found]:
    """The spans of one trace, in the order of time. Raises Problem when nobody remembers any."""
    found = await get_traces(Nodes(desk), [trace_id_of(text)])
    if not found.traces:
        some = "" if found.answered == found.asked else f", as far as {found.answered} of {found.asked} nodes tell"
        raise Problem(404, f"no node remembers a span of trace {text}{some}")
    return found.traces[0], found


async def traces(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """The newest traces with a span that is all that is asked for."""
    try:
        since_s = given["since"]
        query = TraceQuery(
            service=given["service"] or "",
            operation=given["operation"] or "",
            tags={**tags_of(given["tags"] or ""), **({"error": "true"} if given["failed"] else {})},
            start_ns=int((desk.now() - since_s) * 1e9) if since_s else None,
            min_duration_ns=duration_ns(given["min_duration"]) if given["min_duration"] else None,
            max_duration_ns=duration_ns(given["max_duration"]) if given["max_duration"] else None,
            limit=given["limit"],
        )
    except ConfigError as error:
        raise Problem(400, str(error)) from None
    found = await find_traces(Nodes(desk), query)
    levels = await desk.watcher.survey(TRACES, "services")
    tracing = sum(answer.value["level"] != OFF for answer in levels.answered)
    rows = [summary(trace) for trace in found.traces]
    return {**facts_of(desk, found), "cut": found.cut, "tracing": tracing, "rows": rows}


async def trace(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """One trace, whole as far as its spans are remembered."""
    spans, found = await one_trace(desk, given["id"])
    return {**facts_of(desk, found), "summary": summary(spans), "spans": spans}


async def export(desk: Desk, given: Mapping[str, Any]) -> Raw:
    """One trace as a file for another viewer."""
    spans, _ = await one_trace(desk, given["id"])
    document = _FORMATS[given["format"]](spans)
    return Raw(json.dumps(document, default=str).encode(), "application/json")


async def timeline(desk: Desk, given: Mapping[str, Any]) -> Raw:
    """The last spans of all nodes as one file."""
    found = await last_spans(Nodes(desk), given["spans"])
    document = chrome_document(span for trace in found.traces for span in trace)
    return Raw(json.dumps(document, default=str).encode(), "application/json")


async def names(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """The services, and the operations of one of them or of all."""
    nodes = Nodes(desk)
    rows, found = await operations(nodes, given["service"] or "")
    return {**facts_of(desk, found), "services": (await services(nodes))[0], "operations": rows}


_ROW: Final = {
    "trace_id": "text: its id",
    "root_name": "text: the span that it began with",
    "root_service": "text: the service of that",
    "start_ns": "integer: when it began, in nanoseconds since 1970",
    "end_ns": "integer: when its last span ended",
    "duration_ns": "integer: how long it took",
    "spans": "integer: how many spans are remembered",
    "errors": "integer: how many of these failed",
    "orphans": "integer: how many name a parent that nobody remembers",
    "nodes": "texts: where they were",
    "services": "list: spans and errors of each service",
}

TRACE_ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/traces",
        "The newest traces that are all that is asked for.",
        traces,
        record(
            {
                **FACTS,
                "cut": "flag: whether there are more",
                "tracing": "integer: how many nodes trace",
                "rows": array(_ROW),
            }
        ),
        "traces",
        (
            Parameter("service", Text(1000), "With a span of this service."),
            Parameter("operation", Text(1000), "With a span of this name, such as Bank/pay."),
            Parameter("tags", Text(2000), "With a span that has these attributes, such as error=true."),
            Parameter("min_duration", Text(40), "With a span of 1.5ms, 2s, ... at least."),
            Parameter("max_duration", Text(40), "With a span of at most so long."),
            Parameter("since", Integer(0, SINCE_S_MAX), "Begun in so many last seconds; 0 for any time.", 0),
            Parameter("failed", Flag(), "Only traces with a span that failed.", False),
            Parameter("limit", Integer(1, LIMIT_MAX), "How many traces to tell at most.", LIMIT),
        ),
    ),
    Endpoint(
        "/api/v1/traces/names",
        "Which services and operations there are traces of.",
        names,
        record({**FACTS, "services": "texts: all services", "operations": "list: names and kinds of spans"}),
        "traces",
        (Parameter("service", Text(1000), "Only operations of this service."),),
    ),
    Endpoint(
        "/api/v1/timeline",
        "The last spans of all nodes as one timeline, for chrome://tracing and Perfetto.",
        timeline,
        {"type": "object"},
        "traces",
        (Parameter("spans", Integer(1, SPANS_MAX), "How many of each node.", TIMELINE_SPANS),),
    ),
    Endpoint(
        "/api/v1/traces/{id}",
        "One trace.",
        trace,
        record({**FACTS, "summary": record(_ROW, needed=False), "spans": "list: its spans, in the order of time"}),
        "traces",
        (TRACE,),
        problems=(404,),
    ),
    Endpoint(
        "/api/v1/traces/{id}/export",
        "One trace as a file for Jaeger's UI, for what reads OTLP, or for chrome://tracing and Perfetto.",
        export,
        {"type": "object"},
        "traces",
        (TRACE, Parameter("format", Choice(tuple(_FORMATS)), "Which form.", "jaeger")),
        problems=(404,),
    ),
)
