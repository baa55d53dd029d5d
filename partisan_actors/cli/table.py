"""Tables: in colour for a person at a terminal, plain text for everything else."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from partisan_actors.cli.fitting import GAP as GAP_WIDTH
from partisan_actors.cli.fitting import fitted
from partisan_actors.cli.tame import tame

__all__ = ["amount", "counted", "plain_table", "rich_table", "show_table"]

GAP: Final = " " * GAP_WIDTH
STYLES: Final[Mapping[str, str]] = {
    "up": "green",
    "alive": "green",
    "suspect": "yellow",
    "down": "red",
    "left": "dim",
    "starting": "yellow",
    "restarting": "yellow",
    "no answer": "red",
}
"""How a cell with exactly that text looks at a terminal."""


def show_table(headings: Sequence[str], rows: Sequence[Sequence[Any]], spare: Sequence[str] = ()) -> None:
    """Print it, with numbers to the right. At a terminal that is too narrow the `spare` columns are left out first."""
    if sys.stdout.isatty():
        from rich.console import Console

        console = Console()
        console.print(rich_table(headings, rows, console.width, spare))
    else:
        click.echo(plain_table(headings, rows))


def plain_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Aligned columns, two blanks apart, headings first; numbers stand to the right."""
    lines = [list(headings), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    to_right = [_is_numeric(rows, column) for column in range(len(headings))]
    return "\n".join(
        GAP.join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, to_right, strict=True)
        ).rstrip()
        for line in lines
    )


def amount(value: float) -> str:
    """A number without a needless fraction."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def counted(number: int, noun: str) -> str:
    """So many of them: "1 node", "2 nodes"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def rich_table(headings: Sequence[str], rows: Sequence[Sequence[Any]], width: int, spare: Sequence[str] = ()) -> Any:
    """The same for a terminal of that width, as rich shows it; and a line about the columns that are left out."""
    from rich import box  # only here: a script that reads our output need not wait for it
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    texts = [[_text(cell) for cell in row] for row in rows]
    columns = fitted(headings, texts, width, spare)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP_WIDTH - 1, 0, 0))
    for place, wide in columns.items():
        justify: Any = "right" if _is_numeric(rows, place) else "left"
        table.add_column(headings[place], justify=justify, overflow="fold", width=wide)
    for row in texts:
        table.add_row(*(Text(row[place], style=STYLES.get(row[place], "")) for place in columns))
    out = [heading for place, heading in enumerate(headings) if place not in columns]
    if not out:
        return table
    return Group(table, Text(f"for want of room without {', '.join(out)}", style="dim"))


def _is_numeric(rows: Sequence[Sequence[Any]], column: int) -> bool:
    return bool(rows) and all(isinstance(row[column], (int, float)) or row[column] == "" for row in rows)


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return amount(cell) if isinstance(cell, float) else tame(str(cell))
