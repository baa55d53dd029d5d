"""HyParView, handler by handler: what each message and each failure does to one node."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from partisan_actors.messages import message_types
from partisan_actors.protocols import machine
from partisan_actors.protocols.machine import Connect, Effect, NeighbourDown, NeighbourUp, Send, SetTimer
from partisan_actors.protocols.membership.hyparview import HyParView, HyParViewOptions
from partisan_actors.protocols.membership.hyparview_messages import (
    Disconnect,
    ForwardJoin,
    Join,
    KeepAlive,
    Neighbor,
    NeighborReply,
    Shuffle,
    ShuffleReply,
)
from partisan_actors.protocols.membership.strategy import MembershipStrategy

OPTIONS = HyParViewOptions(active_max=3, active_min=1, passive_max=4)
PAPER = replace(OPTIONS, promotion_backoff_s=None)


def member(
    *active: str, passive: tuple[str, ...] = (), options: HyParViewOptions = OPTIONS, seed: int = 1
) -> HyParView:
    """A node `me` whose neighbours, in this order, call their ends of the links 101, 102, ..."""
    me = HyParView("me", options, Random(seed))
    me.start(0.0)
    for number, peer in enumerate(active, start=101):
        me.receive(peer, Neighbor(number, high=True), 0.0)
    if passive:
        me.receive("z", ShuffleReply(passive), 0.0)
    return me


def sent(effects: list[Effect], kind: type | None = None) -> list[tuple[object, object]]:
    """Who was sent what, of one kind of message or of all."""
    pairs = [(effect.peer, effect.message) for effect in effects if isinstance(effect, Send)]
    return [pair for pair in pairs if kind is None or isinstance(pair[1], kind)]


def own_number(me: HyParView, peer: str) -> int:
    """What `me` calls its end of the link to `peer`: it says so when asked again for what is agreed already."""
    ((_, check),) = [
        pair for _ in range(9) for pair in sent(me.timer_fired("shuffle", 0.0), KeepAlive) if pair[0] == peer
    ][:1]
    assert isinstance(check, KeepAlive)
    return check.own


def test_it_is_a_membership_strategy() -> None:
    assert isinstance(member(), MembershipStrategy)


def test_all_its_messages_are_registered() -> None:
    assert set(HyParView.messages) == {kind for tag, kind in message_types().items() if tag.startswith("hyparview.")}


# Joining.


def test_a_joining_node_has_no_neighbour_before_the_contact_answers() -> None:
    me = member()

    asked = me.join("c", 1.0)
    before = list(me.neighbours)
    answered = me.receive("c", NeighborReply(link=1000, accepted=True, own=7), 1.1)

    assert sent(asked) == [("c", Join(own=1000))]
    assert before == []
    assert answered == [Connect("c"), NeighbourUp("c")]
    assert me.neighbours == ["c"]


def test_contact_admits_newcomer_and_walks_it_through_its_other_peers() -> None:
    contact = member("b", "c")

    effects = contact.receive("new", Join(own=9), 0.0)

    walk = ForwardJoin("new", ttl=6)
    assert effects == [
        Connect("new"), Send("new", NeighborReply(9, True, 3)), NeighbourUp("new"), Send("b", walk), Send("c", walk),
    ]  # fmt: skip
    assert contact.neighbours == ["b", "c", "new"]


def test_a_full_contact_drops_a_random_peer_first_and_remembers_it() -> None:
    dropped: Counter[object] = Counter()
    for seed in range(60):
        contact = member("b", "c", "d", seed=seed)

        effects = contact.receive("new", Join(own=9), 0.0)

        (victim,) = contact.views["passive"]
        theirs = {"b": 101, "c": 102, "d": 103}[str(victim)]
        assert effects[:3] == [
            NeighbourDown(victim, failed=False), Send(victim, Disconnect(theirs, False)), machine.Disconnect(victim),
        ]  # fmt: skip
        assert [peer for peer, _ in sent(effects, ForwardJoin)] == [p for p in "bcd" if p != victim]
        dropped[victim] += 1
    assert set(dropped) == {"b", "c", "d"}


def test_a_node_does_not_join_through_itself() -> None:
    assert member().join("me", 0.0) == []


def test_a_contact_that_was_not_reached_is_asked_again_and_not_once_it_has_answered() -> None:
    me = member()
    (timer,) = [effect for effect in me.join("c", 0.0) if isinstance(effect, SetTimer) and effect.name == "redial"]
    me.peer_down("c", 0.1)

    again = me.timer_fired("redial", timer.delay_s)
    ((_, join),) = sent(again, Join)
    assert isinstance(join, Join)
    me.receive("c", NeighborReply(join.own, True, 5), timer.delay_s)

    assert me.neighbours == ["c"]
    assert sent(me.timer_fired("redial", 500.0)) == []


# Walks.


def test_a_walk_with_no_hops_left_ends_in_a_request_of_high_priority() -> None:
    effects = member("b", "c").receive("b", ForwardJoin("new", ttl=0), 0.0)

    assert sent(effects) == [("new", Neighbor(own=3, high=True))]


def test_a_walk_ends_where_its_sender_is_the_only_peer() -> None:
    effects = member("b").receive("b", ForwardJoin("new", ttl=5), 0.0)

    assert sent(effects) == [("new", Neighbor(own=2, high=True))]


def test_a_walk_ends_where_only_its_sender_and_the_newcomer_are_left() -> None:
    effects = member("b", "new").receive("b", ForwardJoin("new", ttl=5), 0.0)

    assert effects == [], "they are neighbours already"


def test_a_walk_goes_to_neither_its_sender_nor_the_newcomer() -> None:
    for seed in range(20):
        effects = member("b", "c", "new", seed=seed).receive("b", ForwardJoin("new", ttl=5), 0.0)

        assert effects == [Send("c", ForwardJoin("new", ttl=4))]


@pytest.mark.parametrize(("ttl", "remembered"), [(4, []), (3, ["new"]), (2, [])])
def test_a_newcomer_enters_the_passive_view_where_prwl_hops_are_left(ttl: int, remembered: list[str]) -> None:
    me = member("b", "c")

    me.receive("b", ForwardJoin("new", ttl), 0.0)

    assert me.views["passive"] == remembered


def test_a_walk_whose_newcomer_is_gone_leaves_nothing_behind() -> None:
    unreachable, silent, left = member("b"), member("b"), member("b")
    for me in (unreachable, silent, left):
        me.receive("b", ForwardJoin("new", 0), 0.0)

    unreachable.peer_down("new", 0.1)
    silent.timer_fired("neighbor_timeout", OPTIONS.neighbor_timeout_s)
    silent.peer_down("new", 8.0)
    left.receive("new", Disconnect(link=2, leaving=True), 0.1)

    for me in (unreachable, silent, left):
        assert me.views == {"active": ["b"], "passive": []}
        assert sent(me.receive("new", NeighborReply(link=2, accepted=True, own=8), 9.0)) == [
            ("new", Disconnect(8, False))
        ]


def test_a_walk_that_reaches_its_own_newcomer_is_dropped() -> None:
    assert member("b", "c").receive("b", ForwardJoin("me", 5), 0.0) == []


def test_beyond_the_bound_of_requests_a_newcomer_is_only_remembered() -> None:
    me = member("b", options=replace(OPTIONS, requests_max=1))
    me.receive("b", ForwardJoin("new", 0), 0.0)

    effects = me.receive("b", ForwardJoin("newer", 0), 0.0)

    assert effects == []
    assert me.views["passive"] == ["newer"]


# Requests.


def test_a_low_request_is_refused_by_a_full_node_and_a_high_one_never() -> None:
    me = member("b", "c", "d")

    refused = me.receive("x", Neighbor(own=5, high=False), 0.0)
    accepted = me.receive("x", Neighbor(own=6, high=True), 0.0)

    assert refused == [Send("x", NeighborReply(5, False, 0))]
    assert sent(accepted, NeighborReply) == [("x", NeighborReply(6, True, 4))]
    assert "x" in me.neighbours and len(me.neighbours) == 3


def test_an_acceptance_that_comes_too_late_still_makes_a_link_while_a_place_is_free() -> None:
    me = member("b", options=HyParViewOptions(active_max=3, active_min=2))
    for newcomer in ("slow", "slower"):
        me.receive("b", ForwardJoin(newcomer, 0), 0.0)
    me.timer_fired("neighbor_timeout", OPTIONS.neighbor_timeout_s)
    me.receive("x", Neighbor(own=7, high=True), 6.0)

    taken = me.receive("slow", NeighborReply(link=2, accepted=True, own=8), 9.0)
    full = me.receive("slower", NeighborReply(link=3, accepted=True, own=8), 9.0)

    assert taken == [Connect("slow"), NeighbourUp("slow")]
    assert full == [Send("slower", Disconnect(8, False))]
    assert me.neighbours == ["b", "x", "slow"]


def test_an_acceptance_of_a_given_up_request_is_none_of_the_next_one() -> None:
    me = member("b")
    me.receive("b", ForwardJoin("slow", 0), 0.0)
    me.timer_fired("neighbor_timeout", OPTIONS.neighbor_timeout_s)
    me.receive("b", ForwardJoin("slow", 0), 6.0)

    former = me.receive("slow", NeighborReply(link=2, accepted=True, own=8), 7.0)
    latter = me.receive("slow", NeighborReply(link=6000, accepted=True, own=9), 8.0)

    assert former == [Send("slow", Disconnect(8, False))]
    assert latter == [Connect("slow"), NeighbourUp("slow")]


def test_whoever_finds_that_answers_take_long_waits_longer_for_the_next_ones() -> None:
    me = member("b")
    me.receive("b", ForwardJoin("slow", 0), 0.0)
    me.timer_fired("neighbor_timeout", OPTIONS.neighbor_timeout_s)
    me.receive("slow", NeighborReply(link=2, accepted=False, own=0), 20.0)

    effects = me.receive("b", ForwardJoin("next", 0), 20.0)

    assert [effect for effect in effects if isinstance(effect, SetTimer)] == [SetTimer("neighbor_timeout", 40.0)]


def test_after_a_refusal_the_next_candidate_is_asked_and_the_first_is_kept() -> None:
    me = member("b", "c", passive=("p", "q"), options=PAPER)
    ((first, request),) = sent(me.timer_fired("shuffle", 0.0), Neighbor)
    assert request == Neighbor(own=3, high=False)

    effects = me.receive(str(first), NeighborReply(link=3, accepted=False, own=0), 0.1)

    ((second, _),) = sent(effects, Neighbor)
    assert {first, second} == {"p", "q"}
    assert sorted(map(str, me.views["passive"])) == ["p", "q"]


def test_a_failed_neighbour_is_replaced_at_once_from_the_passive_view() -> None:
    me = member("b", "c", "d", passive=("p",))

    effects = me.peer_down("c", 1.0)
    accepted = me.receive("p", NeighborReply(link=1000, accepted=True, own=4), 1.1)

    assert effects[:2] == [NeighbourDown("c", failed=True), machine.Disconnect("c")]
    assert sent(effects) == [("p", Neighbor(1000, high=False))]
    assert accepted == [Connect("p"), NeighbourUp("p")]
    assert me.views == {"active": ["b", "d", "p"], "passive": []}


def test_a_failure_told_twice_is_one() -> None:
    me = member("b", "c")
    me.peer_down("c", 1.0)

    assert me.peer_down("c", 1.0) == []


def test_a_candidate_that_cannot_be_reached_is_forgotten_and_another_asked() -> None:
    me = member("b", "c", "d", passive=("p", "q"))
    ((first, _),) = sent(me.peer_down("c", 1.0), Neighbor)

    ((second, _),) = sent(me.peer_down(str(first), 1.1), Neighbor)

    assert me.views["passive"] == [second]


def test_a_node_that_lost_its_last_neighbour_asks_with_high_priority() -> None:
    me = member("b", passive=("p",))

    assert sent(me.peer_down("b", 1.0), Neighbor) == [("p", Neighbor(1000, high=True))]


def test_below_active_min_requests_have_high_priority() -> None:
    me = member("b", "c", passive=("p", "q", "r"), options=HyParViewOptions(active_max=5, active_min=3))

    effects = me.peer_down("c", 1.0)

    assert sorted(request.high for _, request in sent(effects, Neighbor) if isinstance(request, Neighbor)) == [
        False, True, True,
    ]  # fmt: skip


def test_after_a_disconnect_a_place_is_filled_after_a_short_random_pause() -> None:
    me = member("b", "c", passive=("p",))
    number = own_number(me, "c")
    me.receive("p", NeighborReply(link=3, accepted=False, own=0), 0.0)

    effects = me.receive("c", Disconnect(number, False), 2.0)
    pause = effects[-1]

    assert effects[:2] == [NeighbourDown("c", failed=False), machine.Disconnect("c")]
    assert isinstance(pause, SetTimer) and pause.name == "promote" and 0.5 <= pause.delay_s <= 1.5
    assert "c" in me.views["passive"]
    assert len(sent(me.timer_fired("promote", 3.0), Neighbor)) == 2


def test_refusals_end_the_round_and_the_next_shuffle_starts_another() -> None:
    me = member("b", "c", passive=("p", "q", "r", "s"), options=replace(PAPER, promotion_refusals_max=2))

    asked, effects = [], me.timer_fired("shuffle", 0.0)
    while sent(effects, Neighbor):
        ((peer, request),) = sent(effects, Neighbor)
        assert isinstance(request, Neighbor)
        asked.append(peer)
        effects = me.receive(str(peer), NeighborReply(request.own, False, 0), 0.0)

    assert len(set(asked)) == len(asked) == 2
    assert len(sent(me.timer_fired("shuffle", 10.0), Neighbor)) == 1


def test_a_reply_whose_place_is_taken_is_answered_with_disconnect() -> None:
    me = member("b", "c", passive=("p",))
    me.timer_fired("promote", 1.0)
    me.receive("d", Neighbor(9, high=False), 1.1)

    effects = me.receive("p", NeighborReply(link=1000, accepted=True, own=4), 1.2)

    assert effects == [Send("p", Disconnect(4, False))]
    assert me.neighbours == ["b", "c", "d"]


# Links and their numbers.


def test_crossing_requests_make_one_link() -> None:
    me, you = member(passive=("you",)), HyParView("you", OPTIONS, Random(2))
    you.start(0.0)
    you.receive("z", ShuffleReply(("me",)), 0.0)
    ((_, mine),) = sent(me.timer_fired("promote", 0.0))
    ((_, yours),) = sent(you.timer_fired("promote", 0.0))

    from_me = me.receive("you", yours, 0.1)
    from_you = you.receive("me", mine, 0.1)
    late = [*me.receive("you", sent(from_you)[0][1], 0.2), *you.receive("me", sent(from_me)[0][1], 0.2)]

    assert late == []
    assert NeighbourUp("you") in from_me and NeighbourUp("me") in from_you
    assert me.receive("you", KeepAlive(own_number(me, "you"), own_number(you, "me")), 1.0) == []


def test_a_disconnect_of_a_former_link_does_not_end_the_present_one() -> None:
    me = member("b")
    former = own_number(me, "b")
    renewed = me.receive("b", Neighbor(own=500, high=False), 1.0)

    assert sent(renewed) == [("b", NeighborReply(500, True, 1000))]
    assert me.receive("b", Disconnect(former, False), 1.1) == []
    assert me.neighbours == ["b"]


@pytest.mark.parametrize("disconnect_first", [True, False])
def test_a_disconnect_that_crosses_a_new_request_does_not_undo_it(disconnect_first: bool) -> None:
    me = member("b")
    former = own_number(me, "b")
    me.peer_down("b", 1.0)
    ((_, request),) = sent(me.timer_fired("redial", 9.0), Neighbor)
    assert isinstance(request, Neighbor)
    messages = [Disconnect(former, False), NeighborReply(request.own, True, 102)]

    for message in messages if disconnect_first else reversed(messages):
        me.receive("b", message, 9.1)

    assert me.neighbours == ["b"]


def test_a_request_that_was_overtaken_by_a_later_one_is_ignored() -> None:
    me = member("b")

    assert me.receive("b", Neighbor(own=100, high=True), 1.0) == []


def test_the_same_request_twice_is_answered_twice_and_changes_nothing() -> None:
    me = member("b")

    effects = me.receive("b", Neighbor(own=101, high=True), 1.0)

    assert effects == [Send("b", NeighborReply(101, True, 1))]


def test_whoever_believes_in_a_link_that_is_not_there_is_told() -> None:
    me = member("b")

    assert me.receive("x", KeepAlive(link=1, own=77), 1.0) == [Send("x", Disconnect(77, False))]
    assert me.receive("b", KeepAlive(link=999, own=101), 1.0) == [Send("b", Disconnect(101, False))]


def test_every_link_is_checked_in_turn() -> None:
    me = member("b", "c", "d")

    checked = [sent(me.timer_fired("shuffle", 10.0 * turn), KeepAlive)[0] for turn in range(3)]

    assert checked == [("b", KeepAlive(101, 1)), ("c", KeepAlive(102, 2)), ("d", KeepAlive(103, 3))]


def test_a_later_life_of_the_same_name_uses_greater_numbers() -> None:
    later = HyParView("me", OPTIONS, Random(1))
    later.start(60.0)

    ((_, join),) = sent(later.join("c", 60.0), Join)

    assert join == Join(own=60_000)


# Shuffles.


def test_a_shuffle_carries_a_sample_of_both_views_and_no_more() -> None:
    options = HyParViewOptions(active_max=5, ka=2, kp=3)
    passive = ("p", "q", "r", "s", "t", "u")
    seen: Counter[object] = Counter()
    for seed in range(80):
        me = member("a", "b", "c", "d", "e", passive=passive, options=options, seed=seed)

        ((peer, shuffle),) = sent(me.timer_fired("shuffle", 1.0), Shuffle)

        assert isinstance(shuffle, Shuffle)
        assert peer in me.neighbours and shuffle.origin == "me" and shuffle.ttl == options.shuffle_ttl
        assert len(set(shuffle.peers) & set(me.neighbours)) == 2
        assert len(set(shuffle.peers) & set(passive)) == 3 == len(shuffle.peers) - 2
        seen.update(shuffle.peers)
    assert len(seen) == 11, "every peer has its turn: the sample is random"


def test_a_shuffle_walks_on_with_its_origin_and_never_back() -> None:
    for seed in range(20):
        effects = member("b", "c", "o", seed=seed).receive("b", Shuffle("o", 4, ("x",)), 0.0)

        assert effects == [Send("c", Shuffle("o", 3, ("x",)))]


def test_where_a_shuffle_stops_the_origin_itself_gets_as_many_as_it_sent() -> None:
    me = member("b", "c", passive=("p", "q", "r", "s"))

    ((peer, reply),) = sent(me.receive("b", Shuffle("o", 1, ("x",)), 0.0))

    assert peer == "o"
    assert isinstance(reply, ShuffleReply) and len(reply.peers) == 2
    assert set(reply.peers) <= {"p", "q", "r", "s"}
    assert {"o", "x"} <= set(me.views["passive"])


def test_room_is_made_first_by_peers_that_were_sent_in_the_same_exchange() -> None:
    for seed in range(20):
        me = member("b", passive=("p", "q", "r", "s"), options=replace(PAPER, kp=2), seed=seed)
        ((_, shuffle),) = sent(me.timer_fired("shuffle", 1.0), Shuffle)
        assert isinstance(shuffle, Shuffle)
        kept = {"p", "q", "r", "s"} - set(shuffle.peers)

        me.receive("far", ShuffleReply(("x", "y")), 1.1)

        assert set(me.views["passive"]) == kept | {"x", "y"}


def test_nobody_enters_the_passive_view_who_is_known_already() -> None:
    me = member("b", passive=("p",))

    me.receive("far", ShuffleReply(("me", "b", "p", "x")), 1.0)

    assert me.views == {"active": ["b"], "passive": ["p", "x"]}


# Leaving and coming back.


def test_a_leaver_says_so_to_its_neighbours_and_forgets_everybody() -> None:
    me = member("b", "c", passive=("p",))

    effects = me.leave(1.0)

    assert sent(effects) == [("b", Disconnect(101, True)), ("c", Disconnect(102, True))]
    assert me.views == {"active": [], "passive": []}
    assert me.timer_fired("shuffle", 2.0) == []


def test_a_leaver_is_not_kept_by_those_it_left() -> None:
    me = member("b", "c")

    me.receive("c", Disconnect(own_number(me, "c"), leaving=True), 1.0)

    assert me.views == {"active": ["b"], "passive": []}


def test_a_failed_neighbour_that_says_it_has_left_is_not_tried_again() -> None:
    me = member("b", "c")
    me.peer_down("c", 1.0)
    ((_, request),) = sent(me.timer_fired("redial", 9.0), Neighbor)
    assert isinstance(request, Neighbor)

    me.receive("c", Disconnect(request.own, leaving=True), 9.1)

    assert sent(me.timer_fired("redial", 500.0)) == []


@pytest.mark.parametrize("request_", [Join(8), Neighbor(8, True), KeepAlive(1, 8), NeighborReply(1, True, 8)])
def test_a_node_that_left_answers_that_it_is_gone(request_: object) -> None:
    me = member("b")
    me.leave(1.0)

    assert me.receive("x", request_, 2.0) == [Send("x", Disconnect(8, True))]


def test_a_node_that_left_can_join_again() -> None:
    me = member("b")
    me.leave(1.0)

    ((_, join),) = sent(me.join("c", 2.0), Join)
    assert isinstance(join, Join)
    me.receive("c", NeighborReply(join.own, True, 4), 2.1)

    assert me.neighbours == ["c"]


# Recovery.


def test_a_node_that_knows_nobody_any_more_goes_back_to_its_contact() -> None:
    me = member()
    ((_, join),) = sent(me.join("c", 0.0), Join)
    assert isinstance(join, Join)
    me.receive("c", NeighborReply(join.own, True, 4), 0.1)

    me.peer_down("c", 50.0)
    tries = 0
    for turn in range(1, 100):
        tries += len(sent(me.timer_fired("redial", 100.0 * turn), Join))
        me.peer_down("c", 100.0 * turn)

    assert tries == 99, "however long it takes"


def test_a_failed_neighbour_is_tried_again_even_when_its_place_is_taken() -> None:
    me = member("b", "c", "d", passive=("p",))
    me.peer_down("c", 1.0)
    me.receive("p", NeighborReply(link=1000, accepted=True, own=4), 1.1)

    ((peer, request),) = sent(me.timer_fired("redial", 9.0), Neighbor)

    assert (peer, request) == ("c", Neighbor(9000, high=True))


def test_a_failed_neighbour_is_given_up_after_its_last_try() -> None:
    me = member("b", "c")
    me.peer_down("c", 1.0)

    tries = 0
    for turn in range(1, 100):
        tries += len(sent(me.timer_fired("redial", 100.0 * turn), Neighbor))
        me.peer_down("c", 100.0 * turn)

    assert tries == OPTIONS.redial.tries_max


# Places reserved for peers of a tag.

RESERVING = replace(OPTIONS, reservations={"vip": 1})


def test_a_peer_in_a_reserved_place_never_makes_room_in_ten_thousand_evictions() -> None:
    me = member(options=RESERVING)
    me.receive("v", Neighbor(1, high=True, tag="vip"), 0.0)

    for number in range(10_002):
        me.receive(f"p{number}", Neighbor(1, high=True), 0.0)

    assert me.neighbours[0] == "v" and len(me.neighbours) == 3


def test_an_empty_reserved_place_is_for_its_tag_only() -> None:
    me = member("b", "c", options=RESERVING)

    refused = me.receive("x", Neighbor(5, high=False), 0.0)
    accepted = me.receive("v", Neighbor(6, high=False, tag="vip"), 0.0)

    assert sent(refused) == [("x", NeighborReply(5, False, 0))]
    assert sent(accepted) == [("v", NeighborReply(6, True, 3))]
    assert me.neighbours == ["b", "c", "v"]


def test_an_empty_reserved_place_is_not_asked_for() -> None:
    me = member("b", "c", passive=("p",), options=RESERVING)

    assert sent(me.timer_fired("promote", 0.0)) == []


def test_a_request_of_high_priority_drops_an_ordinary_peer_although_a_reserved_place_is_empty() -> None:
    me = member("b", "c", options=RESERVING)

    me.receive("x", Neighbor(5, high=True), 0.0)

    assert len(me.neighbours) == 2 and "x" in me.neighbours and len(me.views["passive"]) == 1


def test_when_every_place_is_reserved_for_others_even_high_priority_is_refused() -> None:
    me = member(options=replace(OPTIONS, reservations={"vip": 2, "db": 1}))

    effects = me.receive("x", Join(5), 0.0)

    assert sent(effects) == [("x", NeighborReply(5, False, 0))]


def test_the_second_peer_of_a_tag_inherits_the_place_of_the_first() -> None:
    me = member(options=RESERVING)
    for number, peer in enumerate("vw"):
        me.receive(peer, Neighbor(number + 1, high=True, tag="vip"), 0.0)
    me.peer_down("v", 0.0)

    for number in range(50):
        me.receive(f"p{number}", Neighbor(1, high=True), 0.0)

    assert "w" in me.neighbours


def test_a_nodes_tag_travels_in_all_that_makes_a_link() -> None:
    me = member("b", options=replace(OPTIONS, tag="vip"))
    me.receive("b", ForwardJoin("new", 0), 0.0)

    asked = me.timer_fired("redial", 0.0), me.join("c", 0.0), me.receive("x", Neighbor(5, high=False), 0.0)

    assert [getattr(message, "tag", None) for effects in asked for _, message in sent(effects)] == ["vip", "vip"]
    ((_, request),) = sent(member("b", options=me.options).receive("b", ForwardJoin("new", 0), 0.0))
    assert request == Neighbor(2, True, "vip")


def test_the_tag_of_a_peer_that_accepts_counts_too() -> None:
    me = member(options=RESERVING)
    ((_, join),) = sent(me.join("v", 0.0), Join)
    assert isinstance(join, Join)
    me.receive("v", NeighborReply(join.own, True, 9, "vip"), 0.0)

    for number in range(50):
        me.receive(f"p{number}", Neighbor(1, high=True), 0.0)

    assert "v" in me.neighbours


# Options.


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"active_max": 1}, "active_max = 1 is not valid: expected an int of at least 2"),
        ({"passive_max": -1}, "passive_max = -1 is not valid: expected an int of at least 0"),
        ({"arwl": 1.5}, "arwl = 1.5 is not valid: expected an int of at least 0"),
        ({"active_min": 5}, "active_min = 5 is not valid: expected less than active_max"),
        ({"shuffle_period_s": 0}, "shuffle_period_s = 0 is not valid: expected a number of seconds greater than 0"),
        ({"promotion_backoff_s": -1.0}, "promotion_backoff_s = -1.0 is not valid"),
        ({"tag": 3}, "tag = 3 is not valid: expected a str of at most 64 characters"),
        ({"reservations": ["vip"]}, "expected a mapping of tags to numbers of places"),
        ({"reservations": {"vip": 0}}, "expected a tag that is not empty and an int of at least 1, not 'vip': 0"),
        ({"reservations": {"vip": 4, "db": 2}}, "expected at most active_max = 5 places in all"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        HyParViewOptions(**wrong)  # type: ignore[arg-type]  # on purpose


def test_without_a_passive_view_the_overlay_still_joins() -> None:
    me = member("b", "c", "d", options=replace(OPTIONS, passive_max=0))

    me.receive("x", Join(9), 0.0)

    assert "x" in me.neighbours and me.views["passive"] == []


def test_a_contact_that_has_not_answered_is_asked_in_its_later_life() -> None:
    me = HyParView("me", HyParViewOptions(), Random(1))
    me.join("former", 0.0)

    me.supersede("former", "later", 1.0)
    asked = sent(me.timer_fired("redial", 60.0), Join)

    assert [peer for peer, _ in asked] == ["later"]
    assert me.views == {"active": [], "passive": []}
