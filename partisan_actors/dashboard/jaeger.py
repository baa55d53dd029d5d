"""Jaeger's query API, served from what the nodes remember, so that its UI and Grafana's data source can look at us.

Both generations: `/api/...`, and `/api/v3/...`, whose parameters are told in camel case, or, as before, in snake case.
What others' clients say beyond that is passed over. Limits that are too high are lowered to what there is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, Final

from partisan_actors.api.trace_search import Found, find_traces, operations, services
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.parameters import Parameter, Shaped, Text
from partisan_actors.dashboard.problems import Problem
from partisan_actors.dashboard.schemas import record
from partisan_actors.dashboard.trace_views import TRACE, Nodes, one_trace
from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.jaeger_json import jaeger_document
from partisan_actors.telemetry.otlp_plain import from_otlp, to_otlp
from partisan_actors.telemetry.trace_query import LIMIT, LIMIT_MAX, TraceQuery, duration_ns, tags_of
from partisan_actors.telemetry.trace_summary import dependencies, grouped, summary

__all__ = ["JAEGER_ENDPOINTS"]

DEPENDENCY_TRACES_MAX: Final = 500
DAY_MS: Final = "86400000"
_INT_MAX: Final = (1 << 63) - 1

Handler = Callable[[Desk, Mapping[str, Any]], Awaitable[Any]]


def _translated(handler: Handler) -> Handler:
    """What makes no sense to the nodes is a Problem."""

    @wraps(handler)
    async def handle(desk: Desk, given: Mapping[str, Any]) -> Any:
        try:
            return await handler(desk, given)
        except ConfigError as error:
            raise Problem(400, str(error)) from None

    return handle


def _listed(data: list[Any], errors: Any = None) -> dict[str, Any]:
    return {"data": data, "total": len(data), "limit": 0, "offset": 0, "errors": errors}


def _missing(found: Found) -> list[str]:
    """What a trace lacks, as a warning."""
    if found.answered == found.asked:
        return []
    names = ", ".join(str(each["name"]) for each in found.silent)
    return [f"{found.answered} of {found.asked} nodes answered; not heard from: {names}"]


# ---- the first generation --------------------------------------------------------------------------------------------


@_translated
async def v1_services(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """The names of all services."""
    return _listed((await services(Nodes(desk)))[0])


@_translated
async def v1_operations_of(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """The names of the operations of one service."""
    rows, _ = await operations(Nodes(desk), given["service"])
    return _listed(sorted({row["name"] for row in rows}))


@_translated
async def v1_operations(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """The operations of one service with their kinds."""
    return _listed(await _operations(desk, given["service"] or "", given["spanKind"]))


@_translated
async def v1_traces(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """A search, or the traces of the ids that are given."""
    limit = _limit(given["limit"])
    query = TraceQuery(
        service=given["service"] or "",
        operation="" if given["operation"] in (None, "all") else given["operation"],
        tags=tags_of(given["tags"] or ""),
        start_ns=_scaled(given["start"], 1000),
        end_ns=_scaled(given["end"], 1000),
        min_duration_ns=_duration("minDuration", given["minDuration"]),
        max_duration_ns=_duration("maxDuration", given["maxDuration"]),
        limit=limit,
    )
    found = await find_traces(Nodes(desk), query)
    document = jaeger_document(found.traces, limit)
    for each in document["data"]:
        each["warnings"] = _missing(found) or None
    return document


@_translated
async def v1_trace(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """One trace."""
    spans, found = await one_trace(desk, given["id"])
    document = jaeger_document([spans])
    document["data"][0]["warnings"] = _missing(found) or None
    return document


@_translated
async def v1_dependencies(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Which service calls which, and how often, in the traces of that time."""
    end_ns = _scaled(given["endTs"] or str(int(desk.now() * 1000)), 1_000_000) or 0
    start_ns = max(0, end_ns - (_scaled(given["lookback"] or DAY_MS, 1_000_000) or 0))
    query = TraceQuery(start_ns=start_ns, end_ns=end_ns, limit=DEPENDENCY_TRACES_MAX)
    found = await find_traces(Nodes(desk), query)
    rows = dependencies(found.traces)
    return _listed([{"parent": row["parent"], "child": row["child"], "callCount": row["calls"]} for row in rows])


