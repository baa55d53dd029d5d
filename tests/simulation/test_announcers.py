"""In a full mesh few announce to each: what that saves, and that nothing is missed for it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from partisan_actors.node.broadcasts import MESH_ANNOUNCERS, PLUMTREE
from partisan_actors.protocols.broadcast.plumtree import Gossip, IHave
from partisan_actors.simulation.checkers import check_delivered_once
from partisan_actors.simulation.machines import Simulation
from tests.seeds import quick_first
from tests.static_overlay import clique, with_plumtree

NODES = 40


def mesh(seed: int, announcers_max: int | None, failure_delay_s: float = 0.1) -> Simulation:
    """A full mesh in which everybody has broadcast something."""
    links = clique(NODES)
    simulation = Simulation(seed, failure_delay_s=failure_delay_s)
    factory = with_plumtree(links, replace(PLUMTREE, announcers_max=announcers_max))
    for node in links:
        simulation.add(node, factory)
    for node in links:
        simulation.join(node, None)
    simulation.run_for(1.0)
    for node in links:
        simulation.broadcast(node, "warm-up", node)
        simulation.run_for(0.5)
    return simulation


def test_a_broadcast_among_n_nodes_is_announced_some_times_to_each_instead_of_by_each() -> None:
    sent = {}
    for announcers_max in (None, MESH_ANNOUNCERS):
        simulation = mesh(1, announcers_max)
        before = simulation.sent.copy()
        simulation.broadcast(0, "news", "measured")
        simulation.run_for(5.0)
        sent[announcers_max] = simulation.sent - before

    assert sent[None][Gossip] == sent[MESH_ANNOUNCERS][Gossip] == NODES - 1
    assert sent[None][IHave] >= (NODES - 1) * (NODES - 3)
    assert sent[MESH_ANNOUNCERS][IHave] <= NODES * MESH_ANNOUNCERS


@pytest.mark.parametrize("announcers_max", [2, MESH_ANNOUNCERS])
@pytest.mark.parametrize("seed", quick_first(1, range(20)))
def test_when_a_third_of_a_mesh_dies_what_is_broadcast_before_anybody_knows_reaches_all_others(
    seed: int, announcers_max: int
) -> None:
    """With two announcers each, some have none left: whoever takes the place of a dead one tells what came lately."""
    simulation = mesh(seed, announcers_max, failure_delay_s=3.0)
    dead = random.Random(seed).sample(range(1, NODES), NODES // 3)

    simulation.kill(*dead)
    simulation.broadcast(0, "news", "while nobody knows")
    simulation.run_for(1.0)
    reached = sum(delivery.broadcast.topic == "news" for delivery in simulation.deliveries)
    simulation.run_for(20.0)
    simulation.broadcast(0, "news", "afterwards")
    simulation.run_for(5.0)

    check_delivered_once(simulation, "news", "while nobody knows", 0)
    check_delivered_once(simulation, "news", "afterwards", 0)
    if announcers_max == MESH_ANNOUNCERS:
        assert reached == len(simulation.live) - 1, f"seed {seed}: only after the dead were known"
