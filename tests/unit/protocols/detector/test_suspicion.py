"""Tests of how long a suspect has."""

from __future__ import annotations

import math

import pytest

from partisan_actors.protocols.detector.suspicion import Suspicion, suspicion_timeout


def suspicion(enough: int = 3) -> Suspicion:
    """Between 4 and 10 seconds, begun at 100 by "a"."""
    return Suspicion(1, 0, "a", 100.0, enough, 4.0, 10.0)


@pytest.mark.parametrize(
    ("confirmations", "expected_s"),
    [(0, 10.0), (1, 10 - 6 * math.log(2) / math.log(4)), (2, 10 - 6 * math.log(3) / math.log(4)), (3, 4.0), (9, 4.0)],
)
def test_the_timeout_is_lifeguards_formula(confirmations: int, expected_s: float) -> None:
    assert suspicion_timeout(confirmations, 3, 4.0, 10.0) == pytest.approx(expected_s)


def test_where_nobody_can_confirm_it_takes_the_least() -> None:
    assert suspicion_timeout(0, 0, 4.0, 10.0) == 4.0


def test_each_independent_confirmation_shortens_it_and_a_repeated_one_does_not() -> None:
    suspect = suspicion()
    ends = [suspect.ends_at]

    for by, is_news in (("a", False), ("b", True), ("b", False), ("c", True), ("d", True), ("e", False)):
        assert suspect.confirm(by) == is_news
        if is_news:
            ends.append(suspect.ends_at)

    assert ends[0] == 110.0 and ends[-1] == 104.0
    assert ends == sorted(ends, reverse=True) and len(set(ends)) == 4
    assert suspect.confirmations == 3


def test_time_in_which_nothing_could_be_heard_is_given_back() -> None:
    suspect = suspicion()

    suspect.postpone(2.5)

    assert suspect.ends_at == 112.5
