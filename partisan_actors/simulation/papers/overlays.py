"""HyParView as the paper set it up: joins one by one through one contact, then cycles until the overlay is at rest.

The paper leaves open when a free place in the active view is filled. What gives its figures (a mean degree of 4.03
after the joins, 4.9 a cycle later, 9,980 of 10,000 nodes with five links at rest) is: whoever loses a link to a
newcomer waits for its next cycle, and then asks one passive peer after the other with low priority, while places are
free. So here `promotion_backoff_s` is None. A request has high priority only when a node has no link at all
(`active_min` 1), and a node asks its whole passive view before it waits for the next cycle.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol, cast, runtime_checkable

from partisan_actors.protocols.broadcast.flood import Flood, FloodOptions
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.hyparview import HyParView
from partisan_actors.protocols.membership.hyparview_options import HyParViewOptions
from partisan_actors.protocols.membership.strategy import MembershipStrategy
from partisan_actors.protocols.stack import Broadcast, ProtocolStack, StackEffect
from partisan_actors.simulation.cycles import CycleEngine
from partisan_actors.simulation.papers.graphs import Graph, mean_degree

__all__ = [
    "CYCLES",
    "EARLY",
    "PASSIVE",
    "SHUFFLE",
    "STACKED_SHUFFLE",
    "Overlay",
    "broadcast",
    "dress",
    "flood",
    "grown",
    "hyparview",
    "links_of",
    "stable_overlay",
]

CYCLES: Final = 50  # until the paper calls the overlay stable
EARLY: Final = 12  # by which it has as many links as it ever gets, but for a few
PASSIVE: Final = 30
SHUFFLE: Final = "shuffle"
STACKED_SHUFFLE: Final = "membership:shuffle"  # once a stack stands around the strategy
OPTIONS: Final = HyParViewOptions(
    active_max=5, passive_max=PASSIVE, arwl=6, prwl=3, ka=3, kp=4,
    active_min=1, promotion_backoff_s=None, promotion_refusals_max=PASSIVE,
)  # fmt: skip

MakeBroadcast = Callable[[Peer, random.Random], Broadcast]


@runtime_checkable
class Broadcaster(Protocol):
    """A machine that can be told to broadcast."""

    def broadcast(self, topic: str, payload: object, now: float) -> Sequence[StackEffect]: ...


@dataclass(frozen=True, slots=True)
class Overlay:
    """One seed's overlay at rest, as a snapshot of its engine, and how it got there."""

    stable: bytes
    links: Graph
    degrees: tuple[float, ...]  # mean, after the joins and after each cycle
    early: tuple[Graph, ...]  # the links after the joins and after each of the first EARLY cycles but the last


def hyparview(node: Peer, rng: random.Random) -> HyParView:
    """The machine of a real node, with the paper's options."""
    return HyParView(node, OPTIONS, rng)


def grown(seed: int, nodes: int) -> CycleEngine:
    """`nodes` nodes that have joined through node 0; no cycle yet."""
    engine = CycleEngine(seed)
    for node in range(nodes):
        engine.add(node, hyparview, contact=0 if node else None)
    return engine


@lru_cache(maxsize=1)  # some 40 MB for 10,000 nodes: kept while one seed's experiments follow each other
def stable_overlay(seed: int, nodes: int) -> Overlay:
    """The overlay after CYCLES cycles. The last one made is kept, since several experiments begin with it."""
    engine = grown(seed, nodes)
    early, degrees = [links_of(engine)], [mean_degree(links_of(engine))]
    for cycle in range(1, CYCLES + 1):
        engine.cycle(SHUFFLE)
        graph = links_of(engine)
        degrees.append(mean_degree(graph))
        if cycle < EARLY:
            early.append(graph)
    return Overlay(engine.snapshot(), graph, tuple(degrees), tuple(early))


def links_of(engine: CycleEngine) -> Graph:
    """The neighbours of every live node, dead ones among them."""
    return cast("Graph", {node: machine.neighbours for node, machine in engine.machines.items()})


def dress(engine: CycleEngine, make: MakeBroadcast) -> None:
    """Put the broadcast that `make` gives on top of every node's strategy, which has its neighbours already."""
    for node, strategy in list(engine.machines.items()):
        broadcast = make(node, engine.stream(node, "broadcast"))
        for peer in strategy.neighbours:
            broadcast.neighbour_up(peer, engine.now)
        engine.replace(node, ProtocolStack(node, cast("MembershipStrategy", strategy), broadcast))


def flood(node: Peer, rng: random.Random) -> Flood:
    """The paper's broadcast: to every neighbour but the one it came from."""
    return Flood(node, FloodOptions(), rng)


def broadcast(engine: CycleEngine, origin: Peer, payload: object) -> tuple[int, int]:
    """Broadcast and let everything follow: how many live nodes got it, the origin among them, and the last one's hops.

    What was delivered before is forgotten.
    """
    engine.deliveries.clear()
    machine = engine.machines[origin]
    assert isinstance(machine, Broadcaster)
    engine.tell(origin, machine.broadcast("paper", payload, engine.now))
    engine.settle()
    hops = [delivery.hops for _, delivery in engine.deliveries]
    return 1 + len(hops), max(hops, default=0)
