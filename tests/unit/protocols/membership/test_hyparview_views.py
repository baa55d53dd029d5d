"""HyParView's views by themselves: places, reserved ones, and who makes room."""

from __future__ import annotations

from collections import Counter
from random import Random

from partisan_actors.protocols.membership.hyparview_options import HyParViewOptions
from partisan_actors.protocols.membership.hyparview_views import ActiveView, Link, PassiveView


def active(*peers: tuple[str, str], size_max: int = 4, **reservations: int) -> ActiveView:
    view = ActiveView(size_max, reservations)
    for number, (peer, tag) in enumerate(peers):
        view[peer] = Link(number, number, tag)
    return view


def passive(*peers: str, size_max: int = 4, **options: int) -> PassiveView:
    settings = HyParViewOptions(passive_max=size_max, **options)  # type: ignore[arg-type]  # only ints are given
    view = PassiveView("me", settings, active(("a", ""), ("b", "")), Random(1))
    for peer in peers:
        view.remember(peer)
    return view


def test_reserved_places_that_are_empty_are_free_for_their_tag_only() -> None:
    view = active(("a", ""), ("b", "db"), db=2)

    assert (view.free_places(), view.free_places("x"), view.free_places("db")) == (1, 1, 2)


def test_of_one_tag_only_as_many_as_there_are_places_are_reserved() -> None:
    view = active(("a", "db"), ("b", ""), ("c", "db"), ("d", "db"), db=2)

    assert view.reserved() == ["a", "c"]
    assert view.free_places() == view.free_places("db") == 0


def test_whoever_makes_room_is_drawn_evenly_from_those_without_a_reserved_place() -> None:
    view, rng = active(("a", "db"), ("b", ""), ("c", ""), ("d", ""), db=1), Random(1)

    drawn = Counter(view.victim(rng) for _ in range(3000))

    assert set(drawn) == {"b", "c", "d"} and min(drawn.values()) > 900


def test_nobody_makes_room_where_all_places_are_reserved() -> None:
    assert active(("a", "db"), size_max=2, db=2).victim(Random(1)) is None


def test_nobody_is_remembered_twice_nor_who_is_active_nor_the_node_itself() -> None:
    assert list(passive("x", "x", "a", "me", "y")) == ["x", "y"]


def test_a_full_view_forgets_a_random_peer_for_a_new_one() -> None:
    view = passive("p", "q", "r", "s")

    view.remember("t")

    assert len(view) == 4 and "t" in view


def test_an_exchange_gives_as_many_as_came_and_forgets_those_it_gave_first() -> None:
    view = passive("p", "q", "r", "s")

    given = view.exchange("o", ["x"])

    assert len(given) == 2 and {"o", "x"} <= set(view)
    assert set(view) == {"p", "q", "r", "s"} - set(given) | {"o", "x"}


def test_the_answer_to_an_offer_replaces_what_was_offered_and_only_once() -> None:
    view = passive("p", "q", "r", "s", kp=2)

    offered = [peer for peer in view.offer() if peer in view]
    view.settle(["x", "y"])

    assert len(offered) == 2
    assert set(view) == {"p", "q", "r", "s"} - set(offered) | {"x", "y"}


def test_more_than_an_exchange_may_hold_is_not_taken_in() -> None:
    view = passive(size_max=30, ka=1, kp=1)

    view.settle([f"p{number}" for number in range(20)])

    assert len(view) == 3
