"""SWIM in groups: the figures of the paper, and what a node that stalls does to itself and to others."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest

from partisan_actors.protocols.detector.opinions import Accused, Cleared, Confirmed, Suspected
from partisan_actors.protocols.detector.swim_options import SwimOptions
from partisan_actors.simulation.network import DROP, PASS
from tests.simulation.swim_cluster import Group

CLASSIC = SwimOptions.classic(period_s=1.0, timeout_s=0.3)
LIFEGUARD = SwimOptions(gossip_factor=3.0, suspicion_grows=True)


@pytest.mark.parametrize("seed", range(3))
def test_a_crash_is_noticed_by_somebody_and_told_to_all(seed: int) -> None:
    group = Group(12, CLASSIC, seed)
    group.sim.run_for(10.0)

    group.sim.kill(5)
    group.sim.run_for(40.0)

    suspected, confirmed = group.told_of(Suspected, 5), group.told_of(Confirmed, 5)
    assert {node for _, node, _ in confirmed} == set(range(12)) - {5}
    assert {node for _, node, _ in suspected} == set(range(12)) - {5}
    assert len(confirmed) == 11 and suspected[0][0] < confirmed[0][0]
    assert len(group.told_of(Suspected)) == 11 and group.told_of(Cleared) == []


@pytest.mark.parametrize("count", [2, 4, 9])
def test_each_node_by_itself_finds_a_silent_one_within_the_documented_bound(count: int) -> None:
    options = SwimOptions()
    for seed in range(5):
        group = Group(count, options, seed)
        group.sim.run_for(10.0 + seed / 5)
        began = group.sim.now_s

        group.sim.kill(1)
        group.sim.run_for(60.0)

        watched = count - 1
        suspected, confirmed = group.told_of(Suspected, 1), group.told_of(Confirmed, 1)
        assert len(suspected) == len(confirmed) == watched
        assert max(at for at, _, _ in suspected) - began <= (2 * watched + 1) * options.period_s + 0.01
        least_s, most_s = options.suspicion_s(count)
        end_s = most_s if count - 2 >= options.confirmations else least_s
        assert max(at for at, _, _ in confirmed) - began <= (2 * watched + 1) * options.period_s + end_s + 0.01


@pytest.mark.slow
def test_the_first_detection_of_a_crash_takes_as_many_periods_as_the_paper_expects() -> None:
    # The paper counts periods, in which all ping at once: its crash is at the beginning of one. Where each node has its
    # own periods, the wait for a ping is 1 period on average, and that ping is judged another one later: 2.
    means = {}
    for together in (True, False):
        first: list[float] = []
        for seed in range(40):
            group = Group(60, replace(CLASSIC, spreads_start=not together), seed)
            group.sim.run_for(4.99)
            for victim in (3, 17, 42):
                began = group.sim.now_s + 0.01
                group.sim.kill(victim)
                group.sim.run_for(12.0)
                first.append(min(at for at, _, _ in group.told_of(Suspected, victim)) - began)
        means[together] = fmean(first)

    print("first detection, in periods:", means)
    assert means[True] == pytest.approx(math.e / (math.e - 1), abs=0.15)
    assert means[False] == pytest.approx(2.0, abs=0.2)


@pytest.mark.slow
def test_under_loss_a_wrong_suspicion_is_as_likely_as_the_paper_says() -> None:
    delivered, count, periods = 0.90, 40, 60
    wrong = total = 0
    for seed in range(6):
        group = Group(count, SwimOptions.classic(period_s=1.0, timeout_s=0.3, helpers=1), seed)
        rng = random.Random(seed)
        # A suspicion must not change who is probed: only own findings are counted, and all are.
        with group.sim.network.rule(lambda s, r, m, rng=rng: PASS if rng.random() < delivered else DROP):
            failures = _count_failed_probes(group)
            group.sim.run_for(periods)
        wrong += len(failures)
        total += count * periods

    # q_f = 1, k = 1: (1 - q^2) (1 - q^4), for one probe of a live member.
    expected = (1 - delivered**2) * (1 - delivered**4)
    print("a probe fails with", wrong / total, "expected", expected)
    assert wrong / total == pytest.approx(expected, rel=0.15)


def _count_failed_probes(group: Group) -> list[int]:
    failures: list[int] = []

    def spy_on(name: int, swim: Any) -> None:
        conclude = swim._conclude

        def conclude_and_count(now: float) -> Any:
            if swim._probe is not None and not swim._probe.is_acked:
                failures.append(name)
            return conclude(now)

        swim._conclude = conclude_and_count

    for name, member in group.members.items():
        spy_on(name, member.swim)
    return failures


def test_each_member_sends_and_receives_the_same_whatever_their_number() -> None:
    loads = {}
    for count in (8, 32, 64):
        group = Group(count, CLASSIC, seed=count)
        group.sim.run_for(20.0)
        loads[count] = group.sim.sent.total() / count / 20.0

    # A ping and its answer for each ping this member sends; as much again for those it gets.
    assert all(load == pytest.approx(2.0, rel=0.05) for load in loads.values()), loads


def test_all_are_told_of_a_suspicion_in_a_number_of_periods_that_grows_with_the_logarithm() -> None:
    took = []
    for seed in range(5):
        group = Group(64, CLASSIC, seed)
        group.sim.run_for(5.0)
        group.sim.kill(9)
        group.sim.run_for(25.0)
        times = sorted(at for at, _, _ in group.told_of(Suspected, 9))
        assert len(times) == 63
        took.append(times[-1] - times[0])

    assert max(took) < 3 * math.ceil(math.log(65))


@pytest.mark.parametrize("stall_s", [3.0, 8.0, 15.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_node_that_stalls_suspects_itself_refutes_and_takes_nobody_for_dead(seed: int, stall_s: float) -> None:
    group = Group(12, LIFEGUARD, seed)
    group.sim.run_for(10.0)

    for _ in range(4):
        group.stall(7, stall_s)
        group.sim.run_for(stall_s + 6.0)

    slow = group.members[7].swim
    assert slow.stalls >= 4
    assert [told for told in group.told if told[1] == 7 and type(told[2]) in (Suspected, Confirmed)] == []
    assert group.told_of(Confirmed) == []
    suspected = group.told_of(Suspected, 7)
    assert len(group.told_of(Cleared, 7)) == len(suspected)
    assert {told[2].peer for told in group.told_of(Suspected)} <= {7}
    assert bool(suspected) == any(type(told[2]) is Accused for told in group.told if told[1] == 7)
    if stall_s > 6:
        assert suspected


def test_without_local_health_the_same_stalls_bring_others_under_suspicion() -> None:
    wrongly = []
    for seed in range(3):
        group = Group(12, CLASSIC, seed)
        group.sim.run_for(10.0)
        for _ in range(4):
            group.stall(7, 3.0)
            group.sim.run_for(9.0)
        wrongly += [told for told in group.told_of(Suspected) if told[2].peer != 7]

    assert wrongly
