"""From measurements to verdicts and tables: lines of cells, plain text, JSON and the documentation page. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from partisan_actors.cli.bench.environment import Machine
from partisan_actors.cli.bench.rows import ROWS, Bound, Quantity, Row, Sense
from partisan_actors.cli.bench.samples import Comparison, Measurement, geometric_mean

__all__ = [
    "HEADINGS",
    "Line",
    "Verdict",
    "lines",
    "machine_lines",
    "markdown_page",
    "measured",
    "overall_ratio",
    "plain_table",
    "ratio",
    "to_json",
    "verdict",
]

HEADINGS = ("row", "mode", "floor", "ours", "ours p99", "spread", "measured", "bound", "verdict")


class Verdict(StrEnum):
    """What a row amounts to. A row that could not be measured has failed: it keeps no bound."""

    PASS = "pass"
    MISS = "miss"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line: a mode of a comparative row, or an absolute row. `verdict` is None on all but a row's first."""

    cells: tuple[str, ...]
    verdict: Verdict | None


def ratio(row: Row, comparison: Comparison) -> float:
    """Ours to the floor's in the sense of the row: of durations for a latency, of rates for a rate."""
    durations = comparison.ours.median / comparison.floor.median
    return durations if row.quantity is Quantity.LATENCY else 1 / durations


def measured(row: Row, measurement: Measurement) -> float | None:
    """The value that is held against the bound: the worst mode's ratio, or the figure. None when there is none."""
    if measurement.failure:
        return None
    if measurement.comparisons:
        return row.bound.worst([ratio(row, comparison) for comparison in measurement.comparisons])
    return measurement.figure.median if measurement.figure is not None else None


def overall_ratio(row: Row, measurement: Measurement) -> float | None:
    """The geometric mean of the modes' ratios. None for a row that is no comparison or was not measured."""
    if measurement.failure or not measurement.comparisons:
        return None
    return geometric_mean([ratio(row, comparison) for comparison in measurement.comparisons])


def verdict(row: Row, measurement: Measurement) -> Verdict:
    """Whether the row keeps its bound, in every mode."""
    value = measured(row, measurement)
    if value is None:
        return Verdict.FAILED
    return Verdict.PASS if row.bound.holds(value) else Verdict.MISS


def lines(results: Iterable[tuple[Row, Measurement]]) -> list[Line]:
    """The table, line by line. A row measured in several modes ends with a line for their geometric mean."""
    found: list[Line] = []
    for row, measurement in results:
        found.extend(_row_lines(row, measurement))
    return found


def plain_table(results: Sequence[tuple[Row, Measurement]]) -> str:
    """The table as aligned plain text, with a remark below for every note and failure."""
    table = [HEADINGS, *(line.cells for line in lines(results))]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(HEADINGS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in table]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*text, *(f"{row.key}: {remark}" for row, remark in remarks(results))])


def remarks(results: Iterable[tuple[Row, Measurement]]) -> list[tuple[Row, str]]:
    """What the table has no column for."""
    return [(row, found.failure or found.note) for row, found in results if found.failure or found.note]


def to_json(machine: Machine, results: Iterable[tuple[Row, Measurement]], *, quick: bool) -> dict[str, Any]:
    """Everything, for a program to read. Durations are in seconds; absolute figures in the row's unit."""
    return {
        "machine": machine.to_json(),
        "quick": quick,
        "rows": [
            {
                "title": row.title,
                "quantity": row.quantity.value,
                "unit": row.unit,
                "units_per_operation": row.units_per_operation,
                "bound": {"sense": row.bound.sense.value, "limit": row.bound.limit, "aim": row.bound.aim},
                "measured": measured(row, found),
                "ratios": {comparison.mode: ratio(row, comparison) for comparison in found.comparisons},
                "geometric_mean": overall_ratio(row, found),
                "verdict": verdict(row, found).value,
                **found.to_json(),
            }
            for row, found in results
        ],
    }


def markdown_page(machine: Machine, results: Sequence[tuple[Row, Measurement]], *, quick: bool) -> str:
    """The documentation page: the table, how each row was measured, and on which machine."""
    kept = sum(verdict(row, found) is Verdict.PASS for row, found in results)
    sections = [
        "# Benchmarks",
        "What a call costs over the least it could cost: two processes that exchange msgpack over one TCP connection "
        "on uvloop, with no framework between them (*the floor*). Generated by "
        "`partisan bench --markdown docs/benchmarks.md`; `make bench` prints the same table for your machine.",
        *(["**A quick run: the figures are rough.**"] if quick else []),
        f"{kept} of {len(results)} rows keep their bound.",
        "\n".join(_markdown_table([HEADINGS, *(line.cells for line in lines(results))])),
        *(["\n".join(f"- {row.title}: {remark}" for row, remark in remarks(results))] if remarks(results) else []),
        "## How it was measured",
        _HOW,
        "\n".join(f"- **{row.title}** ({bound_text(row.bound, row)}): {row.how}" for row, _ in results),
        "## On which machine",
        "\n".join(machine_lines(machine)),
    ]
    return "\n\n".join(sections) + "\n"


