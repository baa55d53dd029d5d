"""The demo's report at a terminal says what the plain one says."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from partisan_actors.cli.demo.report import facts, tables, verdict
from partisan_actors.cli.demo.terminal import print_report
from tests.unit.cli.test_demo_report import OUTCOME, TRACE, WRONG


def printed(width: int, **changes: str) -> str:
    """The report of OUTCOME on a terminal of that many columns."""
    console = Console(file=StringIO(), width=width, force_terminal=True, no_color=True)
    print_report(OUTCOME, replace(TRACE, **changes), console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_terminal_shows_every_cell_and_every_fact() -> None:
    text = printed(400)

    for table in tables(OUTCOME):
        assert table.title in text and all(cell in text for cells in table.rows for cell in cells)
    assert all(what in text and fact in text for what, fact in facts(OUTCOME, TRACE))
    assert verdict(OUTCOME) in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert all(len(line) <= width for line in _bare(printed(width)).splitlines())


def test_a_path_with_brackets_is_not_taken_for_a_style() -> None:
    assert "/tmp/[bold]/trace.jsonl" in printed(400, text="/tmp/[bold]/trace.jsonl")


def test_a_wrong_answer_is_shown() -> None:
    console = Console(file=StringIO(), width=200)
    print_report(WRONG, TRACE, console)

    assert isinstance(console.file, StringIO) and "5 of 10 answers differ" in console.file.getvalue()


def _bare(text: str) -> str:
    """Without escape sequences."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