@_translated
async def v1_transform(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """OTLP/JSON, one document or one a line, in Jaeger's form: what its UI asks for when a file is dropped on it."""
    return await asyncio.to_thread(_transformed, given["body"])


def _transformed(body: bytes) -> dict[str, Any]:
    spans = []
    for number, text in enumerate(_documents(body)):
        try:
            spans += from_otlp(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise Problem(400, f"document {number + 1} is no OTLP/JSON: {str(error)[:300]}") from None
    return jaeger_document(grouped(spans))


# ---- the second generation -------------------------------------------------------------------------------------------


@_translated
async def v3_services(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """The names of all services."""
    return {"services": (await services(Nodes(desk)))[0]}


@_translated
async def v3_operations(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """The operations of one service with their kinds."""
    kind = given["spanKind"] or given["span_kind"]
    return {"operations": await _operations(desk, given["service"] or "", kind)}


@_translated
async def v3_trace(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """One trace, as OTLP."""
    spans, _ = await one_trace(desk, given["id"])
    return {"result": to_otlp(spans)}


@_translated
async def v3_traces(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """A search, as OTLP."""
    found = await find_traces(Nodes(desk), _v3_query(given))
    if not found.traces:
        raise Problem(404, "no traces found")
    return {"result": to_otlp(span for trace in found.traces for span in trace)}


@_translated
async def v3_summaries(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """A search, of which each trace is one line."""
    found = await find_traces(Nodes(desk), _v3_query(given))
    return {"summaries": [_v3_summary(summary(trace)) for trace in found.traces]}


def _v3_summary(row: Mapping[str, Any]) -> dict[str, Any]:
    services = [
        {"name": each["name"], "spanCount": each["spans"], "errorSpanCount": each["errors"]} for each in row["services"]
    ]
    return {
        "traceId": row["trace_id"],
        "traceID": row["trace_id"],  # under this name, too: versions of the UI differ
        "rootServiceName": row["root_service"],
        "rootOperationName": row["root_name"],
        "minStartTimeUnixNano": str(row["start_ns"]),
        "maxEndTimeUnixNano": str(row["end_ns"]),
        "spanCount": row["spans"],
        "errorSpanCount": row["errors"],
        "orphanSpanCount": row["orphans"],
        "services": services,
    }


def _v3_query(given: Mapping[str, Any]) -> TraceQuery:
    def said(*names: str) -> str:
        return next((given[f"query.{name}"] for name in names if given[f"query.{name}"]), "")

    return TraceQuery(
        service=said("serviceName", "service_name"),
        operation=said("operationName", "operation_name"),
        tags=tags_of(said("attributes"), "query.attributes"),
        start_ns=_instant("query.startTimeMin", said("startTimeMin", "start_time_min")),
        end_ns=_instant("query.startTimeMax", said("startTimeMax", "start_time_max")),
        min_duration_ns=_duration("query.durationMin", said("durationMin", "duration_min")),
        max_duration_ns=_duration("query.durationMax", said("durationMax", "duration_max")),
        limit=_limit(said("searchDepth", "search_depth", "num_traces")),
    )


# ---- reading what clients say ----------------------------------------------------------------------------------------


async def _operations(desk: Desk, service: str, kind: str | None) -> list[dict[str, str]]:
    rows, _ = await operations(Nodes(desk), service)
    wanted = (kind or "").lower()
    return [{"name": row["name"], "spanKind": row["kind"]} for row in rows if wanted in ("", row["kind"])]


def _limit(text: str | None) -> int:
    return max(1, min(LIMIT_MAX, int(text))) if text else LIMIT


def _scaled(text: str | None, factor: int) -> int | None:
    return min(int(text) * factor, _INT_MAX) if text else None


def _duration(name: str, text: str | None) -> int | None:
    return duration_ns(text, name) if text else None


def _instant(name: str, text: str) -> int | None:
    """Nanoseconds since 1970 of a time in the form of RFC 3339. Finer than microseconds is cut off."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1000
    except (ValueError, OverflowError):
        raise ConfigError(name, text[:40], "a time such as 2026-01-31T12:00:00Z") from None


def _documents(body: bytes) -> list[str]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Problem(400, "the body is not UTF-8") from None
    lines = [line for line in text.splitlines() if line.strip()]
    # Lines that are each whole are documents; otherwise all of it is one.
    return (
        lines
        if len(lines) > 1 and all(line.lstrip()[:1] == "{" and line.rstrip()[-1:] == "}" for line in lines)
        else [text]
    )


# What a client leaves empty, it does not say.
_DIGITS: Final = Shaped("[0-9]{0,18}", "a whole number, not negative")
_KINDS: Final = {
    **dict.fromkeys(("start", "end", "limit", "endTs", "lookback"), _DIGITS),
    **dict.fromkeys(("query.searchDepth", "query.search_depth", "query.num_traces"), _DIGITS),
}


def _query(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, _KINDS.get(name, Text(2000)), "As in Jaeger.") for name in names)


_V3_SEARCH: Final = _query(
    *(
        f"query.{name}"
        for name in (
            *("serviceName", "operationName", "attributes", "startTimeMin", "startTimeMax"),
            *("durationMin", "durationMax", "searchDepth"),
            *("service_name", "operation_name", "start_time_min", "start_time_max"),
            *("duration_min", "duration_max", "search_depth", "num_traces"),
        )
    )
)
_LIST: Final = record({"data": "list: what was asked for", "total": "integer: how many", "errors": "list?: nothing"})
_RESULT: Final = record({"result": "object: resourceSpans, as OTLP/JSON"})
_SERVICE: Final = Parameter("service", Text(1000, 1), "The name of a service.", in_path=True)


def _endpoint(
    path: str, summary: str, handler: Handler, answer: Mapping[str, Any], *parameters: Parameter, **more: Any
) -> Endpoint:
    return Endpoint(path, summary, handler, answer, "jaeger", parameters, is_lenient=True, **more)


_SEARCH: Final = _query(
    *("service", "operation", "tags", "start", "end", "minDuration", "maxDuration", "limit"),
)

JAEGER_ENDPOINTS: Final = (
    _endpoint("/api/services", "Services, for Jaeger's clients.", v1_services, _LIST),
    _endpoint("/api/services/{service}/operations", "Names of operations.", v1_operations_of, _LIST, _SERVICE),
    _endpoint("/api/operations", "Operations with their kinds.", v1_operations, _LIST, *_query("service", "spanKind")),
    _endpoint("/api/traces", "A search, in Jaeger's form.", v1_traces, _LIST, *_SEARCH),
    _endpoint("/api/traces/{id}", "One trace, in Jaeger's form.", v1_trace, _LIST, TRACE, problems=(404,)),
    _endpoint("/api/dependencies", "Who calls whom.", v1_dependencies, _LIST, *_query("endTs", "lookback")),
    _endpoint("/api/transform", "OTLP/JSON in Jaeger's form.", v1_transform, _LIST, takes_body=True),
    _endpoint("/api/v3/services", "Services.", v3_services, record({"services": "texts: their names"})),
    _endpoint(
        "/api/v3/operations",
        "Operations with their kinds.",
        v3_operations,
        record({"operations": "list: name and spanKind of each"}),
        *_query("service", "spanKind", "span_kind"),
    ),
    _endpoint("/api/v3/traces", "A search, as OTLP/JSON.", v3_traces, _RESULT, *_V3_SEARCH, problems=(404,)),
    _endpoint("/api/v3/traces/{id}", "One trace, as OTLP/JSON.", v3_trace, _RESULT, TRACE, problems=(404,)),
    _endpoint(
        "/api/v3/trace-summaries",
        "A search, of which each trace is one line.",
        v3_summaries,
        record({"summaries": "list: one for each trace"}),
        *_V3_SEARCH,
    ),
)
