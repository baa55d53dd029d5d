"""Plain spans as Chrome's trace events, which Perfetto and ``chrome://tracing`` open: a timeline of all nodes.

A node is a process there. Spans of one track have to contain each other or be apart, so those that overlap, as calls
under way at once do, are spread over as many tracks as it takes. An arrow leads from a span to what it caused on
another node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from partisan_actors.telemetry.plain_span import PlainSpan, service_of

__all__ = ["chrome_document"]

_NS_PER_US: Final = 1_000


def chrome_document(spans: Iterable[PlainSpan]) -> dict[str, Any]:
    """The file: every span as a complete event, with what is known of it as its arguments."""
    by_process: dict[str, list[PlainSpan]] = {}
    for span in spans:
        by_process.setdefault(_process(span), []).append(span)
    trace_events: list[dict[str, Any]] = []
    places: dict[str, tuple[PlainSpan, int, int]] = {}
    for process_id, (name, own) in enumerate(sorted(by_process.items()), start=1):
        trace_events.append(_named("process_name", process_id, 0, name))
        for track, span in _tracks(own):
            places[span["span_id"]] = (span, process_id, track)
            trace_events.append(_complete(span, process_id, track))
    trace_events += _arrows(places)
    return {"traceEvents": trace_events, "displayTimeUnit": "ms"}


def _process(span: PlainSpan) -> str:
    resource = span["resource"]
    node = resource.get("partisan.node.name")
    return f"{node} ({resource.get('process.pid', '?')})" if node else service_of(span)


def _tracks(spans: Sequence[PlainSpan]) -> Iterable[tuple[int, PlainSpan]]:
    open_ends: list[list[int]] = []  # of each track: the ends of the spans that are open, the innermost last
    for span in sorted(spans, key=lambda each: (each["start_ns"], -each["end_ns"])):
        start_ns, end_ns = span["start_ns"], span["end_ns"]
        for track, ends in enumerate(open_ends):
            while ends and ends[-1] <= start_ns:
                ends.pop()
            if not ends or end_ns <= ends[-1]:
                ends.append(end_ns)
                yield track, span
                break
        else:
            open_ends.append([end_ns])
            yield len(open_ends) - 1, span


def _complete(span: PlainSpan, process_id: int, track: int) -> dict[str, Any]:
    known = {key: span[key] for key in ("trace_id", "span_id", "parent_id", "kind", "status")}
    return {
        "ph": "X",
        "name": span["name"],
        "cat": span["scope"] or "user",
        "ts": span["start_ns"] / _NS_PER_US,
        "dur": (span["end_ns"] - span["start_ns"]) / _NS_PER_US,
        "pid": process_id,
        "tid": track,
        "args": {**span["attributes"], **known},
    }


def _arrows(places: dict[str, tuple[PlainSpan, int, int]]) -> Iterable[dict[str, Any]]:
    for span, process_id, track in places.values():
        if span["parent_id"] in places:
            parent, parents_process, parents_track = places[span["parent_id"]]
            if parents_process != process_id:
                arrow = {"name": "calls", "cat": "calls", "id": span["span_id"]}
                start_us, parent_us = span["start_ns"] / _NS_PER_US, parent["start_ns"] / _NS_PER_US
                yield {**arrow, "ph": "s", "ts": parent_us, "pid": parents_process, "tid": parents_track}
                yield {**arrow, "ph": "f", "bp": "e", "ts": start_us, "pid": process_id, "tid": track}


def _named(what: str, process_id: int, track: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": process_id, "tid": track, "args": {"name": name}}
