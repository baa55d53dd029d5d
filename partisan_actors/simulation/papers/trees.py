"""Plumtree over an overlay, one broadcast after the other, each counted: what the two Plumtree experiments share."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from partisan_actors.protocols.broadcast.plumtree import Gossip, Graft, IHave, Plumtree, PlumtreeOptions, Prune
from partisan_actors.protocols.machine import Effect, Peer
from partisan_actors.simulation.cycles import CycleEngine
from partisan_actors.simulation.papers.graphs import Graph
from partisan_actors.simulation.papers.overlays import broadcast, dress

__all__ = ["Cost", "TreeNode", "Trees"]

GRAFT_TIMERS: Final = ("graft", "broadcast:graft")  # of a bare Plumtree, and of one in a stack


def tree_options(threshold: int | None) -> PlumtreeOptions:
    """The paper's Plumtree: one tree for all, announcements at once; optimised from `threshold` hops on."""
    return PlumtreeOptions(announcements_max=1, optimise_threshold=threshold)


@dataclass(frozen=True, slots=True)
class Cost:
    """One broadcast. Messages are those that live nodes received."""

    reached: int  # nodes, the origin among them
    payloads: int
    control: int
    last_hop: int

    @property
    def redundancy(self) -> float:
        """RMR: payloads for each node reached, less one."""
        return self.payloads / max(self.reached - 1, 1) - 1


class TreeNode:
    """A bare Plumtree whose links the experiment decides: no membership runs."""

    def __init__(self, tree: Plumtree) -> None:
        self._tree = tree

    @property
    def neighbours(self) -> Sequence[Peer]:
        """Those that it was told of."""
        return [*self._tree.eager, *self._tree.lazy]

    def link(self, peers: Sequence[Peer]) -> None:
        """From now on these are its neighbours; those that stay keep their place in the tree."""
        before = self.neighbours
        for peer in before:
            if peer not in peers:
                self._tree.neighbour_down(peer, 0.0)
        for peer in peers:
            if peer not in before:
                self._tree.neighbour_up(peer, 0.0)

    def broadcast(self, topic: str, payload: object, now: float) -> list[Effect]:
        """As `Plumtree`."""
        return self._tree.broadcast(topic, payload, now)

    def start(self, now: float) -> list[Effect]:
        """As `Plumtree`."""
        return self._tree.start(now)

    def join(self, contact: Peer, now: float) -> list[Effect]:
        """Nobody joins by itself here."""
        return []

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        """As `Plumtree`."""
        return self._tree.receive(sender, message, now)

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        """Says nothing here."""
        return []

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        """Nobody is lost here but by `link`."""
        return []

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        """As `Plumtree`."""
        return self._tree.timer_fired(name, now)


class Trees:
    """Broadcasts over an engine whose nodes have Plumtree. Graft timers run out when all is at rest."""

    def __init__(self, engine: CycleEngine) -> None:
        self._engine = engine

    @classmethod
    def planted(cls, engine: CycleEngine, threshold: int | None = None) -> Trees:
        """Give every node of an overlay's engine Plumtree, with every link eager as at the beginning."""
        options = tree_options(threshold)

        def plumtree(node: Peer, rng: random.Random) -> Plumtree:
            return Plumtree(node, options, rng)

        dress(engine, plumtree)
        engine.prompt = GRAFT_TIMERS
        return cls(engine)

    @classmethod
    def bare(cls, seed: int, nodes: int, threshold: int | None = None) -> Trees:
        """Nodes that have nothing but Plumtree, and no link until `link` is called."""
        options, engine = tree_options(threshold), CycleEngine(seed, GRAFT_TIMERS)
        for node in range(nodes):
            engine.add(node, lambda node, rng: TreeNode(Plumtree(node, options, rng)))
        return cls(engine)

    def link(self, graph: Graph) -> None:
        """From now on the bare nodes have these links."""
        for node, machine in self._engine.machines.items():
            assert isinstance(machine, TreeNode) and isinstance(node, int)
            machine.link(graph[node])

    def send(self, origin: Peer) -> Cost:
        """Broadcast from `origin` until the network is at rest."""
        before: Counter[type] = self._engine.received.copy()
        reached, last_hop = broadcast(self._engine, origin, "payload")
        seen = self._engine.received
        control = sum(seen[kind] - before[kind] for kind in (IHave, Prune, Graft))
        return Cost(reached, seen[Gossip] - before[Gossip], control, last_hop)
