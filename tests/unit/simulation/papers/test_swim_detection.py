"""SWIM's experiment: who tells what, and when."""

from __future__ import annotations

from partisan_actors.protocols.detector.opinions import Confirmed, Suspected
from partisan_actors.simulation.papers.swim_detection import Group


def test_every_survivor_of_a_group_suspects_the_dead_one_at_the_end_of_a_period_and_then_confirms_it() -> None:
    group = Group(10, seed=3)
    group.run_periods(4.99)

    group.simulation.kill(6)
    group.run_periods(30)

    suspected, confirmed = group.times(Suspected, 6), group.times(Confirmed, 6)
    assert len(suspected) == len(confirmed) == 9
    assert round(suspected[0], 3) == round(suspected[0]), "the first finds out at the end of a period"
    assert suspected == sorted(suspected) and confirmed[0] > suspected[0]
    assert all(not group.times(Suspected, peer) for peer in range(10) if peer != 6)


def test_without_a_crash_nobody_is_suspected() -> None:
    group = Group(10, seed=4)

    group.run_periods(20)

    assert group.told == []
