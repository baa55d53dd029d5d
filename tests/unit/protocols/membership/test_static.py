"""Static: the links that were configured, no others, and these for ever."""

from __future__ import annotations

from random import Random

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.protocols.machine import Connect, Disconnect, JoinRefused, NeighbourDown, NeighbourUp, Peer, Send
from partisan_actors.protocols.membership.links import Accept, Ask, Check, Part, Refuse
from partisan_actors.protocols.membership.redial import RedialOptions
from partisan_actors.protocols.membership.static import Static, StaticOptions
from partisan_actors.protocols.membership.strategy import MembershipStrategy
from partisan_actors.testing.strategy_network import StrategyNetwork

ME, A, B, C = (NodeId(name, 1) for name in ("me", "a", "b", "c"))
A2 = NodeId("a", 2)


def network_of(count: int, *joins: tuple[int, int], seed: int = 1) -> StrategyNetwork:
    network = StrategyNetwork(lambda me, rng: Static(me, StaticOptions(), rng), seed)
    for node in range(count):
        network.add(node)
    for node, contact in joins:
        network.join(node, contact)
    network.deliver_all()
    return network


def neighbours(network: StrategyNetwork) -> dict[Peer, list[Peer]]:
    return {node: sorted(strategy.neighbours, key=str) for node, strategy in network.nodes.items()}


def static(*linked: NodeId, options: StaticOptions | None = None) -> Static:
    me = Static(ME, options or StaticOptions(), Random(1))
    me.start(0.0)
    for peer in linked:
        me.receive(peer, Ask(""), 0.0)
    return me


def test_it_is_a_membership_strategy() -> None:
    assert isinstance(static(), MembershipStrategy)


def test_either_end_s_join_makes_the_link_and_nothing_is_learned_of_others() -> None:
    network = network_of(4, (0, 1), (2, 1), (2, 3))

    network.run(1000.0)

    assert neighbours(network) == {0: [1], 1: [0, 2], 2: [1, 3], 3: [2]}
    assert all(isinstance(message, Ask | Accept | Check) for *_, message in network.sent)


def test_joins_that_cross_make_one_link() -> None:
    network = network_of(2, (0, 1), (1, 0))

    assert neighbours(network) == {0: [1], 1: [0]}


def test_who_is_asked_holds_the_link_before_the_layers_above_speak() -> None:
    assert static().receive(A, Ask(""), 1.0) == [Connect(A), Send(A, Accept("")), NeighbourUp(A)]


def test_a_peer_that_fails_is_asked_again_for_ever_at_a_bounded_rate() -> None:
    me = static(A, options=StaticOptions(redial=RedialOptions(first_s=1.0, longest_s=8.0, tries_max=2, peers_max=256)))

    failed, now, asked = me.peer_down(A, 0.0), 0.0, 0
    while now < 10_000.0:
        delay = me._links.asked.next_delay(now)
        assert delay is not None
        now += delay
        asked += sum(isinstance(effect, Send) for effect in me.timer_fired("redial", now))

    assert failed[:2] == [NeighbourDown(A, failed=True), Disconnect(A)]
    assert 10_000 / 12 <= asked <= 10_000 / 4, "every 8 s, times 0.5 to 1.5, also long after tries_max"


def test_a_link_comes_back_when_its_peer_does() -> None:
    network = network_of(3, (0, 1), (0, 2))

    network.block(0, 1)
    network.run(10_000.0)
    cut = neighbours(network)
    network.heal()
    network.run(120.0)

    assert cut == {0: [2], 1: [], 2: [0]}
    assert neighbours(network) == {0: [1, 2], 1: [0], 2: [0]}


def test_a_later_life_that_asks_takes_the_place_of_the_earlier_one() -> None:
    me = static(A, B)

    effects = me.receive(A2, Ask(""), 1.0)

    assert effects == [
        NeighbourDown(A, failed=True), Disconnect(A), Connect(A2), Send(A2, Accept("")), NeighbourUp(A2),
    ]  # fmt: skip
    assert me.neighbours == [B, A2]
    (refusal,) = me.receive(A, Ask(""), 2.0)
    assert isinstance(refusal, Send) and isinstance(refusal.message, Refuse)


def test_a_later_life_that_is_found_at_the_end_of_a_connection_is_asked() -> None:
    me = static(A)
    me.peer_down(A, 1.0)

    effects = me.peer_up(A2, 2.0)
    me.receive(A2, Accept(""), 2.1)

    assert Send(A2, Ask("")) in effects
    assert me.views == {"linked": [A2], "asked": []}


def test_a_connection_to_anybody_else_means_nothing() -> None:
    assert static(A).peer_up(B, 1.0) == []


def test_a_leaver_is_forgotten_for_good_and_may_come_back() -> None:
    network = network_of(3, (0, 1), (1, 2))

    network.leave(1)
    network.run(1000.0)
    gone = neighbours(network)
    views = [network.nodes[node].views for node in (0, 2)]
    network.join(1, 2)
    network.deliver_all()

    assert gone == {0: [], 1: [], 2: []}
    assert views == [{"linked": [], "asked": []}] * 2
    assert neighbours(network) == {0: [], 1: [2], 2: [1]}


def test_an_end_that_lost_the_link_without_a_word_is_told_and_has_it_again() -> None:
    network = network_of(2, (0, 1))

    network.tear(0, 1, told=[])
    network.fail(1, 0)
    network.run(60.0)

    assert neighbours(network) == {0: [1], 1: [0]}


def test_at_its_bound_a_node_neither_asks_nor_accepts() -> None:
    me = static(A, options=StaticOptions(peers_max=2))
    me.join(B, 0.0)

    asking, asked = me.join(C, 0.0), me.receive(C, Ask(""), 0.0)

    assert asking == [JoinRefused(C, "this node has peers_max = 2 peers already")]
    assert asked == [Send(C, Refuse("this peer has peers_max = 2 peers already"))]
    assert me.views == {"linked": [A], "asked": [B]}


def test_a_refusal_comes_out_and_ends_the_asking() -> None:
    me = static()
    me.join(A, 0.0)

    assert me.receive(A, Refuse("full"), 1.0) == [JoinRefused(A, "full")]
    assert me.receive(A, Refuse("full"), 1.0) == [], "nobody asked"
    assert me.views["asked"] == []


def test_a_node_that_left_says_so() -> None:
    me = static(A)
    me.leave(1.0)

    assert me.receive(B, Ask(""), 2.0) == [Send(B, Part(True))]
    assert me.receive(B, "hello", 2.0) == []


def test_more_peers_than_redial_can_hold_are_refused() -> None:
    text = "peers_max = 300 is not valid: expected an int from 1 to redial.peers_max = 256"
    with pytest.raises(ValueError, match=text):
        StaticOptions(peers_max=300)


def test_a_link_is_that_of_the_later_life_once_there_is_one() -> None:
    me, later = Static(ME, StaticOptions(), Random(1)), NodeId(A.name, 2)
    me.start(0.0)
    me.join(A, 0.0)
    me.receive(A, Accept(""), 0.0)

    effects = me.supersede(A, later, 1.0)

    assert Send(later, Ask("")) in effects
    assert me.views == {"linked": [], "asked": [later]}