_HOW = """\
Floor and ours are called from the same process in short alternating turns, and who begins alternates too. Each turn's
operations are timed one by one; a figure is the median of the turns' medians, `p99` is over all samples, and `spread`
is how far the middle 80 % of the turns' medians lie apart, as a share of the figure, for whichever side it is more. A
pair of processes keeps some
of its luck for life, so a row has several sittings, each with a new answering process on both sides and a first round
that is not recorded. Every row runs in a process of its own, with one worker node and default options.

Calls that go one at a time have two speeds on most machines: caller and answerer take turns on one core, or each has
its own and every message must first wake a halted core. The kernel changes between the two as it likes. Latency rows
are therefore measured pinned to one core and pinned to two, each mode compared with the floor in that mode; the row's
measured value is the worse of the two, and the geometric mean is shown below them. Rows that keep both sides busy are
pinned to a core each. Memory, imports and the cold start are not pinned.

A bound on a latency is on the ratio of times (less is better); a bound on a rate is on the ratio of rates (more is
better). The rows:"""


def _row_lines(row: Row, found: Measurement) -> list[Line]:
    outcome = verdict(row, found)
    bound = bound_text(row.bound, row)
    value = measured(row, found)
    if value is None:
        return [Line((row.title, "", "", "", "", "", "-", bound, outcome.value), outcome)]
    if found.figure is not None:
        figure = found.figure
        spread = percent(figure.spread) if figure.count > 1 else ""
        return [
            Line((row.title, "", "", "", "", spread, f"{number_text(value)} {row.unit}", bound, outcome.value), outcome)
        ]
    text: list[Line] = []
    for comparison in found.comparisons:
        sides = (comparison.floor.median, comparison.ours.median, comparison.ours.p99)
        noisier = max(comparison.floor.spread, comparison.ours.spread)  # says how far to trust the ratio
        cells = (comparison.mode, *(side_text(row, side) for side in sides), percent(noisier))
        times = f"{ratio(row, comparison):.2f}x"
        head, tail = ((row.title,), (bound, outcome.value)) if not text else (("",), ("", ""))
        text.append(Line((*head, *cells, times, *tail), None if text else outcome))
    mean = overall_ratio(row, found)
    if len(text) > 1 and mean is not None:
        text.append(Line(("", "geometric mean", "", "", "", "", f"{mean:.2f}x", "", ""), None))
    return text


def side_text(row: Row, seconds: float) -> str:
    """One side's seconds per operation in the row's unit: a duration, or the rate it amounts to."""
    if row.quantity is Quantity.LATENCY:
        return f"{seconds * 1e6:,.1f} {row.unit}"
    return f"{row.units_per_operation / seconds:,.0f} {row.unit}"


def bound_text(bound: Bound, row: Row) -> str:
    """A bound as it is read aloud, with the aim where there is one."""
    sign = "<=" if bound.sense is Sense.AT_MOST else ">="
    unit = f" {row.unit}" if row.quantity is Quantity.ABSOLUTE else "x"
    aim = f" (aim {bound.aim:g}{unit})" if bound.aim is not None else ""
    return f"{sign} {bound.limit:,g}{unit}{aim}"


def number_text(value: float) -> str:
    """A number with as many digits as its size deserves."""
    size = abs(value)
    if size == int(size) or size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def percent(share: float) -> str:
    """A share as whole percent."""
    return f"{share * 100:.0f} %"


def _markdown_table(table: Sequence[Sequence[str]]) -> list[str]:
    rendered = ["| " + " | ".join(cells) + " |" for cells in table]
    return [rendered[0], "|" + " --- |" * len(HEADINGS), *rendered[1:]]


def machine_lines(machine: Machine) -> list[str]:
    """On which machine it was measured, as a list of the manual."""
    load = "unknown" if machine.load_before is None else f"{machine.load_before:g}"
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    return [
        f"- {machine.processor}, {machine.cores} cores, {machine.memory_gib:g} GiB of memory, {machine.system}",
        f"- {machine.python}, {versions}",
        f"- {machine.date}; load average before the run: {load}",
    ]


def in_table_order(results: Iterable[Measurement]) -> list[tuple[Row, Measurement]]:
    """Each measurement beside its row, in the order of the table."""
    by_row = {found.row: found for found in results}
    return [(row, by_row[row.key]) for row in ROWS if row.key in by_row]
