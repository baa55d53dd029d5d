"""From an outcome to what is shown of it: tables of cells, plain text, the verdict, and JSON. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from partisan_actors.cli.demo.outcome import NAME, Outcome, Overlay
from partisan_actors.cli.demo.trace import Trace

__all__ = ["Table", "facts", "is_right", "plain_text", "tables", "to_json", "verdict"]

SHOWN_DIFFERENCES: Final = 3


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table of text cells."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(outcome: Outcome) -> list[Table]:
    """Where the shards were and are, and who was and is whose neighbour."""
    before, after = _shards_by_node(outcome.before), _shards_by_node(outcome.after)
    names = sorted({*outcome.overlay_before, *outcome.overlay_after})
    gone = {outcome.kill.node: "killed"}
    placement = [(_short(name), before.get(name, "-"), gone.get(name) or after.get(name, "-")) for name in names]
    edges = [
        (
            _short(name),
            _neighbours(outcome.overlay_before, name),
            gone.get(name) or _neighbours(outcome.overlay_after, name),
        )
        for name in names
    ]
    return [
        Table("The shards of each node", ("node", "at first", "after the kill"), tuple(placement)),
        Table(
            f"The overlay: {_edge_count(outcome.overlay_before)} edges at first, "
            f"{_edge_count(outcome.overlay_after)} after the kill",
            ("node", "its neighbours at first", "after the kill"),
            tuple(edges),
        ),
    ]


def facts(outcome: Outcome, trace: Trace) -> list[tuple[str, str]]:
    """What the tables do not say, as (what, text)."""
    kill, load, plan = outcome.kill, outcome.load, outcome.plan
    back = ", ".join(f"{each.shard} on {_short(each.node)} after {_ms(each.after_s)}" for each in kill.returns)
    return [
        ("index", f"{outcome.files} files, {outcome.words:,} words, {plan.shards} shards; {outcome.indexed_s:.1f} s"),
        (
            "calls",
            f"{outcome.quiet.calls_per_s:,.0f} a second before the kill; {load.calls:,} calls for {plan.queries} "
            f"queries, {load.calls_per_s:,.0f} a second with the recovery in between",
        ),
        (
            "the kill",
            f"node {_short(kill.node)} (process {kill.pid}) got SIGKILL after half of the queries; the driver's node "
            f"knew after {_ms(kill.noticed_s)}; {load.lost_calls} calls failed and were made again; the slowest query "
            f"took {_ms(load.slowest_s)}, before the kill {_ms(outcome.quiet.slowest_s)}",
        ),
        ("recovery", f"{_ms(kill.recovery_s)} until every lost shard answered again: {back}"),
        ("time", f"{outcome.took_s:.1f} s in all, {outcome.started_s:.1f} s of them to start {plan.nodes} nodes"),
        ("trace", trace.text),
    ]


def is_right(outcome: Outcome) -> bool:
    """Whether the cluster answered every query exactly as the plain index does."""
    return not outcome.differences


def verdict(outcome: Outcome) -> str:
    """Whether the answers are right; if not, some of those that are wrong."""
    count = outcome.plan.queries
    if is_right(outcome):
        return f"All {count} answers equal those of a plain index in one process."
    lines = [f"{len(outcome.differences)} of {count} answers differ from those of a plain index in one process:"]
    for each in outcome.differences[:SHOWN_DIFFERENCES]:
        lines += [f"  {each.query!r}", f"    cluster: {each.cluster}", f"    plain:   {each.plain}"]
    return "\n".join(lines)


def plain_text(outcome: Outcome, trace: Trace) -> str:
    """The whole report without colours."""
    parts = ["\n".join([table.title, *_aligned([table.headings, *table.rows])]) for table in tables(outcome)]
    found = facts(outcome, trace)
    parts.append("\n".join(_aligned(found)))
    parts.append(verdict(outcome))
    return "\n\n".join(parts)


def to_json(outcome: Outcome, trace: Trace) -> dict[str, Any]:
    """Everything, for a program to read. Times are in seconds."""
    plain = asdict(outcome)
    plain["recovery_s"] = outcome.kill.recovery_s
    plain["calls_per_s"] = outcome.load.calls_per_s
    plain["calls_per_s_before_the_kill"] = outcome.quiet.calls_per_s
    plain["edges_before"] = _edges(outcome.overlay_before)
    plain["edges_after"] = _edges(outcome.overlay_after)
    plain["trace"] = asdict(trace)
    plain["is_right"] = is_right(outcome)
    return plain


def _shards_by_node(placed: Sequence[str]) -> dict[str, str]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for shard, node in enumerate(placed):
        found[node].append(str(shard))
    return {node: " ".join(shards) for node, shards in found.items()}


def _neighbours(overlay: Overlay, name: str) -> str:
    return " ".join(map(_short, overlay.get(name, ()))) or "-"


def _edges(overlay: Overlay) -> list[tuple[str, str]]:
    return sorted({(min(pair), max(pair)) for pair in _pairs(overlay)})


def _pairs(overlay: Overlay) -> Iterator[tuple[str, str]]:
    for name, neighbours in overlay.items():
        for neighbour in neighbours:
            yield name, neighbour


def _edge_count(overlay: Overlay) -> int:
    return len(_edges(overlay))


def _short(node: str) -> str:
    # Every worker's name begins with that of the driver.
    return node.removeprefix(f"{NAME}-")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    table = list(rows)
    widths = [max(len(cells[column]) for cells in table) for column in range(len(table[0]))]
    return ["  " + "   ".join(map(str.ljust, cells, widths)).rstrip() for cells in table]
