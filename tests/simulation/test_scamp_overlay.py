"""Hundreds of nodes over SCAMP against what the papers derive: the size of views, and that all stay together.

With contacts drawn evenly, a newcomer adds to the arcs of n nodes its own, c extra copies, and one copy for each member
of its contact's view, whose expected size is the mean. So the mean view grows by (c + 1) / (n + 1) with each node. For
c = 0 it starts with two nodes that hold each other, a mean of 1, which makes H_n - 1/2 exactly (the harmonic number H_n
begins with H_2 = 3/2). One overlay scatters by 0.85 around that, so what is compared is a mean of several.
"""

from __future__ import annotations

import math
import random
from statistics import fmean

import pytest

from partisan_actors.protocols.membership.scamp import ScampOptions, ScampV1, ScampV2
from partisan_actors.simulation.checkers import (
    check_connected,
    check_delivered_once,
    check_symmetric,
    check_truthful,
    eventually,
)
from partisan_actors.simulation.machines import Simulation
from tests.simulation.scamp_cluster import QUIET, grown, mean_view, running

VERSIONS = [ScampV1, ScampV2]


def check_overlay(simulation: Simulation) -> None:
    check_truthful(simulation)
    check_symmetric(simulation)
    check_connected(simulation)


def mean_without_extra_copies(nodes: int, seeds: int) -> float:
    factory = running(ScampV1, ScampOptions(c=0, indirection=0.0, holder_hops=1, heartbeat_period_s=QUIET))
    return fmean(mean_view(grown(seed, nodes, factory, interval_s=0.5)) for seed in range(seeds))


@pytest.mark.parametrize(
    ("nodes", "seeds"),
    [
        (200, 20),
        pytest.param(1000, 40, marks=[pytest.mark.slow, pytest.mark.timeout(300)]),
        pytest.param(10_000, 8, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_without_extra_copies_views_grow_as_the_harmonic_number(nodes: int, seeds: int) -> None:
    expected = sum(1 / number for number in range(1, nodes + 1)) - 0.5

    assert mean_without_extra_copies(nodes, seeds) == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_with_four_extra_copies_views_are_somewhat_below_five_times_the_logarithm(seed: int) -> None:
    factory = running(ScampV1, ScampOptions(c=4, indirection=0.0, holder_hops=1, heartbeat_period_s=QUIET))

    assert 0.75 <= mean_view(grown(seed, 1000, factory)) / (5 * math.log(1000)) <= 1.0


@pytest.mark.parametrize("version", VERSIONS)
def test_two_hundred_nodes_joined_through_one_are_one_overlay_of_logarithmic_views(version: type[ScampV1]) -> None:
    options = ScampOptions()
    simulation = grown(1, 200, running(version, options), interval_s=0.1, contact=0)

    eventually(simulation, check_overlay, within_s=60.0)

    arcs = options.c + 1 if version is ScampV1 else options.c
    assert 0.5 < mean_view(simulation) / (arcs * math.log(200)) < 2.0
    assert len(simulation.stack(0).neighbours) < 100, "the one contact is not everybody's neighbour"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_broadcast_reaches_everybody_before_and_after_a_third_have_crashed(version: type[ScampV1]) -> None:
    simulation = grown(2, 60, running(version, ScampOptions()), interval_s=0.1, contact=0)
    eventually(simulation, check_overlay, within_s=60.0)
    for origin in (0, 17, 59):
        simulation.broadcast(origin, "news", origin)
        simulation.run_for(3.0)
        check_delivered_once(simulation, "news", origin, origin)

    simulation.kill(*random.Random(2).sample(range(60), 20))
    eventually(simulation, check_overlay, within_s=120.0)

    for origin in simulation.live[:5]:
        simulation.broadcast(origin, "more", origin)
        simulation.run_for(5.0)
        check_delivered_once(simulation, "more", origin, origin)


@pytest.mark.parametrize("seed", [1, 2, *[pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 11)]])
@pytest.mark.parametrize("version", VERSIONS)
def test_after_three_of_ten_have_left_the_rest_are_connected_and_nobody_holds_a_leaver(
    version: type[ScampV1], seed: int
) -> None:
    simulation = grown(seed, 100, running(version, ScampOptions()), interval_s=0.1, contact=0)
    leavers = random.Random(seed).sample(range(100), 30)

    for node in leavers:
        simulation.leave(node)
        simulation.run_for(0.05)
    simulation.kill(*leavers)
    eventually(simulation, check_overlay, within_s=120.0)

    for node in simulation.live:
        views = simulation.stack(node).views
        assert not {*views["partial"], *views["in"]} & set(leavers), f"seed {seed}: {node} holds a leaver"


@pytest.mark.parametrize("seed", [1, *[pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 13)]])
@pytest.mark.parametrize(("contacts", "pauses_s"), [(1, (0.02, 0.2)), (2, (0.0, 0.003, 0.2))])
@pytest.mark.parametrize("version", VERSIONS)
def test_nodes_that_come_and_go_all_the_time_end_as_one_overlay(
    version: type[ScampV1], contacts: int, pauses_s: tuple[float, ...], seed: int
) -> None:
    # The setting in which Baldoni et al. saw SCAMP fall apart: subscriptions and unsubscriptions that overtake each
    # other. Whose only contact dies before it says a word is lost to any protocol, so at no pause at all there are two.
    factory = running(version, ScampOptions())
    simulation, rng = grown(seed, 40, factory, interval_s=0.1, contact=0), random.Random(seed)

    for newcomer in range(40, 160):
        there = simulation.live
        leaver, *chosen = rng.sample(there, 1 + contacts)
        simulation.add(newcomer, factory)
        for contact in chosen:
            simulation.join(newcomer, contact)
        simulation.leave(leaver)
        simulation.run_for(rng.choice(pauses_s))
        simulation.kill(leaver)

    eventually(simulation, check_overlay, within_s=300.0)
    assert len(simulation.live) == 40
