"""How long one actor's calls took: what is told of it, and how it comes from the meter of its class."""

from __future__ import annotations

import pytest

from partisan_actors.telemetry.actor_times import NOT_TIMED, ActorTimes
from partisan_actors.telemetry.meters import PERIOD_MAX, Meters

MS = 1_000_000


class Clock:
    """Goes on by what it is told to, each time it is looked at."""

    now = 10**9
    step = 0

    def __call__(self) -> int:
        self.now += self.step
        return self.now


def test_of_an_actor_of_which_no_call_was_timed_nothing_is_known() -> None:
    assert ActorTimes().figures() == NOT_TIMED
    assert set(NOT_TIMED.values()) == {None}


def test_the_slow_call_is_the_slowest_and_moves_the_95th_of_a_hundred_only_with_others() -> None:
    times = ActorTimes()
    for _ in range(99):
        times.timed(0, MS, 1)
    times.timed(200 * MS, 300 * MS, 1)

    figures = times.figures()

    assert figures["slowest_s"] == pytest.approx(0.5)
    assert figures["run_p95_s"] is not None and figures["run_p95_s"] <= 0.001
    assert figures["latency_p95_s"] == pytest.approx(figures["run_p95_s"] + (figures["wait_p95_s"] or 0))


def test_a_call_stands_for_those_left_out() -> None:
    times = ActorTimes()
    times.timed(MS, 2 * MS, 10)

    told = times.plain()

    assert (told["wait"]["count"], told["run"]["count"]) == (10, 10)
    assert (told["wait"]["sum"], told["run"]["sum"]) == (pytest.approx(0.01), pytest.approx(0.02))


def test_a_timed_call_tells_its_actor_what_it_tells_the_meter() -> None:
    clock, times = Clock(), ActorTimes()
    meters = Meters(clock)
    timing = meters.of_class("A").asks["m"].arrived()
    assert timing is not None
    clock.now += 3 * MS
    timing.begin()
    clock.now += 7 * MS

    timing.end(ValueError("no"), times)

    (row,) = meters.rows({})
    assert {name: row[name] for name in ("wait", "run")} == {name: times.plain()[name] for name in ("wait", "run")}
    assert times.slowest_s == pytest.approx(0.01)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 7, 8, 10, 16, 100, 128])
def test_actors_that_are_called_by_turns_are_timed_by_turns_however_busy_they_are(count: int) -> None:
    clock = Clock()
    clock.step = 1
    meter, timed = Meters(clock).of_class("A").asks["m"], [0] * count

    for number in range(4 * PERIOD_MAX * count):
        timing = meter.arrived()
        if timing is not None:
            timed[number % count] += 1

    assert min(timed) >= 3
