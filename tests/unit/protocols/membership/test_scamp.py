"""SCAMP message by message: who keeps a subscription, how arcs begin and end, and what a leaver says to whom."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.protocols.machine import (
    Connect,
    Disconnect,
    Effect,
    NeighbourDown,
    NeighbourUp,
    Peer,
    Send,
    SetTimer,
)
from partisan_actors.protocols.membership.redial import RedialOptions
from partisan_actors.protocols.membership.scamp import GONE, ScampOptions, ScampV1, ScampV2
from partisan_actors.protocols.membership.scamp_messages import (
    Confirmed,
    ForwardedSubscription,
    Kept,
    Subscribe,
    Subscribed,
    Unsubscribe,
)
from partisan_actors.protocols.membership.strategy import MembershipStrategy
from partisan_actors.testing.strategy_network import StrategyNetwork

ME, A, B, C, NEW = (NodeId(name, 1) for name in ("me", "a", "b", "c", "new"))
DIRECT = ScampOptions(c=2, indirection=0.0, walk_ttl=8, holder_hops=1, heartbeat_period_s=10.0)
CHI_SQUARE_1_PERCENT = {1: 6.635, 19: 36.19}  # by degrees of freedom


def scamp(
    partial: tuple[Peer, ...] = (), inn: tuple[Peer, ...] = (), *, options: ScampOptions = DIRECT, seed: int = 1,
    version: type[ScampV1] = ScampV1,
) -> ScampV1:  # fmt: skip
    """A running node `ME` with these views, all confirmed."""
    me = version(ME, options, Random(seed))
    me.start(0.0)
    for peer in partial:
        me.join("contact", 0.0)
        me.receive(peer, Subscribed("contact", ()), 0.0)
    for peer in inn:
        me.receive(peer, Kept(False), 0.0)
    assert me.views == {"partial": list(partial), "in": list(inn)}
    return me


def sent(effects: list[Effect], kind: type) -> list[tuple[Peer, object]]:
    return [(e.peer, e.message) for e in effects if isinstance(e, Send) and isinstance(e.message, kind)]


def test_it_is_a_membership_strategy() -> None:
    assert isinstance(scamp(), MembershipStrategy)


# Subscriptions.


@pytest.mark.parametrize(("version", "copies"), [(ScampV1, 3 + 2), (ScampV2, 3 + 1)])
def test_a_contact_sends_a_copy_to_each_of_its_view_and_some_more(version: type[ScampV1], copies: int) -> None:
    me = scamp((A, B, C), version=version)

    effects = me.receive(NEW, Subscribe(NEW, ME, 0.0), 1.0)

    walks = sent(effects, ForwardedSubscription)
    assert {peer for peer, _ in walks} == {A, B, C}
    assert len(walks) == copies
    assert {walk for _, walk in walks} == {ForwardedSubscription(NEW, 8)}
    assert sent(effects, Subscribed) == [(NEW, Subscribed(ME, (A, B, C)))]


def test_a_contact_that_holds_nobody_keeps_the_subscription_itself() -> None:
    effects = scamp().receive(NEW, Subscribe(NEW, ME, 0.0), 1.0)

    assert effects == [Send(NEW, Kept(True)), Send(NEW, Subscribed(ME, ()))]


@pytest.mark.parametrize("size", [1, 4, 16])
def test_a_copy_is_kept_with_probability_one_in_one_more_than_the_view_has(size: int) -> None:
    me = scamp(tuple(range(size)), seed=size)
    draws, kept = 10_000, 0

    for _ in range(draws):
        if sent(me.receive(A, ForwardedSubscription(NEW, 8), 1.0), Kept):
            kept += 1
            me.receive(NEW, GONE, 1.0)

    expected = draws / (1 + size)
    chi_square = (kept - expected) ** 2 / (expected * (1 - 1 / (1 + size)))
    assert chi_square < CHI_SQUARE_1_PERCENT[1], f"{kept} kept, {expected:.0f} expected"


def test_a_copy_that_is_not_kept_goes_on_to_another_member_than_the_subscriber() -> None:
    me = scamp((A, NEW, B))

    goes_to = Counter(peer for _ in range(200) for peer, _ in sent(
        me.receive(C, ForwardedSubscription(NEW, 5), 1.0), ForwardedSubscription))  # fmt: skip

    assert goes_to.keys() == {A, B}, "never kept twice, never sent to whom it is about"
    assert goes_to.total() == 200


def test_a_hop_to_one_who_holds_the_newcomer_may_count_for_several() -> None:
    me = scamp((A, NEW), options=ScampOptions(indirection=0.0, holder_hops=16))

    effects = me.receive(B, ForwardedSubscription(NEW, 100), 1.0)

    assert effects == [Send(A, ForwardedSubscription(NEW, 84))]
    assert me.receive(B, ForwardedSubscription(NEW, 16), 1.0) == []


def test_a_copy_is_kept_where_its_hops_end() -> None:
    me = scamp((A, B, C))

    effects = me.receive(A, ForwardedSubscription(NEW, 1), 1.0)

    assert effects == [Send(NEW, Kept(True))]


def test_a_walk_is_not_longer_than_this_node_s_own_would_be() -> None:
    me = scamp((A, NEW))

    effects = me.receive(A, ForwardedSubscription(NEW, 10_000), 1.0)

    assert sent(effects, ForwardedSubscription) == [(A, ForwardedSubscription(NEW, 7))]


def test_at_its_bound_a_view_keeps_nobody_and_an_in_view_refuses() -> None:
    options = ScampOptions(indirection=0.0, view_max=2)
    me = scamp((A, B), (A, B), options=options)

    walked = [me.receive(A, ForwardedSubscription(NEW, 8), 1.0) for _ in range(100)]

    assert not any(sent(effects, Kept) for effects in walked)
    assert me.receive(C, Kept(True), 1.0) == [Send(C, GONE)]


def test_an_indirect_subscription_is_spread_by_every_node_equally_often() -> None:
    options = ScampOptions(c=1, indirection=3.0, heartbeat_period_s=1e6)
    network = StrategyNetwork(lambda me, rng: ScampV1(me, options, rng), seed=3)
    for node in range(20):
        network.add(node)
        if node:
            network.join(node, 0)
        network.deliver_all()

    found: Counter[Peer] = Counter()
    for _ in range(4000):
        node: Peer = 0
        walk: object = Subscribe(99, 0, 3.0)
        while steps := sent(network.nodes[node].receive(99, walk, 0.0), Subscribe):
            node, walk = steps[0]
        found[node] += 1

    chi_square = sum((found[node] - 200) ** 2 / 200 for node in range(20))
    degrees = [len(network.nodes[node].neighbours) for node in range(20)]
    assert max(degrees) >= 2 * min(degrees), "or this would be no test"
    assert chi_square < CHI_SQUARE_1_PERCENT[19], found


# Arcs.


def test_a_peer_is_a_neighbour_only_once_it_has_confirmed() -> None:
    me = scamp()
    me.receive(A, ForwardedSubscription(NEW, 8), 1.0)
    before = me.neighbours

    effects = me.receive(NEW, Confirmed(), 1.1)

    assert before == []
    assert effects == [Connect(NEW), NeighbourUp(NEW)]
    assert me.views == {"partial": [NEW], "in": []}


def test_who_is_kept_confirms_before_the_layers_above_speak() -> None:
    effects = scamp().receive(A, Kept(True), 1.0)

    assert effects == [Connect(A), Send(A, Confirmed()), NeighbourUp(A)]


def test_a_heartbeat_goes_along_every_arc_in_its_direction() -> None:
    me = scamp((A, B), (C,))

    effects = me.timer_fired("heartbeat", 10.0)

    assert effects == [SetTimer("heartbeat", 10.0), Send(A, Kept(False)), Send(B, Kept(False))]


def test_an_arc_that_is_not_confirmed_is_asked_again_and_then_given_up() -> None:
    me = scamp()
    me.receive(A, ForwardedSubscription(NEW, 8), 1.0)

    beats = [sent(me.timer_fired("heartbeat", 10.0 * turn), Kept) for turn in range(1, 6)]

    assert beats == [[(NEW, Kept(True))]] * 3 + [[], []]
    assert me.views["partial"] == []


def test_an_in_neighbour_that_falls_silent_is_dropped_and_comes_back_with_a_heartbeat() -> None:
    me = scamp((), (A,))

    effects = [me.timer_fired("heartbeat", 10.0 * turn) for turn in range(1, 5)]
    back = me.receive(A, Kept(False), 50.0)

    assert [NeighbourDown(A, failed=False) in each for each in effects] == [False, False, False, True]
    assert Disconnect(A) in effects[3]
    assert back == [Connect(A), NeighbourUp(A)]


def test_a_member_of_both_views_stays_a_neighbour_while_it_is_in_one() -> None:
    me = scamp((A,), (A,))

    effects = [effect for turn in range(1, 8) for effect in me.timer_fired("heartbeat", 10.0 * turn)]

    assert me.views == {"partial": [A], "in": []}
    assert not any(isinstance(effect, NeighbourDown) for effect in effects)


def test_a_node_that_nobody_holds_subscribes_again_within_eleven_periods() -> None:
    me = scamp((A, B, C))

    asked = [len(sent(me.timer_fired("heartbeat", 10.0 * turn), Subscribe)) for turn in range(1, 12)]

    assert sum(asked) == 1
    assert asked.index(1) < 11


def test_a_node_that_hears_heartbeats_does_not_subscribe_again() -> None:
    me = scamp((A, B), (C,))

    for turn in range(1, 50):
        effects = me.timer_fired("heartbeat", 10.0 * turn)
        me.receive(C, Kept(False), 10.0 * turn + 5)
        assert not sent(effects, Subscribe)


# Failures.


def test_a_failed_member_is_no_neighbour_and_its_arc_comes_back_when_it_answers() -> None:
    me = scamp((A, B), (C,))

    failed = me.peer_down(A, 1.0)
    again = me.timer_fired("redial", 9.0)
    back = me.receive(A, Confirmed(), 9.1)

    assert failed[-2:] == [NeighbourDown(A, failed=True), Disconnect(A)]
    assert sent(again, Kept) == [(A, Kept(True))]
    assert back == [Connect(A), NeighbourUp(A)]
    assert me.views["partial"] == [B, A]


def test_a_failed_in_neighbour_is_left_to_come_back_by_itself() -> None:
    me = scamp((A,), (C,))

    effects = me.peer_down(C, 1.0)

    assert effects == [NeighbourDown(C, failed=True), Disconnect(C)]


def test_the_tries_of_a_member_that_stays_away_are_bounded() -> None:
    options = ScampOptions(redial=RedialOptions(first_s=1.0, longest_s=8.0, tries_max=5))
    me = scamp((A, B), options=options)
    me.peer_down(A, 0.0)

    tries = [peer for turn in range(1, 30) for peer, _ in sent(me.timer_fired("redial", 20.0 * turn), Kept)]

    assert tries == [A] * 5


def test_a_node_that_lost_everybody_goes_back_to_those_it_knew_until_one_answers() -> None:
    me = scamp()
    me.join(A, 0.0)
    me.receive(B, Subscribed(A, ()), 0.1)
    me.peer_down(B, 1.0)

    asked = [peer for turn in range(1, 40) for peer, _ in sent(me.timer_fired("redial", 100.0 * turn), Subscribe)]

    assert asked.count(A) == asked.count(B) == 39, "its contact and who was its neighbour, and never given up"


def test_a_node_with_few_neighbours_asks_one_that_it_knew_once_a_period() -> None:
    me = scamp((A, B, C))
    me.peer_down(A, 1.0)
    few = sent(me.timer_fired("heartbeat", 10.0), Subscribe)
    ((asked, _),) = few
    me.receive(NEW, Subscribed(asked, ()), 10.1)

    enough = sent(me.timer_fired("heartbeat", 20.0), Subscribe)

    assert asked in (A, "contact")
    assert me.views["partial"] == [B, C, NEW]
    assert enough == []


def test_a_contact_is_asked_again_until_the_subscription_is_spread() -> None:
    me = scamp()
    first = me.join(A, 0.0)

    again = me.timer_fired("redial", 5.0)
    me.receive(B, Subscribed(A, ()), 5.1)
    after = me.timer_fired("redial", 50.0)

    subscribe = [(A, Subscribe(ME, A, 0.0))]
    assert sent(first, Subscribe) == sent(again, Subscribe) == subscribe
    assert after == []
    assert me.neighbours == [B]


# Leaving.


@pytest.mark.parametrize("version", [ScampV1, ScampV2])
@pytest.mark.parametrize("c", [1, 2, 4])
@pytest.mark.parametrize("heirs", [0, 1, 3, 12])
@pytest.mark.parametrize("size", [0, 1, 2, 5, 6, 20])
def test_a_leaver_is_replaced_by_the_first_and_dropped_by_the_last(
    version: type[ScampV1], c: int, heirs: int, size: int
) -> None:
    options = ScampOptions(c=c, indirection=0.0)
    in_view, partial = tuple(f"in{n}" for n in range(size)), tuple(f"out{n}" for n in range(heirs))
    me = scamp(partial, in_view, options=options, version=version)

    told = dict(sent(me.leave(1.0), Unsubscribe))

    dropping = min(size, c + 1 if version is ScampV1 else c - 1) if heirs else size
    replaced, dropped = in_view[: size - dropping], in_view[size - dropping :]
    assert told.keys() == {*in_view, *partial}
    assert [told[peer] for peer in replaced] == [
        Unsubscribe(partial[place % heirs], spare=False) for place in range(size - dropping)
    ]
    assert all(told[peer].spare for peer in dropped)  # type: ignore[attr-defined]  # only Unsubscribe is among them
    assert all(told[peer] == GONE for peer in partial)
    assert me.neighbours == [] and me.views == {"partial": [], "in": []}


def test_who_would_hold_nobody_takes_a_spare_successor_and_others_do_not() -> None:
    alone, other = scamp((A,)), scamp((A, C))

    taken = alone.receive(A, Unsubscribe(B, spare=True), 1.0)
    left = other.receive(A, Unsubscribe(B, spare=True), 1.0)

    assert sent(taken, Kept) == [(B, Kept(True))]
    assert sent(left, Kept) == []


def test_nobody_is_told_to_take_itself_for_the_leaver() -> None:
    options = ScampOptions(c=1, indirection=0.0)
    me = scamp((A, B), (A, B, C), options=options, version=ScampV2)

    told = sent(me.leave(1.0), Unsubscribe)

    assert sorted(told) == [(A, Unsubscribe(B, False)), (B, Unsubscribe(A, False)), (C, Unsubscribe(A, False))]


def test_who_holds_a_leaver_takes_its_successor() -> None:
    me = scamp((A,))

    effects = me.receive(A, Unsubscribe(B, False), 1.0)

    assert effects == [NeighbourDown(A, failed=False), Disconnect(A), Send(B, Kept(True))]
    assert me.views["partial"] == [B]


@pytest.mark.parametrize("successor", [None, ME, B])
def test_a_successor_that_is_nobody_new_is_not_taken(successor: Peer | None) -> None:
    me = scamp((A, B))

    me.receive(A, Unsubscribe(successor, False), 1.0)

    assert me.views["partial"] == [B]


def test_who_did_not_hold_the_leaver_takes_nobody() -> None:
    me = scamp((B,), (A,))

    me.receive(A, Unsubscribe(C, False), 1.0)

    assert me.views == {"partial": [B], "in": []}


@pytest.mark.parametrize("said", [Kept(True), Kept(False), Confirmed(), Subscribed(A, ()), Subscribe(C, ME, 0.0)])
def test_a_node_that_left_says_so_to_whoever_asks_later_and_names_an_heir(said: object) -> None:
    me = scamp((A,), (C,))
    me.leave(1.0)

    assert me.receive(C, said, 2.0) == [Send(C, Unsubscribe(A, spare=True))]


def test_walks_pass_through_a_node_that_left() -> None:
    me = scamp((A,))
    me.leave(1.0)

    assert me.receive(B, ForwardedSubscription(NEW, 8), 2.0) == [Send(A, ForwardedSubscription(NEW, 7))]
    assert [peer for peer, _ in sent(me.receive(B, Subscribe(NEW, B, 1.0), 2.0), Subscribe)] == [A]


def test_a_newcomer_whose_contact_has_left_enters_through_its_heir() -> None:
    me = scamp()
    me.join(A, 0.0)

    effects = me.receive(A, Unsubscribe(B, spare=True), 0.1)

    assert sent(effects, Subscribe) == [(B, Subscribe(ME, B, 0.0))]


def test_a_node_that_left_may_join_again() -> None:
    me = scamp((A,), (B,))
    me.leave(1.0)

    effects = me.join(A, 2.0)
    me.receive(A, Subscribed(A, ()), 2.1)

    assert sent(effects, Subscribe) == [(A, Subscribe(ME, A, 0.0))]
    assert me.neighbours == [A]


# The rest.


def test_a_node_does_not_join_through_itself() -> None:
    assert scamp().join(ME, 0.0) == []


def test_messages_of_other_protocols_are_ignored() -> None:
    assert scamp((A,)).receive(A, "hello", 0.0) == []


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"c": -1}, "c = -1 is not valid: expected an int of at least 0"),
        ({"walk_ttl": 0}, "walk_ttl = 0 is not valid: expected an int of at least 1"),
        ({"indirection": -1.0}, "indirection = -1.0 is not valid: expected a number from 0 to 100"),
        ({"heartbeat_period_s": 0}, "heartbeat_period_s = 0 is not valid: expected seconds, more than 0"),
        ({"view_max": 1.5}, "view_max = 1.5 is not valid: expected an int of at least 2"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ScampOptions(**wrong)  # type: ignore[arg-type]  # on purpose


def test_version_2_without_c_is_refused() -> None:
    with pytest.raises(ValueError, match="c = 0 is not valid: expected an int of at least 1"):
        ScampV2(ME, ScampOptions(c=0), Random(1))


def test_a_contact_that_has_not_answered_is_asked_in_its_later_life() -> None:
    me = scamp()
    me.join(A, 0.0)

    me.supersede(A, B, 1.0)
    asked = sent(me.timer_fired("redial", 60.0), Subscribe)

    assert asked == [(B, Subscribe(ME, B, 0.0))]
