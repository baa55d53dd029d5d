"""Tests of meters: every call is counted, busy methods are timed now and then, and nothing grows without end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from partisan_actors.telemetry import meters as module
from partisan_actors.telemetry.meters import ASK, OTHERS, PERIOD_MAX, QUIET_NS, TASK, TELL, TIMED_EVERY_NS, Meters


class Clock:
    """Shows what it is set to."""

    now = 10**9

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meters(clock: Clock) -> Meters:
    return Meters(clock)


def call(meters: Meters, clock: Clock, every_ns: int, run_ns: int = 0, count: int = 1) -> Iterator[bool]:
    """Call `A.m` so many times, and say of each whether it was timed."""
    meter = meters.of_class("A").asks["m"]
    for _ in range(count):
        clock.now += every_ns
        timing = meter.arrived()
        if timing is not None:
            clock.now += run_ns
            timing.end()
        yield timing is not None


def test_each_call_of_a_method_that_is_called_seldom_is_timed(meters: Meters, clock: Clock) -> None:
    timed = list(call(meters, clock, every_ns=TIMED_EVERY_NS + 1, run_ns=5_000_000, count=50))

    (row,) = meters.rows({})
    assert all(timed)
    assert (row["calls"], row["run"]["count"], row["run"]["sum"]) == (50, 50, pytest.approx(0.25))


def test_of_a_busy_method_some_calls_stand_for_the_others(meters: Meters, clock: Clock) -> None:
    every_ns = 10 * TIMED_EVERY_NS // PERIOD_MAX
    timed = sum(call(meters, clock, every_ns=every_ns, count=10_000))

    (row,) = meters.rows({})
    assert row["calls"] == 10_000
    assert timed == pytest.approx(10_000 * every_ns / TIMED_EVERY_NS, rel=0.1)
    assert 10_000 - PERIOD_MAX <= row["run"]["count"] <= 10_000


def test_however_busy_a_method_is_one_of_so_many_calls_is_timed(meters: Meters, clock: Clock) -> None:
    timed = list(call(meters, clock, every_ns=1, count=20 * PERIOD_MAX))

    first = timed.index(True)
    gaps = [index for index, was_timed in enumerate(timed[first:]) if was_timed]
    assert max(later - earlier for earlier, later in pairwise(gaps)) == PERIOD_MAX


def test_a_method_that_rests_has_each_call_timed_again_and_its_histogram_is_whole(meters: Meters, clock: Clock) -> None:
    list(call(meters, clock, every_ns=1_000, count=1_000 + PERIOD_MAX // 2))
    clock.now += QUIET_NS
    meters.rest()

    (row,) = meters.rows({})
    assert row["calls"] == row["run"]["count"] == row["wait"]["count"] == 1_000 + PERIOD_MAX // 2
    assert all(call(meters, clock, every_ns=TIMED_EVERY_NS + 1, count=3))


def test_a_method_that_is_still_busy_is_left_alone(meters: Meters, clock: Clock) -> None:
    list(call(meters, clock, every_ns=1_000, count=1_000))
    before = meters.rows({})
    meters.rest()

    assert meters.rows({}) == before


def test_buckets_never_lose_anything(meters: Meters, clock: Clock) -> None:
    buckets = [0] * 20
    for round_number in range(30):
        list(call(meters, clock, every_ns=1_000, run_ns=round_number * 40_000, count=77))
        clock.now += QUIET_NS if round_number % 3 == 0 else 0
        meters.rest()
        (row,) = meters.rows({})
        assert all(new >= old for new, old in zip(row["run"]["buckets"], buckets, strict=True))
        buckets = row["run"]["buckets"]


def test_waiting_and_running_are_told_apart(meters: Meters, clock: Clock) -> None:
    timing = meters.of_class("A").tells["m"].arrived()
    assert timing is not None
    clock.now += 2_000_000_000
    timing.begin()
    clock.now += 1_000_000
    timing.end()

    (row,) = meters.rows({})
    assert (row["kind"], row["wait"]["sum"], row["run"]["sum"]) == (TELL, 2.0, 0.001)


def test_rows_say_what_is_called_how_and_what_is_in_flight(meters: Meters) -> None:
    meters.of_class("A").of(7, "m").arrived()
    meters.of_class("A").of(None, "m").arrived()
    meters.of_task("f").arrived()

    rows = meters.rows({("A", "m", ASK): 3})

    assert [(row["class"], row["method"], row["kind"], row["in_flight"]) for row in rows] == [
        ("A", "m", ASK, 3),
        ("A", "m", TELL, 0),
        ("task", "f", TASK, 0),
    ]


def test_methods_that_nobody_has_called_have_no_row(meters: Meters) -> None:
    meters.of_class("A").quick(frozenset({"m", "n"}))

    assert meters.rows({}) == []


def test_the_meters_of_plain_calls_are_those_of_all_asks(meters: Meters) -> None:
    of_a = meters.of_class("A")

    assert of_a.quick(frozenset({"m"})) == {"m": of_a.of(1, "m")}
    assert of_a.quick(frozenset({"m"})) is of_a.quick(frozenset({"m"}))


def test_beyond_the_bound_classes_and_tasks_share_a_meter(meters: Meters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLASSES_MAX", 2)
    for name in "ABCDAB":
        meters.of_class(name).of(1, "m").arrived()
        meters.of_task(name).arrived()

    counts = {(row["class"], row["method"]): row["calls"] for row in meters.rows({})}
    assert counts[OTHERS, "m"] == counts["task", OTHERS] == 2
    assert counts["A", "m"] == counts["task", "A"] == 2
