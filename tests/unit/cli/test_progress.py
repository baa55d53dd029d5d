"""Tests of what somebody sees of work that takes long: a bar, lines, or nothing."""

from __future__ import annotations

import io

import pytest

from partisan_actors.cli import progress
from partisan_actors.cli.progress import LINES_EVERY_S, steps


class Terminal(io.StringIO):
    """What looks like one."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_without_a_terminal_there_is_a_line_now_and_then(clock: Clock) -> None:
    out = io.StringIO()

    with steps("runs", 10, file=out) as done:
        for _ in range(10):
            clock.now += LINES_EVERY_S / 2
            done.advance("none failed")

    assert out.getvalue().splitlines()[:2] == ["runs: 2 of 10, none failed, 5 s", "runs: 4 of 10, none failed, 10 s"]
    assert out.getvalue().count("\n") == 5


def test_what_takes_no_time_says_nothing_unless_each_step_is_to_be_told(clock: Clock) -> None:
    short, each = io.StringIO(), io.StringIO()

    with steps("runs", file=short) as done:
        done.advance()
    with steps("runs", every_s=0.0, file=each) as done:
        done.advance()
        done.reach(5)

    assert short.getvalue() == "" and each.getvalue() == "runs: 1, 0 s\nruns: 5, 0 s\n"


def test_a_terminal_gets_a_bar_that_goes_away() -> None:
    out = Terminal()

    with steps("runs", 4, file=out) as done:
        done.advance("one failed")

    assert "runs" in out.getvalue() and "1/4" in out.getvalue() and "one failed" in out.getvalue()
    assert out.getvalue().endswith("\x1b[2K"), "the line is cleared at the end"


def test_quiet_is_quiet_even_at_a_terminal() -> None:
    out = Terminal()

    with steps("runs", 4, quiet=True, every_s=0.0, file=out) as done:
        done.advance("one failed")

    assert out.getvalue() == "" and done.done == 1
