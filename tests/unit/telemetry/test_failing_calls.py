"""Which call is held to be at fault when an actor has failed."""

from __future__ import annotations

from partisan_actors.telemetry.context import SAMPLED, TraceContext
from partisan_actors.telemetry.failing_calls import ACTORS_MAX, WITHIN_NS, FailingCalls


def context(number: int, flags: int = SAMPLED) -> TraceContext:
    return TraceContext(number, number, flags)


def test_of_calls_that_fail_together_it_is_the_first_and_it_is_told_once() -> None:
    calls = FailingCalls()
    for number in (1, 2, 3):
        calls.note("an actor", context(number), number)

    assert calls.take("an actor", 4) == context(1)
    assert calls.take("an actor", 5) is None


def test_it_is_none_of_calls_that_failed_long_before() -> None:
    calls = FailingCalls()
    calls.note("an actor", context(1), 0)
    calls.note("another", context(2), 0)

    assert calls.take("an actor", WITHIN_NS) is None
    calls.note("another", context(3), WITHIN_NS)
    assert calls.take("another", WITHIN_NS + 1) == context(3)


def test_what_is_not_sampled_is_nobodys_cause_for_it_cannot_be_looked_at() -> None:
    calls = FailingCalls()
    calls.note("an actor", context(1, flags=0), 0)

    assert calls.take("an actor", 1) is None


def test_so_many_actors_are_remembered_and_those_that_failed_last() -> None:
    calls = FailingCalls()
    for number in range(ACTORS_MAX + 10):
        calls.note(number, context(number + 1), number)

    known = [number for number in range(ACTORS_MAX + 10) if calls.take(number, ACTORS_MAX) is not None]

    assert known == list(range(10, ACTORS_MAX + 10))
