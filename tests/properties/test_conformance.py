"""Our own strategies pass the suite that users' strategies are tried with, and broken ones do not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.messages import message
from partisan_actors.protocols.machine import Connect, Disconnect, Effect, NeighbourDown, NeighbourUp, Peer, Send
from partisan_actors.protocols.membership.full_mesh import FullMesh, FullMeshOptions, Members
from partisan_actors.protocols.membership.hyparview import HyParView
from partisan_actors.protocols.membership.hyparview_options import HyParViewOptions
from partisan_actors.protocols.membership.scamp import ScampOptions, ScampV1, ScampV2
from partisan_actors.protocols.membership.star import ClientServer, ClientServerOptions
from partisan_actors.protocols.membership.static import Static, StaticOptions
from partisan_actors.protocols.membership.strategy import Evict, MembershipStrategy
from partisan_actors.protocols.membership.xbot import XBot, XBotOptions
from partisan_actors.testing.conformance import ConformanceFailed, MembershipConformance
from partisan_actors.testing.strategy_network import RuleBroken


class TestFullMesh(MembershipConformance):
    def make(self, me: NodeId, rng: Random) -> MembershipStrategy:
        return FullMesh(me, FullMeshOptions(), rng)


class TestHyParView(MembershipConformance):
    forgets = False  # a passive view may name one that left until it is tried

    def make(self, me: NodeId, rng: Random) -> MembershipStrategy:
        return HyParView(me, HyParViewOptions(), rng)


class ByName:
    """Nodes whose numbers are near are cheap; strangers have none."""

    def __init__(self, me: NodeId) -> None:
        self.me = me

    def cost(self, peer: Peer) -> float | None:
        assert isinstance(peer, NodeId)
        number = peer.name[1:]
        return float(abs(int(self.me.name[1:]) - int(number))) if number.isdecimal() else None


class TestXBot(TestHyParView):
    def make(self, me: NodeId, rng: Random) -> MembershipStrategy:
        options = XBotOptions(active_max=4, optimisation_period_s=3.0, gain_share=0.0, gain_min=0.0, oracle=ByName(me))
        return XBot(me, options, rng)


class TestXBotMeasuring(TestHyParView):
    def make(self, me: NodeId, rng: Random) -> MembershipStrategy:
        return XBot(me, XBotOptions(), rng)


class TestScampV1(MembershipConformance):
    def make(self, me: NodeId, rng: Random) -> MembershipStrategy:
        return ScampV1(me, ScampOptions(), rng)


class TestScampV2(MembershipConformance):
    def make(self, me: NodeId, rng: Random) -> MembershipStrategy:
        return ScampV2(me, ScampOptions(), rng)


class TestServers(MembershipConformance):
    def make(self, me: NodeId, rng: Random) -> MembershipStrategy:
        return ClientServer(me, ClientServerOptions(tag="server"), rng)


class TestServersAndClients(MembershipConformance):
    """n0, n1 and n2 are servers, the others clients."""

    def make(self, me: NodeId, rng: Random) -> MembershipStrategy:
        return ClientServer(me, ClientServerOptions(tag="server" if self.is_contact(me) else "client"), rng)

    def is_contact(self, node: NodeId) -> bool:
        return node.name in ("n0", "n1", "n2")

    def may_crash(self, node: NodeId) -> bool:
        return node.name != "n2"


class TestStatic(MembershipConformance):
    heals = False  # the links between the survivors of a crash are those that there were before

    def make(self, me: NodeId, rng: Random) -> MembershipStrategy:
        return Static(me, StaticOptions(), rng)


SUITES = [
    TestFullMesh, TestHyParView, TestXBot, TestXBotMeasuring, TestScampV1, TestScampV2, TestServers,
    TestServersAndClients, TestStatic,
]  # fmt: skip


def names_of_tests() -> list[str]:
    return [name for name in dir(MembershipConformance) if name.startswith("test")]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", names_of_tests())
@pytest.mark.parametrize("suite", SUITES)
def test_ours_pass_with_many_more_seeds(suite: type[MembershipConformance], name: str) -> None:
    class More(suite):  # type: ignore[misc, valid-type]  # a class that is a parameter
        seeds = range(3, 40)

    getattr(More(), name)()


# Strategies with one thing wrong each: a full mesh, but for that.


class OneSided(FullMesh):
    """Answers nobody who asks, so that whoever joins takes its contact for a neighbour and is not taken for one."""

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        effects = super().receive(sender, message, now)
        if isinstance(message, Members) and sender in self._neighbours and message.answer:
            self._drop(sender, failed=False)
            effects += self._answer()
        return effects


class Deaf(FullMesh):
    """Does not say that a neighbour has failed."""

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        return []


class Untruthful(FullMesh):
    """Forgets a failed neighbour without NeighbourDown."""

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        return [effect for effect in super().peer_down(peer, now) if not isinstance(effect, NeighbourDown)]


class Polite(FullMesh):
    """Says that a failed neighbour was merely dropped."""

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        answered = super().peer_down(peer, now)
        return [NeighbourDown(e.peer, failed=False) if isinstance(e, NeighbourDown) else e for e in answered]


class Selfish(FullMesh):
    """Tells itself what it tells the others."""

    def join(self, contact: Peer, now: float) -> list[Effect]:
        effects = super().join(contact, now)
        return effects + [Send(self.me, e.message) for e in effects if isinstance(e, Send)]


class Loose(FullMesh):
    """Holds no connections."""

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        return [e for e in super().receive(sender, message, now) if not isinstance(e, Connect | Disconnect)]


class Clinging(FullMesh):
    """Keeps the connections to those who left."""

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        return [e for e in super().receive(sender, message, now) if not isinstance(e, Disconnect)]


class Unseeded(FullMesh):
    """Waits for times that no seed gives."""

    def __init__(self, me: Peer, options: FullMeshOptions, rng: Random) -> None:
        super().__init__(me, options, Random(random.random()))


class Unordered(FullMesh):
    """Tells its neighbours in the order of a set."""

    def _tell(self, entries: Sequence[tuple[Peer, int]], excluding: Peer = None) -> None:
        super()._tell(entries, excluding)
        self._effects = list(dict.fromkeys(set(self._effects)))


class Stubborn(FullMesh):
    """Does not remove who leaves."""

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        if isinstance(message, Members):
            kept = [place for place, length in enumerate(message.lengths) if length % 2 == 1]
            message = Members(
                tuple(message.peers[place] for place in kept),
                tuple(message.lengths[place] for place in kept),
                message.answer,
            )
        return super().receive(sender, message, now)


class Brittle(FullMesh):
    """Takes every message for one of its own."""

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        if not message.peers:  # type: ignore[attr-defined]  # that is what is wrong with it
            return []
        return super().receive(sender, message, now)


@message("test_conformance.undeclared")
@dataclass(frozen=True, slots=True)
class Undeclared:
    """Is not among the messages of `Secretive`."""


class Secretive(FullMesh):
    """Sends what it does not declare."""

    def join(self, contact: Peer, now: float) -> list[Effect]:
        return [*super().join(contact, now), Send(contact, Undeclared())]


class Careless(FullMesh):
    """Sends lists where it declares tuples."""

    def _send_all(self, peer: Peer, *, answer: bool) -> None:
        entries = self._members.entries()
        listed = [each for each, _ in entries]
        message = Members(listed, tuple(length for _, length in entries), answer)  # type: ignore[arg-type]  # the fault
        self._effects.append(Send(peer, message))


class Echoing(FullMesh):
    """Says that a neighbour is up whenever it hears of it."""

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        effects = super().receive(sender, message, now)
        return [*effects, NeighbourUp(sender)] if sender in self._neighbours else effects


class Endless(FullMesh):
    """Answers every answer."""

    def _send_all(self, peer: Peer, *, answer: bool) -> None:
        super()._send_all(peer, answer=True)


class Nostalgic(FullMesh):
    """Says that it follows a node into its next life, and keeps the former one."""

    def supersede(self, former: Peer, later: Peer, now: float) -> list[Effect]:
        return []


class Lenient(FullMesh):
    """Evicts a node without telling it."""

    def evict(self, peer: Peer, now: float) -> list[Effect]:
        return [effect for effect in super().evict(peer, now) if effect != Send(peer, Evict())]


def suite_for(strategy: type[FullMesh]) -> MembershipConformance:
    class Suite(MembershipConformance):
        seeds = range(2)
        nodes = 6
        settle_s = 300.0

        def make(self, me: NodeId, rng: Random) -> MembershipStrategy:
            return strategy(me, FullMeshOptions(), rng)

    return Suite()


def test_the_strategy_that_the_broken_ones_are_made_of_passes() -> None:
    for name in names_of_tests():
        getattr(suite_for(FullMesh), name)()


@pytest.mark.parametrize(
    ("broken", "test", "text"),
    [
        (OneSided, "two_nodes_become_each_other_s_neighbours", "held by one end only"),
        (Deaf, "a_failed_neighbour_is_reported_as_failed", "peer_down of its neighbour"),
        (Untruthful, "a_failed_neighbour_is_reported_as_failed", "peer_down of its neighbour"),
        (Polite, "a_failed_neighbour_is_reported_as_failed", "failed=False"),
        (Selfish, "two_nodes_become_each_other_s_neighbours", "is about itself"),
        (Loose, "two_nodes_become_each_other_s_neighbours", "holds no connection to its neighbours"),
        (Clinging, "a_node_that_leaves_has_no_neighbours_and_is_forgotten", "still holds its connection"),
        (Unseeded, "the_same_seed_gives_the_same_effects", "the second time"),
        (Unordered, "the_same_seed_gives_the_same_effects", "go through a set"),
        (Stubborn, "a_node_that_leaves_has_no_neighbours_and_is_forgotten", "still have n5~1 in a view"),
        (Nostalgic, "a_former_life_is_forgotten_once_the_later_one_is_known", "still has n5~1 in its view 'members'"),
        (Lenient, "a_node_that_is_evicted_has_no_neighbours_and_is_forgotten", "still have n5~1 in a view"),
        (Brittle, "foreign_messages_are_ignored", "has no attribute 'peers'"),
        (Secretive, "two_nodes_become_each_other_s_neighbours", "does not declare"),
        (Careless, "messages_are_the_same_after_their_way_as_bytes", "do its values fit its declared types?"),
        (Echoing, "two_nodes_become_each_other_s_neighbours", "is up twice"),
        (Endless, "two_nodes_become_each_other_s_neighbours", "still busy"),
    ],
)
def test_what_is_wrong_with_a_strategy_is_found_and_said(broken: type[FullMesh], test: str, text: str) -> None:
    with pytest.raises((ConformanceFailed, RuleBroken, AssertionError, AttributeError)) as failed:
        getattr(suite_for(broken), f"test_{test}")()

    assert text in str(failed.value)


def test_an_unfinished_test_says_what_it_needs() -> None:
    with pytest.raises(NotImplementedError, match=r"give your test a method make\(self, me, rng\)"):
        MembershipConformance().test_a_node_by_itself_has_no_neighbours()
