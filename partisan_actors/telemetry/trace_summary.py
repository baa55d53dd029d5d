"""What a list of traces shows of each: how long, how many spans, of whom, and what failed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from partisan_actors.telemetry.plain_span import PlainSpan, service_of

__all__ = ["dependencies", "grouped", "summary"]


def grouped(spans: Iterable[PlainSpan]) -> list[list[PlainSpan]]:
    """The traces that `spans` are of, the newest first; each without spans that came twice, in the order of time."""
    traces: dict[str, dict[str, PlainSpan]] = {}
    for span in spans:
        traces.setdefault(span["trace_id"], {})[span["span_id"]] = span
    ordered = [sorted(each.values(), key=_time) for each in traces.values()]
    return sorted(ordered, key=lambda trace: _time(trace[0]), reverse=True)


def summary(trace: Sequence[PlainSpan]) -> dict[str, Any]:
    """One line about a trace of at least one span.

    The root is the earliest span without a parent here. `orphans` counts those whose parent is not here although they
    name one: some node has forgotten it, could not be asked, or the parent is still running.
    """
    here = {span["span_id"] for span in trace}
    orphans = [span for span in trace if span["parent_id"] is not None and span["parent_id"] not in here]
    roots = [span for span in trace if span["parent_id"] is None]
    root = min(roots or orphans or trace, key=_time)
    start_ns = min(span["start_ns"] for span in trace)
    end_ns = max(span["end_ns"] for span in trace)
    spans_of = Counter(service_of(span) for span in trace)
    errors_of = Counter(service_of(span) for span in trace if span["status"] == "error")
    return {
        "trace_id": trace[0]["trace_id"],
        "root_name": root["name"],
        "root_service": service_of(root),
        "start_ns": start_ns,
        "end_ns": end_ns,
        "duration_ns": end_ns - start_ns,
        "spans": len(trace),
        "errors": sum(errors_of.values()),
        "orphans": len(orphans),
        "nodes": sorted({str(span["resource"].get("partisan.node.name", "")) for span in trace}),
        "services": [{"name": name, "spans": spans_of[name], "errors": errors_of[name]} for name in sorted(spans_of)],
    }


def dependencies(traces: Iterable[Sequence[PlainSpan]]) -> list[dict[str, Any]]:
    """How often a span of one service has called another service, as ``parent``, ``child``, ``calls``."""
    counts: Counter[tuple[str, str]] = Counter()
    for trace in traces:
        services = {span["span_id"]: service_of(span) for span in trace}
        for span in trace:
            parent = services.get(span["parent_id"])
            if parent is not None and parent != service_of(span):
                counts[parent, service_of(span)] += 1
    return [{"parent": pair[0], "child": pair[1], "calls": counts[pair]} for pair in sorted(counts)]


def _time(span: PlainSpan) -> tuple[int, int, str]:
    return span["start_ns"], -span["end_ns"], span["span_id"]
