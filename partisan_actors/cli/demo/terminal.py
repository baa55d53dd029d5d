"""The report for a person at a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from partisan_actors.cli.demo.outcome import Outcome
from partisan_actors.cli.demo.report import facts, is_right, tables, verdict
from partisan_actors.cli.demo.trace import Trace

__all__ = ["print_report"]


def print_report(outcome: Outcome, trace: Trace, console: Console) -> None:
    """Print the whole report in colour."""
    for each in tables(outcome):
        table = Table(*each.headings, title=each.title, title_justify="left", box=box.SIMPLE_HEAD)
        for cells in each.rows:
            table.add_row(*cells, style="red" if cells[-1] == "killed" else None)
        console.print(table)
    grid = Table.grid(padding=(0, 2))
    for what, text in facts(outcome, trace):
        grid.add_row(Text(what, style="bold"), Text(text))
    console.print(grid)
    console.print()
    console.print(Text(verdict(outcome), style="bold green" if is_right(outcome) else "bold red"))
