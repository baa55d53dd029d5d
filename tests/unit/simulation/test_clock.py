"""Clock: one total order of everything that happens."""

from __future__ import annotations

import pytest

from partisan_actors.simulation.clock import Clock, nanoseconds


def test_events_happen_in_the_order_of_their_time_and_then_of_their_scheduling() -> None:
    clock = Clock()
    happened: list[str] = []
    for time_ns, name in [(20, "late"), (10, "first"), (10, "second"), (5, "early")]:
        clock.at(time_ns, happened.append, name)

    count = clock.run_until(20)

    assert happened == ["early", "first", "second", "late"]
    assert count == 4


def test_time_stands_at_the_event_while_it_happens_and_at_the_end_afterwards() -> None:
    clock = Clock()
    times: list[int] = []
    clock.at(7, lambda: times.append(clock.now_ns))

    clock.run_until(nanoseconds(2.5))

    assert times == [7]
    assert clock.now_s == 2.5


def test_what_lies_beyond_the_end_waits() -> None:
    clock = Clock()
    happened: list[int] = []
    clock.at(11, happened.append, 11)

    clock.run_until(10)
    waiting = len(clock)
    clock.run_until(11)

    assert (waiting, happened) == (1, [11])


def test_an_event_may_schedule_another_at_the_same_instant() -> None:
    clock = Clock()
    happened: list[int] = []
    clock.at(10, lambda: clock.at(10, happened.append, 1))

    clock.run_until(10)

    assert happened == [1]


def test_nothing_can_be_scheduled_in_the_past() -> None:
    clock = Clock()
    clock.run_until(10)

    with pytest.raises(ValueError, match="10 ns already"):
        clock.at(9, print)
