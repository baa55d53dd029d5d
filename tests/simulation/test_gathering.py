"""What many nodes have to tell at once is told in few broadcasts, whoever publishes, however late messages are."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.node.broadcasts import PLUMTREE
from partisan_actors.protocols.broadcast.exchange import EXCHANGE_TOPIC, Exchange, ExchangeOptions
from partisan_actors.protocols.broadcast.plumtree import Gossip, Plumtree
from partisan_actors.protocols.machine import Effect, Peer
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation.machines import Simulation
from partisan_actors.simulation.network import uniform_latency
from tests.seeds import quick_first
from tests.simulation.hyparview_cluster import overlay

NODES = 100
DOWN = 2


class CountingTree(Plumtree):
    """A tree that counts what this node broadcasts."""

    broadcasts = 0

    def broadcast(self, topic: str, payload: object, now: float) -> list[Effect]:
        assert topic == EXCHANGE_TOPIC
        self.broadcasts += 1
        return super().broadcast(topic, payload, now)


def stack(simulation: Simulation, node: Peer) -> ProtocolStack:
    """The machines of a real node."""
    tree = CountingTree(node, PLUMTREE, simulation.stream(node, "broadcast"))
    exchange = Exchange(node, ExchangeOptions(), simulation.stream(node, "exchange"))
    return ProtocolStack(node, overlay(simulation, node), tree, exchange)


@dataclass
class Cluster:
    """Nodes that join in a hurry, each of which tells of itself as soon as it has a neighbour."""

    simulation: Simulation
    nodes: list[NodeId]
    unheard: list[NodeId] = field(default_factory=list)

    @classmethod
    def joined(cls, seed: int, latency_s: tuple[float, float], interval_s: float) -> Cluster:
        rng = random.Random(seed)
        names = rng.sample(range(10 * NODES), NODES)  # the first one is not the smallest
        nodes = [NodeId(f"n{name:04}", 1) for name in names]
        cluster = cls(Simulation(seed, latency=uniform_latency(*latency_s)), nodes)
        for node in nodes:
            cluster.simulation.add(node, stack)
            if node == nodes[0]:
                cluster.simulation.write(node, f"node/{node.name}", (1, 1, 0), b"up")
            else:
                cluster.simulation.join(node, nodes[0])
                cluster.unheard.append(node)
            cluster.run(interval_s)
        return cluster

    def run(self, seconds: float) -> None:
        """Let time pass, in which those who have a neighbour by now tell of themselves."""
        self.simulation.run_for(seconds)
        for node in [each for each in self.unheard if self.simulation.told_neighbours(each)]:
            self.simulation.write(node, f"node/{node.name}", (1, 1, 0), b"up", gather=True)
            self.unheard.remove(node)

    def run_until_equal(self, most_s: float) -> None:
        deadline_s = self.simulation.now_s + most_s
        while len(self.maps) > 1 or self.unheard:
            assert self.simulation.now_s < deadline_s, f"seed {self.simulation.seed}: not equal after {most_s:g} s"
            self.run(0.1)

    @property
    def maps(self) -> set[object]:
        """The maps there are, in two numbers each."""
        exchanges = [self.simulation.stack(node).exchange for node in self.simulation.live]
        return {exchange.summary for exchange in exchanges if isinstance(exchange, Exchange)}

    def broadcasts_of(self, nodes: list[NodeId]) -> int:
        trees = [self.simulation.stack(node).broadcasting for node in nodes]
        return sum(tree.broadcasts for tree in trees if isinstance(tree, CountingTree))

    def neighbours_of(self, gone: list[NodeId]) -> list[tuple[Peer, NodeId]]:
        """Who of those that stay has one of the others for a neighbour."""
        pairs = [(node, peer) for node in self.nodes for peer in self.simulation.told_neighbours(node)]
        return [(node, peer) for node, peer in pairs if node not in gone and peer in gone and isinstance(peer, NodeId)]


@pytest.mark.parametrize("seed", quick_first(1, range(2)))
@pytest.mark.parametrize(("latency_s", "interval_s"), [((0.002, 0.02), 0.01), ((0.02, 0.3), 0.04)])
def test_a_hundred_joins_are_a_few_dozen_broadcasts(
    seed: int, latency_s: tuple[float, float], interval_s: float
) -> None:
    cluster = Cluster.joined(seed, latency_s, interval_s)

    cluster.run_until_equal(60.0)

    broadcasts = cluster.broadcasts_of(cluster.nodes)
    assert broadcasts <= NODES // 2, f"seed {seed}"
    assert cluster.simulation.received[Gossip] <= 2 * NODES * broadcasts, f"seed {seed}"


@pytest.mark.parametrize("seed", quick_first(1, range(2)))
def test_the_deaths_of_a_quarter_are_a_few_broadcasts_though_who_gathered_is_among_them(seed: int) -> None:
    cluster = Cluster.joined(seed, (0.002, 0.02), 0.01)
    cluster.run_until_equal(60.0)
    cluster.run(20.0)
    gone = [cluster.nodes[0], *random.Random(seed).sample(cluster.nodes[1:], NODES // 4 - 1)]
    missed_by = cluster.neighbours_of(gone)
    left = [node for node in cluster.nodes if node not in gone]
    before = cluster.broadcasts_of(left)

    cluster.simulation.kill(*gone)
    cluster.run(0.3)
    for node, peer in missed_by:
        cluster.simulation.write(node, f"node/{peer.name}", (1, 1, DOWN), b"down", gather=True)
    cluster.run_until_equal(60.0)

    exchange = cluster.simulation.stack(left[0]).exchange
    assert exchange is not None
    dead = {key for key, entry in exchange.items("node/") if entry.stamp[2] == DOWN}
    assert dead == {f"node/{peer.name}" for _, peer in missed_by}
    assert cluster.broadcasts_of(left) - before <= len(gone)
