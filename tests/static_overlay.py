"""An overlay that never changes by itself, for tests of what runs over one: every node is given its neighbours."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from partisan_actors.protocols.broadcast.exchange import Exchange, ExchangeOptions
from partisan_actors.protocols.broadcast.flood import Flood, FloodOptions
from partisan_actors.protocols.broadcast.handler import BroadcastHandler
from partisan_actors.protocols.broadcast.handlers import HandlerOptions, Handlers
from partisan_actors.protocols.broadcast.plumtree import Plumtree, PlumtreeOptions
from partisan_actors.protocols.machine import (
    CancelTimer,
    Connect,
    Disconnect,
    Effect,
    NeighbourDown,
    NeighbourUp,
    Peer,
    Send,
    SetTimer,
)
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation.machines import Simulation, StackFactory

HELLO = "hello"  # the one message of the strategy, so that tests can see whether it arrives


class StaticOverlay:
    """A strategy whose neighbours are those it was given, while their connections last."""

    def __init__(self, peers: Sequence[Peer]) -> None:
        self._peers = tuple(peers)
        self._up: dict[Peer, None] = {}
        self.heard: list[tuple[Peer, object]] = []
        self.fired: list[str] = []

    def start(self, now: float) -> list[Effect]:
        return [SetTimer("tick", 1.0)]

    def join(self, contact: Peer, now: float) -> list[Effect]:
        return [Connect(peer) for peer in self._peers]

    def leave(self, now: float) -> list[Effect]:
        gone, self._up = list(self._up), {}
        effects: list[Effect] = [CancelTimer("tick")]
        for peer in gone:
            effects += [NeighbourDown(peer, failed=False), Disconnect(peer)]
        return effects

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        self.heard.append((sender, message))
        return []

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        if peer not in self._peers or peer in self._up:
            return []
        self._up[peer] = None
        return [NeighbourUp(peer), Send(peer, HELLO)]

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        if peer not in self._up:
            return []
        del self._up[peer]
        return [NeighbourDown(peer, failed=True)]

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        self.fired.append(name)
        return []

    @property
    def neighbours(self) -> Sequence[Peer]:
        return tuple(self._up)

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        return {"static": tuple(self._up)}


Links = Mapping[Peer, Sequence[Peer]]


def line(count: int) -> dict[Peer, list[Peer]]:
    """0 - 1 - 2 - ... - (count - 1)."""
    return {node: [peer for peer in (node - 1, node + 1) if 0 <= peer < count] for node in range(count)}


def ring(count: int) -> dict[Peer, list[Peer]]:
    """A line whose ends are joined."""
    return {node: [(node - 1) % count, (node + 1) % count] for node in range(count)}


def clique(count: int) -> dict[Peer, list[Peer]]:
    """Everybody knows everybody."""
    return {node: [peer for peer in range(count) if peer != node] for node in range(count)}


def random_graph(count: int, degree: int, seed: int) -> dict[Peer, list[Peer]]:
    """A ring, for connection, plus random links up to about `degree` each."""
    rng = random.Random(seed)
    links = ring(count)
    for _ in range(count * (degree - 2) // 2):
        one, two = rng.sample(range(count), 2)
        if two not in links[one]:
            links[one].append(two)
            links[two].append(one)
    return links


def with_plumtree(links: Links, options: PlumtreeOptions | None = None) -> StackFactory:
    chosen = options or PlumtreeOptions()

    def make(simulation: Simulation, node: Peer) -> ProtocolStack:
        broadcast = Plumtree(node, chosen, simulation.stream(node, "broadcast"))
        return ProtocolStack(node, StaticOverlay(links[node]), broadcast)

    return make


def with_flood(links: Links, options: FloodOptions | None = None) -> StackFactory:
    chosen = options or FloodOptions()

    def make(simulation: Simulation, node: Peer) -> ProtocolStack:
        return ProtocolStack(node, StaticOverlay(links[node]), Flood(node, chosen, simulation.stream(node, "flood")))

    return make


def with_exchange(links: Links, options: ExchangeOptions | None = None) -> StackFactory:
    chosen = options or ExchangeOptions()

    def make(simulation: Simulation, node: Peer) -> ProtocolStack:
        broadcast = Plumtree(node, PlumtreeOptions(), simulation.stream(node, "broadcast"))
        exchange = Exchange(node, chosen, simulation.stream(node, "exchange"))
        return ProtocolStack(node, StaticOverlay(links[node]), broadcast, exchange)

    return make


def with_handlers(
    links: Links, handlers: Mapping[Peer, BroadcastHandler], options: HandlerOptions | None = None
) -> StackFactory:
    chosen = options or HandlerOptions()

    def make(simulation: Simulation, node: Peer) -> ProtocolStack:
        broadcast = Plumtree(node, PlumtreeOptions(), simulation.stream(node, "broadcast"))
        mine = Handlers(node, chosen, simulation.stream(node, "handlers"), lambda: broadcast.lazy)
        mine.add(handlers[node])
        return ProtocolStack(node, StaticOverlay(links[node]), broadcast, handlers=mine)

    return make


def running(links: Links, factory: StackFactory, seed: int) -> Simulation:
    """A simulation of these nodes, all links up."""
    simulation = Simulation(seed)
    for node in links:
        simulation.add(node, factory)
    for node in links:
        simulation.join(node, None)
    simulation.run_for(0.5)
    return simulation
