"""Tests of rates of counters that are looked at now and then."""

from __future__ import annotations

from partisan_actors.dashboard.rates import KEYS_MAX, Rates


def test_a_rate_needs_two_looks_and_is_kept_for_looks_close_together() -> None:
    rates = Rates()

    assert rates.of("x", 10, 0.0) is None
    assert rates.of("x", 30, 2.0) == 10.0
    assert rates.of("x", 31, 2.1) == 10.0
    assert rates.of("x", 40, 4.0) == 5.0


def test_a_counter_that_began_anew_counts_from_nought_and_an_old_look_does_not_count() -> None:
    rates = Rates()
    rates.of("x", 100, 0.0)

    assert rates.of("x", 8, 2.0) == 4.0
    assert rates.of("x", 1000, 1000.0) is None


def test_only_the_latest_keys_are_remembered() -> None:
    rates = Rates()
    for number in range(KEYS_MAX + 1):
        rates.of(number, 0, 0.0)

    assert rates.of(0, 1, 1.0) is None
    assert rates.of(KEYS_MAX, 1, 1.0) == 1.0
