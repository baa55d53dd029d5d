"""Tables that fit a terminal: no word is cut, and what is left out is told."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from partisan_actors.cli.fitting import GAP, fitted
from partisan_actors.cli.table import rich_table

HEADINGS = ("node", "dead letters", "id", "why")
ROWS = [
    ["alpha", "3", "actor:n~66151b15a6052/4", "it has stopped, because it was killed by somebody"],
    ["b", "12", "x", ""],
]


def total(columns: dict[int, int]) -> int:
    return sum(columns.values()) + GAP * (len(columns) - 1)


def test_where_there_is_room_all_columns_are_as_wide_as_what_is_in_them() -> None:
    assert fitted(HEADINGS, ROWS, 200, ()) == {0: 5, 1: 7, 2: 23, 3: len(ROWS[0][3])}


def test_sentences_are_folded_before_anything_is_left_out() -> None:
    columns = fitted(HEADINGS, ROWS, 70, ("id",))

    assert list(columns) == [0, 1, 2, 3] and total(columns) == 70


def test_spare_columns_are_left_out_first_and_then_those_on_the_right() -> None:
    assert list(fitted(HEADINGS, ROWS, 40, ("id", "dead letters"))) == [0, 1, 3]
    assert list(fitted(HEADINGS, ROWS, 15, ("id",))) == [0, 1]
    assert list(fitted(HEADINGS, ROWS, 1, ())) == [0]


@pytest.mark.parametrize("width", range(20, 120, 9))
def test_no_line_is_wider_than_the_terminal_and_no_word_is_cut(width: int) -> None:
    shown = io.StringIO()

    Console(file=shown, width=width).print(rich_table(HEADINGS, ROWS, width, ("id",)))

    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "alpha" in shown.getvalue() and "letters" in shown.getvalue()
    has_id = "actor:n~66151b15a6052/4" in shown.getvalue()
    assert has_id != ("for want of room without" in " ".join(shown.getvalue().split()))


def test_a_table_without_rows_fits() -> None:
    assert fitted(("a", "b c"), [], 80, ()) == {0: 1, 1: 1}
