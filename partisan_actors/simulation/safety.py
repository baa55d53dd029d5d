"""`Safety`: what must hold at every moment, whatever the faults, asked of each node after everything that it does.

* Who it told to be its neighbours are its neighbours, each once, and never itself.
* No view holds more than the strategy's option of its name allows: `active` at most `active_max`, and so on.
* The active and the passive view share nobody, and hold not the node itself.
* No broadcast is delivered twice to one life of a node, nor to the life that sent it.
* Nothing goes on for ever. CHANGES_BASE and CHANGES_PER_NODE bound how often a node's neighbours change in STORM_S, and
  MESSAGES_BASE and MESSAGES_PER_NODE how many messages of their strategies all nodes together receive. More than that
  is a livelock, in which nodes take links from each other, or pass messages on, as fast as messages travel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation.checkers import CheckFailed
from partisan_actors.simulation.faulty import FaultySimulation

__all__ = ["Safety"]

ACTIVE, PASSIVE = "active", "passive"

# A crowd that joins through one node changes its neighbours some four times for each newcomer.
STORM_S: Final = 10.0
CHANGES_BASE: Final = 100
CHANGES_PER_NODE: Final = 10
# A full mesh that heals takes some three hundred for each node; walks that many nodes start at once, some thousands.
MESSAGES_BASE: Final = 100_000
MESSAGES_PER_NODE: Final = 10_000


class Safety:
    """An observer that raises CheckFailed where any of that does not hold; its text names seed, time and node.

    With `every` more than 1 it looks at every so manieth step only, and at all deliveries still.
    """

    def __init__(self, every: int = 1) -> None:
        self.steps = 0
        self._every = every
        self._seen_deliveries = 0
        self._delivered: set[tuple[Peer, str, Peer, str]] = set()  # only ever asked for membership
        self._told: dict[Peer, list[Peer]] = {}
        self._changes: Counter[Peer] = Counter()
        self._membership: dict[type, bool] = {}
        self._messages = 0
        self._messages_most = 0
        self._window_end_s = 0.0

    def received(self, simulation: FaultySimulation, sender: Peer, receiver: Peer, message: object) -> None:
        """Nothing is wrong with one message; with too many there is."""
        kind = type(message)
        is_membership = self._membership.get(kind)
        if is_membership is None:
            strategy = simulation.stack(receiver).strategy
            is_membership = self._membership[kind] = kind in getattr(strategy, "messages", ())
        if not is_membership:
            return
        self._begin_window(simulation)
        self._messages += 1
        if self._messages > self._messages_most:  # which nodes that have joined since may have made greater
            most = self._messages_most = MESSAGES_BASE + MESSAGES_PER_NODE * len(simulation.live)
            if self._messages <= most:
                return
            what = f"{self._messages} messages of the overlay arrived within {STORM_S:g} s, the last a {kind.__name__}"
            raise CheckFailed(simulation, f"{what} at node {receiver}: more than {most} is a storm")

    def stepped(self, simulation: FaultySimulation, node: Peer) -> None:
        """`node` has just handled an input."""
        self.steps += 1
        self._check_deliveries(simulation)
        self._check_changes(simulation, node)
        if self.steps % self._every == 0:
            self._check_neighbours(simulation, node)
            self._check_views(simulation, node, simulation.stack(node))

    def _check_neighbours(self, simulation: FaultySimulation, node: Peer) -> None:
        told, held = simulation.told_neighbours(node), simulation.stack(node).neighbours
        if told != list(held) and Counter(told) != Counter(held):
            raise CheckFailed(simulation, f"node {node} told of neighbours {_names(told)} but has {_names(held)}")
        if node in held:
            raise CheckFailed(simulation, f"node {node} is its own neighbour")

    def _check_changes(self, simulation: FaultySimulation, node: Peer) -> None:
        told, before = simulation.told_neighbours(node), self._told.get(node, [])
        if told == before:
            return
        self._begin_window(simulation)
        self._told[node] = told
        self._changes[node] += len(frozenset(told) ^ frozenset(before))
        if self._changes[node] <= CHANGES_BASE:
            return
        most = CHANGES_BASE + CHANGES_PER_NODE * len(simulation.live)
        if self._changes[node] > most:
            what = f"node {node} gained and lost neighbours {self._changes[node]} times within {STORM_S:g} s"
            raise CheckFailed(simulation, f"{what}: more than {most} times is a storm")

    def _begin_window(self, simulation: FaultySimulation) -> None:
        if simulation.now_s >= self._window_end_s:
            self._changes.clear()
            self._messages = 0
            self._window_end_s = simulation.now_s + STORM_S

    def _check_views(self, simulation: FaultySimulation, node: Peer, stack: ProtocolStack) -> None:
        views = stack.views
        options = getattr(stack.strategy, "options", None)
        for name, view in views.items():
            bound = getattr(options, f"{name}_max", None)
            if isinstance(bound, int) and len(view) > bound:
                raise CheckFailed(
                    simulation, f"node {node} has {len(view)} peers in its {name} view of at most {bound}"
                )
        active, passive = views.get(ACTIVE, ()), views.get(PASSIVE, ())
        if node in active or node in passive:
            raise CheckFailed(simulation, f"node {node} is in its own view")
        if passive and not frozenset(active).isdisjoint(passive):
            both = [peer for peer in active if peer in passive]
            raise CheckFailed(simulation, f"node {node} has {_names(both)} in its active and its passive view")

    def _check_deliveries(self, simulation: FaultySimulation) -> None:
        for delivery in simulation.deliveries[self._seen_deliveries :]:
            sent = delivery.broadcast
            key = (delivery.node, sent.topic, sent.origin, repr(sent.payload))
            what = f"{sent.topic} {sent.payload!r} of node {sent.origin}"
            if key in self._delivered:
                raise CheckFailed(simulation, f"node {delivery.node} was delivered {what} twice")
            if delivery.node == sent.origin:
                raise CheckFailed(simulation, f"node {delivery.node} was delivered its own {what}")
            self._delivered.add(key)
        self._seen_deliveries = len(simulation.deliveries)


def _names(peers: Iterable[Peer]) -> str:
    return ", ".join(str(peer) for peer in peers) or "none"
