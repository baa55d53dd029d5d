"""Who announces to a node, and whom it announces to."""

from __future__ import annotations

import random
from collections import Counter

from partisan_actors.protocols.broadcast.announcers import Announcers


def with_neighbours(count: int, announcers_max: int | None, seed: int = 1) -> tuple[Announcers, list[object]]:
    """Those of a node to which neighbours 0, 1, ... have announced something, and who was asked to be silent."""
    announcers = Announcers(announcers_max, random.Random(seed))
    silenced = [announcers.announced(peer) for peer in range(count)]
    return announcers, [peer for peer in silenced if peer is not None]


def test_nobody_is_silenced_where_there_are_no_more_than_the_bound_or_there_is_none() -> None:
    assert with_neighbours(3, 3)[1] == []
    assert with_neighbours(100, None)[1] == []


def test_all_beyond_the_bound_are_silenced_each_once() -> None:
    announcers, silenced = with_neighbours(10, 3)

    kept = [peer for peer in range(10) if peer not in silenced]
    assert len(set(silenced)) == len(silenced) == 7
    assert [announcers.announced(peer) for peer in kept] == [None, None, None]


def test_whoever_is_kept_is_chosen_by_chance_and_not_by_who_came_first() -> None:
    kept: Counter[object] = Counter()
    for seed in range(500):
        _, silenced = with_neighbours(10, 3, seed)
        kept.update(peer for peer in range(10) if peer not in silenced)

    assert all(100 < kept[peer] < 200 for peer in range(10)), kept  # 150 each, with a deviation of 10


def test_one_that_was_silenced_and_announces_yet_is_told_again() -> None:
    announcers, silenced = with_neighbours(10, 3)

    assert announcers.announced(silenced[0]) == silenced[0]


def test_a_silenced_neighbour_takes_the_place_of_one_that_goes_down() -> None:
    announcers, silenced = with_neighbours(5, 3)
    gone = next(peer for peer in range(5) if peer not in silenced)

    instead = announcers.down(gone)

    assert instead in silenced
    assert announcers.announced(instead) is None


def test_nobody_takes_the_place_of_a_silenced_one_or_where_there_is_nobody() -> None:
    many, silenced = with_neighbours(5, 3)
    few, _ = with_neighbours(2, 3)

    assert many.down(silenced[0]) is None
    assert few.down(0) is None
    assert few.down("never a neighbour") is None


def test_what_a_neighbour_asked_for_holds_until_it_asks_again_or_its_link_ends() -> None:
    announcers = Announcers(None, random.Random(1))
    told = [announcers.tells("a")]
    for change in (
        lambda: announcers.asked("a", wanted=False),
        lambda: announcers.asked("a", wanted=True),
        lambda: announcers.asked("a", wanted=False),
        lambda: announcers.down("a"),
    ):
        change()
        told.append(announcers.tells("a"))

    assert told == [True, False, True, False, True]
