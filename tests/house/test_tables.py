"""Every row of a page's tables has as many cells as its head: one that has more is cut where it is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tests.house.source import ROOT, files

_FENCED: Final = re.compile(r"^(```+|~~~+).*?^\1", re.MULTILINE | re.DOTALL)
_TABLE: Final = re.compile(r"^(?:\|.*\n?)+", re.MULTILINE)
_BAR: Final = re.compile(r"(?<!\\)\|")


def uneven_rows(page: str) -> Iterator[str]:
    """The rows that have more or fewer cells than the head of their table. A bar in code counts, unless escaped."""
    for found in _TABLE.finditer(_FENCED.sub("", page)):
        head, *rows = found[0].splitlines()
        yield from (row for row in rows if len(_BAR.findall(row)) != len(_BAR.findall(head)))


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    uneven = {page.name: list(uneven_rows(page.read_text(encoding="utf-8"))) for page in files(ROOT, ".md")}

    assert uneven
    assert {name: rows for name, rows in uneven.items() if rows} == {}


def test_a_bar_in_code_that_is_not_escaped_is_found() -> None:
    page = "| a | b |\n|---|---|\n| `x|y` | z |\n| `x\\|y` | z |\n\n```\n| shown | as | it is |\n```\n"

    assert list(uneven_rows(page)) == ["| `x|y` | z |"]
