"""Whole nodes that join in the same instant, simulated: nobody is left out, and every link has two ends."""

from __future__ import annotations

import pytest

from partisan_actors.cli.bench.overlay.graph import Shape
from partisan_actors.simulation.cluster import DRIVER, SimulatedCluster


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
