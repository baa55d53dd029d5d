"""A hundred nodes over HyParView when many fail at once, over many seeds."""

from __future__ import annotations

import random

import pytest

from partisan_actors.protocols.membership.hyparview_options import HyParViewOptions
from partisan_actors.simulation.checkers import check_connected, check_symmetric, check_truthful, components, eventually
from partisan_actors.simulation.machines import Simulation
from tests.simulation.hyparview_cluster import flooding

NODES = 100
OPTIONS = HyParViewOptions()  # what `flooding` builds nodes with
PERIOD_S = OPTIONS.shuffle_period_s


def grown(seed: int, periods: int) -> Simulation:
    simulation = Simulation(seed)
    simulation.grow(range(NODES), flooding, contact=0)
    simulation.run_for(periods * PERIOD_S)
    return simulation


def half_failed(seed: int) -> Simulation:
    simulation = grown(seed, 5)
    simulation.kill(*random.Random(seed).sample(simulation.live, NODES // 2))
    return simulation


@pytest.mark.parametrize("seed", range(3))
def test_after_twenty_shuffles_the_overlay_is_connected_symmetric_and_within_its_bounds(seed: int) -> None:
    simulation = grown(seed, 20)

    check_connected(simulation)
    check_symmetric(simulation)
    check_truthful(simulation)
    for node in simulation.live:
        views = simulation.stack(node).views
        assert OPTIONS.active_min <= len(views["active"]) <= OPTIONS.active_max, f"seed {seed}"
        assert len(views["passive"]) <= OPTIONS.passive_max, f"seed {seed}"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_survivors_of_half_the_nodes_are_connected_within_ten_shuffles_in_95_of_100_seeds() -> None:
    apart = []
    for seed in range(100):
        simulation = half_failed(seed)

        simulation.run_for(10 * PERIOD_S)

        if len(components(simulation)) > 1:
            apart.append(seed)
    print(f"seeds in which the survivors are not one overlay: {apart}")
    assert len(apart) <= 5


@pytest.mark.parametrize("seed", range(3))
def test_whoever_has_too_few_neighbours_and_knows_live_peers_has_enough_after_two_shuffles(seed: int) -> None:
    simulation = half_failed(seed)

    def check_enough(simulation: Simulation) -> None:
        live = frozenset(simulation.live)
        for node in simulation.live:
            views = simulation.stack(node).views
            enough = len(views["active"]) >= OPTIONS.active_min
            assert enough or not live & frozenset(views["passive"]), f"seed {seed}, node {node}"

    simulation.run_for(2 * PERIOD_S)

    check_enough(simulation)
    eventually(simulation, check_connected, check_symmetric, within_s=8 * PERIOD_S)
