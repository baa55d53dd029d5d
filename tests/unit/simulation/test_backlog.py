"""Backlog: what waits, for how long, and in which order."""

from __future__ import annotations

import pytest

from partisan_actors.simulation import backlog as backlogs
from partisan_actors.simulation.backlog import Backlog
from partisan_actors.simulation.clock import Clock


def handled(clock: Clock) -> tuple[Backlog, list[tuple[int, object]], object]:
    done: list[tuple[int, object]] = []
    return Backlog(clock), done, lambda what: done.append((clock.now_ns, what))


def test_it_is_not_needed_where_nothing_is_slow() -> None:
    assert not Backlog(Clock()).is_needed


def test_what_was_put_during_a_stall_comes_at_its_end_and_then_it_is_needed_no_more() -> None:
    clock = Clock()
    backlog, done, handle = handled(clock)
    backlog.stall(100)
    backlog.stall(70)  # within the other

    for what in "ab":
        backlog.put(handle, what)  # type: ignore[arg-type]  # a function of the test's
    clock.run_until(200)

    assert done == [(100, "a"), (100, "b")] and not backlog.is_needed


def test_two_reasons_to_be_slow_add_up_while_both_last() -> None:
    clock = Clock()
    backlog, done, handle = handled(clock)
    backlog.slow_down(10, until_ns=1_000)
    backlog.slow_down(5, until_ns=20)

    for what in "abc":
        backlog.put(handle, what)  # type: ignore[arg-type]  # a function of the test's
    clock.run_until(200)

    assert done == [(15, "a"), (30, "b"), (40, "c")]


def test_what_an_input_leads_to_at_once_queues_up_behind_the_others() -> None:
    clock = Clock()
    backlog, done, handle = handled(clock)
    backlog.slow_down(10, until_ns=1_000)

    backlog.put(lambda: backlog.put(handle, "led to"))  # type: ignore[arg-type]  # a function of the test's
    backlog.put(handle, "was there")  # type: ignore[arg-type]  # the same
    clock.run_until(200)

    assert done == [(20, "was there"), (30, "led to")]


def test_when_it_is_closed_nothing_more_comes() -> None:
    clock = Clock()
    backlog, done, handle = handled(clock)
    backlog.stall(100)
    backlog.put(handle, "a")  # type: ignore[arg-type]  # a function of the test's

    backlog.close()
    clock.run_until(200)

    assert done == []


def test_it_is_full_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlogs, "INPUTS_MAX", 2)
    backlog, _, handle = handled(Clock())
    backlog.stall(100)

    full = []
    for _ in range(3):
        full.append(backlog.is_full)
        backlog.put(handle, "a")  # type: ignore[arg-type]  # a function of the test's

    assert full == [False, False, True]
