"""Broadcasts while neighbours are exchanged: whoever is in the overlay gets all of them."""

from __future__ import annotations

import random

import pytest

from partisan_actors.node.broadcasts import PLUMTREE
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation.latency import latency_of
from partisan_actors.simulation.machines import Simulation
from tests.seeds import quick_first
from tests.simulation.hyparview_cluster import plumtree

FIRST, LAST = 5, 60


def as_on_nodes(simulation: Simulation, node: Peer) -> ProtocolStack:
    return plumtree(simulation, node, PLUMTREE)


@pytest.mark.parametrize("latency", ["uniform:0.001:0.005", "uniform:0.01:0.1"])
@pytest.mark.parametrize("seed", quick_first(1, (5, *range(5), *range(6, 12))))
def test_no_broadcast_is_missed_by_a_node_whose_neighbours_are_exchanged_for_newcomers(seed: int, latency: str) -> None:
    simulation, rng = Simulation(seed, latency_of(latency, seed)), random.Random(seed)
    simulation.grow(range(FIRST), as_on_nodes, contact=0, interval_s=0.5)
    simulation.run_for(5.0)
    members: list[tuple[Peer, list[Peer]]] = []

    for newcomer in range(FIRST, LAST):
        simulation.add(newcomer, as_on_nodes)
        simulation.join(newcomer, rng.randrange(newcomer))
        for _ in range(4):
            origin = rng.randrange(FIRST)
            members.append((origin, [node for node in simulation.live if simulation.stack(node).neighbours]))
            simulation.broadcast(origin, "news", len(members) - 1)
            simulation.run_for(0.01)
    simulation.run_for(60.0)

    got = {(delivery.broadcast.payload, delivery.node) for delivery in simulation.deliveries}
    missed = [
        (number, node)
        for number, (origin, there) in enumerate(members)
        for node in there
        if node != origin and (number, node) not in got
    ]
    assert not missed, f"seed {seed}: {missed}"
    assert len(got) == len(simulation.deliveries), f"seed {seed}: some were delivered twice"
