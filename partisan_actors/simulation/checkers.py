"""Is what came out right? Small programs over a `Simulation`: first safety, then liveness, then cost.

Each `check_...` raises `CheckFailed` with the seed and the time. A safety check holds at every moment it is asked; a
liveness check holds once the network is quiet for long enough, which is what `eventually` waits for.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from partisan_actors.protocols.broadcast import flood, plumtree
from partisan_actors.protocols.machine import Peer
from partisan_actors.simulation.machines import Simulation
from partisan_actors.telemetry.wording import some

__all__ = [
    "BroadcastCost",
    "CheckFailed",
    "TraceHash",
    "asymmetric_links",
    "check_complete",
    "check_connected",
    "check_converged",
    "check_delivered_once",
    "check_symmetric",
    "check_truthful",
    "components",
    "eventually",
    "mean_degree",
    "measure_broadcast",
]


class CheckFailed(AssertionError):
    """A property does not hold. The text names it, the seed and the time."""

    def __init__(self, simulation: Simulation, what: str) -> None:
        super().__init__(f"seed {simulation.seed}, at {simulation.now_s:.3f} s: {what}")


# Safety.


def check_truthful(simulation: Simulation) -> None:
    """On every node the NeighbourUp and NeighbourDown told so far add up to the strategy's `neighbours`."""
    for node in simulation.live:
        told, held = simulation.told_neighbours(node), simulation.stack(node).neighbours
        if Counter(told) != Counter(held):
            raise CheckFailed(simulation, f"node {node} told of neighbours {told} but has {list(held)}")


def check_delivered_once(simulation: Simulation, topic: str, payload: object, origin: Peer) -> None:
    """The one broadcast of `payload` under `topic` was delivered exactly once on every live node but its origin.

    Not more than once is safety; at least once is liveness, so ask after it had time to get round.
    """
    times = Counter(
        delivery.node
        for delivery in simulation.deliveries
        if delivery.broadcast.topic == topic and delivery.broadcast.payload == payload
    )
    again = [node for node in times if times[node] > 1 or node == origin]
    if again:
        raise CheckFailed(simulation, f"{topic} {payload!r} was delivered again on {some(again)}")
    without = [node for node in simulation.live if node != origin and node not in times]
    if without:
        raise CheckFailed(simulation, f"{topic} {payload!r} was not delivered on {some(without)}")


# Liveness.


def check_connected(simulation: Simulation) -> None:
    """The live nodes and their neighbours are one component."""
    sizes = [len(component) for component in components(simulation)]
    if len(sizes) > 1:
        raise CheckFailed(simulation, f"the overlay is in {len(sizes)} pieces of sizes {sizes[:10]}")


def check_symmetric(simulation: Simulation) -> None:
    """Neighbours are neighbours of each other, and all are live."""
    odd = asymmetric_links(simulation)
    if odd:
        shown = ", ".join(f"{node} to {peer}" for node, peer in odd[:5])
        raise CheckFailed(simulation, f"{len(odd)} one-sided links, such as {shown}")


def check_complete(simulation: Simulation) -> None:
    """Every live node has every other one for a neighbour, and nobody else: what a full mesh becomes."""
    live = simulation.live
    for node in live:
        odd = frozenset(simulation.stack(node).neighbours).symmetric_difference(live) - {node}
        if odd:
            raise CheckFailed(
                simulation, f"node {node} lacks, or should lack, neighbours: {some(sorted(odd, key=str))}"
            )


def check_converged(simulation: Simulation) -> None:
    """All live nodes hold the same replicated map."""
    reference: Mapping[str, object] | None = None
    first: Peer = None
    for node in simulation.live:
        exchange = simulation.stack(node).exchange
        if exchange is None:
            continue
        held = dict(exchange.items())
        if reference is None:
            reference, first = held, node
        elif held != reference:
            odd = [key for key in sorted(reference.keys() | held.keys()) if reference.get(key) != held.get(key)]
            raise CheckFailed(simulation, f"nodes {first} and {node} differ in {some(odd)}")


