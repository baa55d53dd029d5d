"""The figures of overlay benchmarks as a table, one line for each run. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from partisan_actors.cli.bench.overlay.phases import OverlayResult
from partisan_actors.cli.table import plain_table

__all__ = ["HEADINGS", "remarks", "table"]

HEADINGS: Final = (
    "overlay",
    "nodes",
    "proc.",
    "whole s",
    "known s",
    "links",
    "1-sided",
    "degree",
    "conn.",
    "MiB",
    "B/node/s",
    "cpu %",
    "bcast ms",
    "last ms",
    "redund.",
    "killed",
    "noticed s",
    "healed s",
    "verdict",
)
LEGEND: Final = """\
whole: seconds from the first node's start until the overlay was connected and symmetric; known: until every node knew
every node. conn.: connections of all nodes. MiB: memory of all processes. B/node/s, cpu: at rest, cpu as a share of one
core for all nodes together. bcast, last: milliseconds to half of the nodes, and to the last one (median of the runs).
redund.: payloads beyond the first, for each that was delivered. noticed, healed: seconds from SIGKILL of one process
until every survivor knew each of its nodes to be down, and until the overlay was connected and symmetric again."""


def table(results: Sequence[OverlayResult]) -> str:
    """Aligned columns, and below what they mean."""
    return f"{plain_table(HEADINGS, [_line(result) for result in results])}\n\n{LEGEND}"


def remarks(result: OverlayResult) -> list[str]:
    """What a run did not show, in sentences."""
    failed = [check for check, held in result.checks().items() if not held]
    lines = [f"not so: {check}" for check in failed]
    lines += result.failures[:5]
    if len(result.failures) > 5:
        lines.append(f"... and {len(result.failures) - 5} nodes more")
    return lines


def _line(result: OverlayResult) -> list[Any]:
    plan, shape, rest, casts, loss = result.plan, result.shape, result.rest, result.broadcasts, result.loss
    return [
        plan.overlay,
        plan.nodes,
        plan.processes,
        _seconds(result.sound_s),
        _seconds(result.known_s),
        shape.links if shape else "-",
        shape.one_sided if shape else "-",
        f"{shape.degree_least}-{shape.degree_most}" if shape else "-",
        result.connections,
        round(result.memory_bytes / (1 << 20)),
        round(rest.bytes_per_node_s) if rest else "-",
        round(100 * rest.cpu_share, 1) if rest else "-",
        round(1000 * casts.each_s[0], 1) if casts and casts.each_s else "-",
        round(1000 * _median(casts.last_s), 1) if casts and casts.last_s else "-",
        round(casts.redundancy, 2) if casts else "-",
        loss.nodes if loss else "-",
        _seconds(loss.noticed_s) if loss else "-",
        _seconds(loss.healed_s) if loss else "-",
        "sound" if result.is_good else "FAILED",
    ]


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f}"


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
