"""Gossip: who gets a message, in how many hops, and what acknowledgements teach."""

from __future__ import annotations

import random

from partisan_actors.simulation.cycles import CycleEngine
from partisan_actors.simulation.papers.baselines import cyclon
from partisan_actors.simulation.papers.cyclon import Entries
from partisan_actors.simulation.papers.gossip import gossip


def network(views: dict[int, list[int]]) -> CycleEngine:
    engine = CycleEngine(1)
    for node in views:
        engine.add(node, cyclon)
    for node, peers in views.items():
        engine.machines[node].receive(node, Entries(tuple((peer, 0) for peer in peers)), 0.0)
    return engine


def test_a_message_goes_along_a_ring_one_hop_at_a_time() -> None:
    engine = network({node: [(node + 1) % 10] for node in range(10)})

    assert gossip(engine, 0, random.Random(1)) == (100.0, 9)


def test_a_node_sends_to_fanout_members_of_its_view_only() -> None:
    engine = network({0: list(range(1, 9)), **{node: [] for node in range(1, 9)}})

    reach, hops = gossip(engine, 0, random.Random(1), fanout=2)

    assert (round(reach, 2), hops) == (33.33, 1)


def test_the_dead_get_nothing_and_only_acknowledgements_tell_of_them() -> None:
    views = {0: [1, 2], 1: [2], 2: [1]}
    plain, acked = network(views), network(views)
    for engine in (plain, acked):
        engine.kill([2])

    assert gossip(plain, 0, random.Random(1)) == gossip(acked, 0, random.Random(1), acked=True) == (100.0, 1)

    assert (plain.machines[0].neighbours, plain.machines[1].neighbours) == ([1, 2], [2])
    assert (acked.machines[0].neighbours, acked.machines[1].neighbours) == ([1], [])
