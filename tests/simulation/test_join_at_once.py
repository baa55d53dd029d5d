"""Whole nodes that join in the same instant, simulated: nobody is left out, and every link has two ends."""

from __future__ import annotations

import pytest

from partisan_actors.cli.bench.overlay.graph import Shape
from partisan_actors.protocols.membership.hyparview_messages import Disconnect, Neighbor
from partisan_actors.simulation.checkers import check_connected, check_symmetric
from partisan_actors.simulation.cluster import DRIVER, SimulatedCluster
from partisan_actors.simulation.latency import latency_of
from partisan_actors.simulation.machines import Simulation
from tests.seeds import quick_first
from tests.simulation.hyparview_cluster import flooding


def shape_of(cluster: SimulatedCluster) -> Shape:
    """The overlay, in the nodes' own words."""
    names = [DRIVER, *cluster.live]
    numbers = {name: number for number, name in enumerate(names)}
    neighbours = {name: cluster.runtime(name).node.neighbours() for name in names}
    return Shape.of({numbers[name]: [numbers[peer.name] for peer in peers] for name, peers in neighbours.items()})


@pytest.mark.parametrize("overlay", ["hyparview", "xbot", "full_mesh"])
def test_whole_nodes_that_join_through_one_contact_at_once_are_one_symmetric_overlay_at_rest(overlay: str) -> None:
    with SimulatedCluster(seed=1, nodes=24, overlay=overlay) as cluster:
        cluster.run_until(lambda: shape_of(cluster).is_sound)
        cluster.run_for(30.0)

        assert shape_of(cluster).is_sound, f"{overlay}: {shape_of(cluster)}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_nobody_is_left_out_though_the_contact_is_slow_and_messages_are_late(seed: int) -> None:
    with SimulatedCluster(seed=seed, nodes=2) as cluster:
        cluster.slow_down(DRIVER, 0.02, 20.0)
        cluster.delay(0.05, 0.2)
        for _ in range(40):
            cluster.add_new()

        cluster.run_until(cluster.is_complete, 300.0)
        cluster.heal()
        cluster.run_until(lambda: shape_of(cluster).is_sound)
        cluster.run_for(30.0)

        assert shape_of(cluster).is_sound, f"seed {seed}: {shape_of(cluster)}"
        assert shape_of(cluster).nodes == 43


@pytest.mark.parametrize("latency", ["uniform:1:6", "constant:8"])
@pytest.mark.parametrize("seed", quick_first(1, range(1, 6)))
def test_an_overlay_comes_to_rest_though_every_answer_takes_longer_than_it_is_first_waited_for(
    seed: int, latency: str
) -> None:
    """Loops that turn once in a few seconds make requests time out, and whoever is asked instead is slower still."""
    simulation = Simulation(seed, latency_of(latency, seed))
    for node in range(40):
        simulation.add(node, flooding)
        if node:
            simulation.join(node, 0)

    simulation.run_for(240.0)
    before = simulation.sent.copy()
    simulation.run_for(60.0)

    check_symmetric(simulation)
    check_connected(simulation)
    changes = simulation.sent - before
    assert changes[Disconnect] + changes[Neighbor] <= 2 * 40, f"seed {seed}: {changes}"
