"""A trace as text: a line for each span, indented below its parent, with a bar that says when it ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from partisan_actors.telemetry.plain_span import PlainSpan
from partisan_actors.telemetry.trace_summary import summary

__all__ = ["milliseconds", "waterfall"]

BAR_CHARS: Final = 32
# At a terminal the bar takes what the rest of a line leaves, but not more, nor less.
BAR_CHARS_MAX: Final = 80
BAR_CHARS_MIN: Final = 8
BESIDE: Final = 40  # what a line has beside the bar and the names of span and node
NAME_CHARS_MAX: Final = 60
DEPTH_MAX: Final = 30
VALUE_CHARS_MAX: Final = 200

_NS_PER_MS: Final = 1e6


def milliseconds(nanoseconds: int) -> str:
    """A duration, with as many digits as say something."""
    value = nanoseconds / _NS_PER_MS
    return f"{value:.3f}" if value < 10 else f"{value:,.1f}"


def waterfall(
    trace: Sequence[PlainSpan], *, with_attributes: bool = False, line_chars: int | None = None
) -> Iterator[str]:
    """The lines. Times are in milliseconds since the trace began; a failed span is marked with ``!``.

    Bars are as long as makes a line `line_chars` long, within bounds; BAR_CHARS without.
    """
    facts = summary(trace)
    missing = f", {facts['orphans']} with a parent that is not here" if facts["orphans"] else ""
    yield (
        f"trace {facts['trace_id']}: {milliseconds(facts['duration_ns'])} ms, {facts['spans']} spans"
        f" on {', '.join(facts['nodes'])}, {facts['errors']} failed{missing}"
    )
    ordered = list(_in_order(trace))
    names = [("  " * min(depth, DEPTH_MAX) + span["name"])[:NAME_CHARS_MAX] for depth, span in ordered]
    width = max(map(len, names))
    nodes = [str(span["resource"].get("partisan.node.name", "")) for _, span in ordered]
    node_width = max(map(len, nodes))
    bar_chars = BAR_CHARS
    if line_chars is not None:
        bar_chars = min(max(line_chars - BESIDE - width - node_width, BAR_CHARS_MIN), BAR_CHARS_MAX)
    for (depth, span), name, node in zip(ordered, names, nodes, strict=True):
        start = milliseconds(span["start_ns"] - facts["start_ns"])
        length = milliseconds(span["end_ns"] - span["start_ns"])
        mark = "!" if span["status"] == "error" else " "
        bar = _bar(span, facts["start_ns"], facts["duration_ns"], bar_chars)
        yield f"{mark} {name:{width}}  {span['kind']:8}  {node:{node_width}}  {start:>9} +{length:>9}  |{bar}|"
        if with_attributes:
            yield from _attributes(span, "  " * (min(depth, DEPTH_MAX) + 2))


def _in_order(trace: Sequence[PlainSpan]) -> Iterator[tuple[int, PlainSpan]]:
    """Parents before their children, by time; each span once, also where parents form a ring."""
    here = {span["span_id"] for span in trace}
    children: dict[str | None, list[PlainSpan]] = {}
    for span in sorted(trace, key=lambda each: (each["start_ns"], -each["end_ns"])):
        parent = span["parent_id"] if span["parent_id"] in here else None
        children.setdefault(parent, []).append(span)
    told: set[str] = set()
    waiting = [(0, span) for span in reversed(children.get(None, []))]
    while waiting or len(told) < len(here):
        if not waiting:  # what is left are rings
            waiting.append((0, next(span for span in trace if span["span_id"] not in told)))
        depth, span = waiting.pop()
        if span["span_id"] in told:
            continue
        told.add(span["span_id"])
        yield depth, span
        waiting += [(depth + 1, child) for child in reversed(children.get(span["span_id"], []))]


def _bar(span: PlainSpan, start_ns: int, duration_ns: int, chars: int) -> str:
    scale = chars / max(duration_ns, 1)
    first = min(int((span["start_ns"] - start_ns) * scale), chars - 1)
    last = min(int((span["end_ns"] - start_ns) * scale), chars - 1)
    return " " * first + "=" * (last - first + 1) + " " * (chars - 1 - last)


def _attributes(span: PlainSpan, indent: str) -> Iterator[str]:
    for key, value in sorted(span["attributes"].items()):
        yield f"{indent}{key} = {_short(value)}"
    for event in span["events"]:
        about = ", ".join(
            f"{key} = {_short(value)}" for key, value in event["attributes"].items() if not key.endswith("stacktrace")
        )
        yield f"{indent}{event['name']} at +{milliseconds(event['time_ns'] - span['start_ns'])}  {about}".rstrip()
    for link in span["links"]:
        yield f"{indent}linked to {link['trace_id']} {link['span_id']}"


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= VALUE_CHARS_MAX else text[:VALUE_CHARS_MAX] + "..."
