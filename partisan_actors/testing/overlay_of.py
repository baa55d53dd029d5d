"""What the tests of `conformance` are made of: overlays of the strategy under test, and waiting until they rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import ClassVar

from partisan_actors.ids import NodeId
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.strategy import MembershipStrategy
from partisan_actors.testing.strategy_network import StrategyNetwork

__all__ = ["ConformanceFailed", "OverlayOf", "node_named", "require", "salted"]


class ConformanceFailed(AssertionError):
    """A strategy does not do what its interface, or the claims of its test, promise."""


class OverlayOf:
    """One strategy, what it claims, and overlays of it. Names of nodes are n0, n1, n2, ..."""

    nodes: ClassVar[int] = 12
    seeds: ClassVar[Sequence[int]] = range(3)
    settle_s: ClassVar[float] = 600.0
    """Virtual seconds that the overlay may take to come to rest after whatever happened to it."""
    connects: ClassVar[bool] = True
    """Nodes that joined, over whatever contacts, are one overlay."""
    heals: ClassVar[bool] = True
    """It is one overlay again after three of ten nodes crashed, and after a partition of two minutes has ended."""
    forgets: ClassVar[bool] = True
    """No view of anybody names a node that has left; if not so, only no neighbours do."""
    rejoins: ClassVar[bool] = True
    """A node that left may join again, and a restarted one takes the place of its former life."""

    def make(self, me: NodeId, rng: Random) -> MembershipStrategy:
        """The strategy under test, for node `me`."""
        raise NotImplementedError("give your test a method make(self, me, rng) that returns your strategy")

    def is_contact(self, node: NodeId) -> bool:
        """Whether others may join through `node`; n0 must be one. All are, unless overridden."""
        return True

    def may_crash(self, node: NodeId) -> bool:
        """Whether the overlay is to heal when `node`, with others, crashes. It is with all, unless overridden."""
        return True

    def _network(
        self, seed: int, *, reorders: bool = False, carry: Callable[[object], object] | None = None
    ) -> StrategyNetwork:
        def build(me: Peer, rng: Random) -> MembershipStrategy:
            if not isinstance(me, NodeId):
                raise TypeError(f"{me!r} is no NodeId")
            return self.make(me, rng)

        return StrategyNetwork(build, seed, reorders=reorders, carry=carry)

    def _add(self, network: StrategyNetwork, number: int, rng: Random) -> None:
        contacts = self._contacts(network)
        network.add(node_named(number))
        if contacts:
            network.join(node_named(number), rng.choice(contacts))

    def _contacts(self, network: StrategyNetwork) -> list[NodeId]:
        return [node for node in network.nodes if isinstance(node, NodeId) and self.is_contact(node)]

    def _grown(
        self, seed: int, count: int, contact: Callable[[Random, NodeId, list[NodeId]], NodeId], *, at_once: bool = False
    ) -> StrategyNetwork:
        """`count` nodes, each of which joined through `contact` of those before it; at rest."""
        network, rng, joins = self._network(seed), Random(seed), []
        for number in range(count):
            contacts = self._contacts(network)
            network.add(node_named(number))
            if number:
                joins.append((node_named(number), contact(rng, node_named(number), contacts)))
            if not at_once:
                for join in joins:
                    network.join(*join)
                joins.clear()
                network.run(1.0)
        rng.shuffle(joins)
        for join in joins:
            network.join(*join)
        self._settle(network, f"seed {seed}: after {count} nodes joined")
        return network

    def _overlay(self, seed: int) -> StrategyNetwork:
        return self._grown(seed, self.nodes, lambda rng, node, contacts: rng.choice(contacts))

    def _tell_story(self, network: StrategyNetwork, seed: int, life: type[NodeId] = NodeId) -> None:
        """Some of all that can happen, in an order that is the seed's."""
        rng = Random(seed)
        for number in range(self.nodes):
            contacts = self._contacts(network)
            network.add(life(f"n{number}", 1))
            if contacts:
                network.join(life(f"n{number}", 1), rng.choice(contacts))
            for _ in range(rng.randrange(30)):
                network.deliver_one()
        network.run(60.0)
        network.leave(life(f"n{self.nodes - 1}", 1))
        network.run(30.0)
        network.kill(life(f"n{self.nodes - 1}", 1))
        network.kill(life(f"n{self.nodes - 2}", 1))
        network.run(60.0)

    def _settle(self, network: StrategyNetwork, when: str, connected: bool | None = None) -> None:
        """Wait until both ends agree about every link and, as far as `connected`, all are one overlay."""
        whole = self.connects if connected is None else connected

        def is_settled() -> bool:
            return not network.asymmetric() and (not whole or network.components() <= 1)

        def complaint() -> str:
            if odd := network.asymmetric():
                return f"{len(odd)} links are held by one end only, such as that of {odd[0][0]} with {odd[0][1]}"
            return f"the overlay is in {network.components()} pieces"

        self._wait(network, is_settled, complaint, when)

    def _wait_forgotten(self, network: StrategyNetwork, leaver: Peer, when: str) -> None:
        """Wait until no other node has `leaver` for a neighbour or, as far as it `forgets`, in a view."""

        def holders() -> list[Peer]:
            return [
                other
                for other, strategy in network.nodes.items()
                if other != leaver
                and (
                    leaver in strategy.neighbours
                    or (self.forgets and any(leaver in view for view in strategy.views.values()))
                )
            ]

        self._wait(network, lambda: not holders(), lambda: f"{holders()} still have {leaver} in a view", when)

    def _wait(
        self, network: StrategyNetwork, holds: Callable[[], bool], complaint: Callable[[], str], when: str
    ) -> None:
        if not network.run_until(holds, self.settle_s):
            raise ConformanceFailed(f"{when}, {self.settle_s:g} s later: {complaint()}")


def node_named(number: int, life: int = 1) -> NodeId:
    """The id of n0, n1, n2, ..."""
    return NodeId(f"n{number}", life)


def require(condition: bool, otherwise: str) -> None:
    """Raise ConformanceFailed unless `condition` holds."""
    if not condition:
        raise ConformanceFailed(otherwise)


def salted(salt: int) -> type[NodeId]:
    """Ids that are equal to others and print like them, but whose order in a set is another for each salt."""

    class Salted(NodeId):
        __slots__ = ()

        def __hash__(self) -> int:
            return hash((salt, self.name, self.incarnation))

    return Salted
