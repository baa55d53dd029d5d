"""The table for a person at a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from partisan_actors.cli.bench.report import HEADINGS, Verdict, lines, remarks
from partisan_actors.cli.bench.rows import Row
from partisan_actors.cli.bench.samples import Measurement

__all__ = ["print_table"]

COLOURS = {Verdict.PASS: "green", Verdict.MISS: "yellow", Verdict.FAILED: "red"}
TEXT_COLUMNS = ("row", "mode", "bound", "verdict")
WIDTH_MAX = 10_000
DROPPED_WHEN_NARROW = ("spread", "ours p99", "floor", "ours")
"""Which columns a narrow terminal does without, in the order they are given up. The verdict needs none of them."""


def print_table(results: Sequence[tuple[Row, Measurement]], console: Console) -> None:
    """Print the table in colour, as much of it as the terminal is wide, and the remarks below it."""
    # Measured against its own width, the console would say of any table that it just fits.
    unlimited = console.options.update_width(WIDTH_MAX)
    table = _table(results, ())
    for dropped in range(1, len(DROPPED_WHEN_NARROW) + 1):
        if console.measure(table, options=unlimited).maximum <= console.width:
            break
        table = _table(results, DROPPED_WHEN_NARROW[:dropped])
    console.print(table)
    for row, remark in remarks(results):
        console.print(f"{row.key}: {remark}", markup=False, highlight=False)


def _table(results: Sequence[tuple[Row, Measurement]], dropped: Collection[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for heading in HEADINGS:
        if heading not in dropped:
            is_text = heading in TEXT_COLUMNS
            table.add_column(heading, justify="left" if is_text else "right", no_wrap=heading != "row")
    for line in lines(results):
        cells = [cell for heading, cell in zip(HEADINGS, line.cells, strict=True) if heading not in dropped]
        if line.verdict is not None:
            cells[-1] = f"[{COLOURS[line.verdict]}]{cells[-1]}[/]"
        table.add_row(*cells)
    return table
