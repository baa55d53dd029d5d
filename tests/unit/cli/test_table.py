"""Tests of tables."""

from __future__ import annotations

import sys

import pytest

from partisan_actors.cli.table import amount, counted, plain_table, show_table


def test_columns_are_aligned_and_numbers_stand_to_the_right() -> None:
    table = plain_table(("node", "actors", "free"), [("a", 1, "x"), ("bee", 12, "")])

    assert table.splitlines() == [
        "node  actors  free",
        "a          1  x",
        "bee       12",
    ]


def test_a_column_with_a_word_in_it_is_text() -> None:
    assert plain_table(("x",), [(1,), ("no",)]).splitlines() == ["x", "1", "no"]


def test_no_rows_are_a_heading() -> None:
    assert plain_table(("a", "b"), []) == "a  b"


def test_nothing_is_shown_for_none() -> None:
    assert plain_table(("a", "b"), [(None, "x")]).splitlines()[1] == "   x"


@pytest.mark.parametrize(("value", "text"), [(2.0, "2"), (0.5, "0.5"), (1 / 3, "0.3333"), (0.0, "0")])
def test_amounts_have_no_needless_fraction(value: float, text: str) -> None:
    assert amount(value) == text


def test_one_is_not_many() -> None:
    assert [counted(number, "node") for number in (0, 1, 2)] == ["0 nodes", "1 node", "2 nodes"]


def test_a_pipe_gets_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("node",), [("[red]a[/]",)])

    assert capsys.readouterr().out == "node\n[red]a[/]\n"


def test_a_terminal_gets_the_same_words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    show_table(("node", "state"), [("[red]a[/]", "up")])

    output = capsys.readouterr().out
    assert "[red]a[/]" in output and "up" in output