def eventually(
    simulation: Simulation, *checks: Callable[[Simulation], None], within_s: float, step_s: float = 1.0
) -> float:
    """Let time pass until all `checks` hold at the same moment; how long that took. Raises what fails at the end."""
    start_s = simulation.now_s
    while True:
        try:
            for check in checks:
                check(simulation)
            return simulation.now_s - start_s
        except CheckFailed:
            if simulation.now_s - start_s >= within_s:
                raise
        simulation.run_for(step_s)


# Shape and cost.


def asymmetric_links(simulation: Simulation) -> list[tuple[Peer, Peer]]:
    """Every (node, neighbour) where the neighbour is down or does not have the node for one. None at rest."""
    views = {node: simulation.stack(node).neighbours for node in simulation.live}
    sets = {node: frozenset(neighbours) for node, neighbours in views.items()}
    return [
        (node, peer)
        for node, neighbours in views.items()
        for peer in neighbours
        if peer not in sets or node not in sets[peer]
    ]


def components(simulation: Simulation) -> list[list[Peer]]:
    """The live nodes in pieces that are connected by neighbours, taken as two-way links; the largest piece first."""
    links: dict[Peer, list[Peer]] = {node: [] for node in simulation.live}
    for node in links:
        for peer in simulation.stack(node).neighbours:
            if peer in links:
                links[node].append(peer)
                links[peer].append(node)
    pieces: list[list[Peer]] = []
    reached: set[Peer] = set()
    for node in links:
        if node in reached:
            continue
        reached.add(node)
        piece = [node]
        for member in piece:  # grows while it is walked
            for peer in links[member]:
                if peer not in reached:
                    reached.add(peer)
                    piece.append(peer)
        pieces.append(piece)
    return sorted(pieces, key=len, reverse=True)


def mean_degree(simulation: Simulation) -> float:
    """Neighbours per live node."""
    live = simulation.live
    return sum(len(simulation.stack(node).neighbours) for node in live) / len(live)


@dataclass(frozen=True, slots=True)
class BroadcastCost:
    """What one broadcast took: messages received by live nodes, and how it got about."""

    payloads: int
    control: int
    delivered: int  # nodes, without the origin
    last_delivery_hop: int

    @property
    def redundancy(self) -> float:
        """The papers' RMR: payloads received per delivery, less one. 0 is a perfect tree."""
        return self.payloads / self.delivered - 1


_PAYLOADS: Sequence[type] = (plumtree.Gossip, flood.Flooded)
_CONTROL: Sequence[type] = (plumtree.IHave, plumtree.Prune, plumtree.Graft)


def measure_broadcast(
    simulation: Simulation, origin: Peer, topic: str, payload: object, settle_s: float = 2.0
) -> BroadcastCost:
    """Broadcast from `origin`, let `settle_s` pass, and count. Nothing else may be broadcast meanwhile."""
    before = simulation.received.copy()
    already = len(simulation.deliveries)
    simulation.broadcast(origin, topic, payload)
    simulation.run_for(settle_s)
    mine = [
        delivery.broadcast
        for delivery in simulation.deliveries[already:]
        if delivery.broadcast.topic == topic and delivery.broadcast.payload == payload
    ]
    return BroadcastCost(
        payloads=sum(simulation.received[kind] - before[kind] for kind in _PAYLOADS),
        control=sum(simulation.received[kind] - before[kind] for kind in _CONTROL),
        delivered=len(mine),
        last_delivery_hop=max((deliver.hops for deliver in mine), default=0),
    )


class TraceHash:
    """An `on_event` that keeps nothing but a hash: two runs are the same when their hashes are."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.events = 0

    def __call__(self, event: str) -> None:
        self._hash.update(event.encode() + b"\n")
        self.events += 1

    @property
    def hexdigest(self) -> str:
        """The hash of every event so far, in order."""
        return self._hash.hexdigest()
