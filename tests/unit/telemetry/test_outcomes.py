"""Durations told apart by how calls ended."""

from __future__ import annotations

from partisan_actors.telemetry.events import CallStatus
from partisan_actors.telemetry.outcomes import ERROR_TYPES_MAX, OTHER_ERRORS, Outcomes

FAILED = CallStatus.APPLICATION_ERROR


def test_what_failed_is_not_among_what_succeeded() -> None:
    outcomes = Outcomes()

    outcomes.observe(2_000_000, 3, None)
    outcomes.observe(4_000_000, 2, (FAILED, KeyError))
    outcomes.observe(1_000_000, 1, (CallStatus.TIMEOUT, TimeoutError))

    found = {(status, error): (plain["count"], round(plain["sum"], 6)) for status, error, plain in outcomes.plain()}
    assert found == {
        ("OK", None): (3, 0.006),
        ("APPLICATION_ERROR", "KeyError"): (2, 0.008),
        ("TIMEOUT", "TIMEOUT"): (1, 0.001),
    }
    assert sum(outcomes.all.buckets) == 6


def test_where_all_has_failed_nothing_is_said_of_success() -> None:
    outcomes = Outcomes()

    outcomes.observe(1, 1, (FAILED, KeyError))

    assert [status for status, _, _ in outcomes.plain()] == ["APPLICATION_ERROR"]


def test_of_very_many_kinds_of_errors_the_later_ones_are_one() -> None:
    outcomes = Outcomes()

    for number in range(ERROR_TYPES_MAX + 5):
        outcomes.observe(1, 1, (FAILED, type(f"Error{number}", (Exception,), {})))

    found = {error: plain["count"] for _, error, plain in outcomes.plain()}
    assert len(found) == ERROR_TYPES_MAX + 1 and found[OTHER_ERRORS] == 5
