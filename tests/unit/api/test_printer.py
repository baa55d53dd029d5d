"""The printer: lines in order, by stream, and a terminal that is slow holds up nobody for long."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from partisan_actors.api.printer import LINES_MAX, Printer
from partisan_actors.api.repeats import Repeats
from partisan_actors.node.printed import Line, Writer

A = Writer("A", 1, "a")


def test_lines_are_shown_in_order_each_on_its_stream(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(repeats=None)

    printer.take([Line(A, "one"), Line(A, "bad", is_error=True)])
    printer.take([Line(A, "two")])
    printer.close(60)

    captured = capsys.readouterr()
    assert captured.out == "(A pid=1, node=a) one\n(A pid=1, node=a) two\n"
    assert captured.err == "(A pid=1, node=a) bad\n"


def test_what_is_repeated_is_told_at_the_end_at_the_latest(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(repeats=Repeats())

    printer.take([Line(A._replace(pid=pid), "hello") for pid in range(4)])
    printer.close(60)

    assert capsys.readouterr().out.splitlines() == [
        "(A pid=0, node=a) hello",
        "(A pid=3, node=a) hello [repeated 3x across the cluster]",
    ]


class Slow(io.StringIO):
    """A terminal that takes nothing until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.is_written_to = threading.Event()
        self.may_go_on = threading.Event()

    def write(self, text: str) -> int:
        self.is_written_to.set()
        self.may_go_on.wait(60)
        return super().write(text)


def test_a_terminal_that_takes_nothing_costs_lines_and_no_time_and_they_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = Slow()
    monkeypatch.setattr(sys, "stdout", slow)
    monkeypatch.setattr(sys, "stderr", errors := io.StringIO())
    printer = Printer(repeats=None)
    printer.take([Line(A, "first")])
    assert slow.is_written_to.wait(60)

    printer.take([Line(A, str(number)) for number in range(LINES_MAX + 100)])  # would never return, if it waited
    printer.take([Line(A, "more")] * 5)
    assert printer.dropped == 105
    slow.may_go_on.set()
    printer.close(60)

    assert slow.getvalue().count("\n") == 1 + LINES_MAX
    assert "105 lines are not shown" in errors.getvalue()


def test_nothing_is_started_for_nothing_and_what_comes_after_the_end_is_dropped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = threading.active_count()
    printer = Printer(repeats=None)
    assert threading.active_count() == before

    printer.close(60)
    printer.take([Line(A, "late")])

    assert capsys.readouterr().out == ""


def test_a_character_that_the_terminal_has_not_is_written_out_and_costs_no_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", narrow := io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    printer = Printer(repeats=None)

    printer.take([Line(A, "before"), Line(A, "caf\u00e9"), Line(A, "after")])
    printer.close(60)

    narrow.seek(0)
    assert [line.split(") ")[1] for line in narrow.read().splitlines()] == ["before", "caf\\xe9", "after"]
