"""Who holds an actor, as its host counts: words that come late, by several lanes, and from nodes that go down."""

from __future__ import annotations

from partisan_actors.actors.holders import Holders
from partisan_actors.ids import ActorId, NodeId

MAKER, OTHER = NodeId("maker", 1), NodeId("other", 1)
ACTOR = ActorId(MAKER, 1)


def held_by_maker() -> Holders:
    holders = Holders()
    holders.begin(ACTOR, MAKER)
    return holders


def test_an_actor_is_held_by_whoever_made_it_until_that_lets_go() -> None:
    holders = held_by_maker()
    assert holders.is_held(ACTOR)

    assert holders.let_go(ACTOR, MAKER, 1, 0, 1)

    assert not holders.is_held(ACTOR)
    assert ACTOR in holders


def test_letting_go_counts_when_every_lane_has_brought_it() -> None:
    holders = held_by_maker()

    assert not holders.let_go(ACTOR, MAKER, 1, 0, 3)
    assert not holders.let_go(ACTOR, MAKER, 1, 2, 3)
    assert not holders.let_go(ACTOR, MAKER, 1, 2, 3), "the same lane again is not another one"

    assert holders.let_go(ACTOR, MAKER, 1, 1, 3)


def test_a_word_that_comes_after_a_later_one_counts_for_nothing() -> None:
    holders = held_by_maker()
    holders.hold(ACTOR, MAKER, 2)

    assert not holders.let_go(ACTOR, MAKER, 1, 0, 1)

    assert holders.of(ACTOR) == [MAKER]


def test_who_takes_it_again_while_lanes_still_bring_that_it_let_go_holds_it() -> None:
    holders = held_by_maker()
    holders.let_go(ACTOR, MAKER, 1, 0, 2)

    holders.hold(ACTOR, MAKER, 2)

    assert not holders.let_go(ACTOR, MAKER, 1, 1, 2)
    assert holders.is_held(ACTOR)


def test_an_actor_is_let_go_when_the_last_of_several_does() -> None:
    holders = held_by_maker()
    holders.hold(ACTOR, OTHER, 1)

    assert not holders.let_go(ACTOR, MAKER, 1, 0, 1)
    assert holders.of(ACTOR) == [OTHER]
    assert holders.let_go(ACTOR, OTHER, 2, 0, 1)


def test_a_node_that_goes_down_holds_nothing_and_only_what_it_held_is_told() -> None:
    holders = held_by_maker()
    unheld = ActorId(MAKER, 2)
    holders.begin(unheld, None)

    assert holders.node_down(OTHER) == []
    assert holders.node_down(MAKER) == [ACTOR]


def test_what_is_said_of_an_actor_that_is_not_counted_or_has_ended_is_let_be() -> None:
    holders = held_by_maker()
    holders.ended(ACTOR)

    holders.hold(ACTOR, OTHER, 1)

    assert not holders.let_go(ACTOR, OTHER, 2, 0, 1)
    assert ACTOR not in holders
