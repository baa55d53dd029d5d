"""Lateness: how long announced messages take to come by themselves."""

from __future__ import annotations

import pytest

from partisan_actors.protocols.broadcast.lateness import GRAFTED_MAX, LATE_S, Lateness


def test_the_worst_counts_and_fades() -> None:
    lateness = Lateness()

    lateness.came(0.0, 2.0)
    lateness.came(1.5, 2.0)

    assert lateness.worst_s(2.0) == 2.0
    assert lateness.worst_s(2.0 + LATE_S) == pytest.approx(1.0)


def test_what_came_by_a_graft_says_nothing_until_it_comes_once_more() -> None:
    lateness = Lateness()
    lateness.grafted(("o", 1), 0.0)
    before = lateness.worst_s(1.0)

    lateness.came_again(("o", 1), 3.0)
    lateness.came_again(("o", 1), 9.0)

    assert before == 0.0
    assert lateness.worst_s(3.0) == 3.0


def test_only_the_last_grafts_are_remembered() -> None:
    lateness = Lateness()
    for counter in range(GRAFTED_MAX + 1):
        lateness.grafted(("o", counter), 0.0)

    lateness.came_again(("o", 0), 3.0)

    assert lateness.worst_s(3.0) == 0.0
