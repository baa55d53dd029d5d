"""Tests of whose turn it is."""

from __future__ import annotations

import random

import pytest

from partisan_actors.protocols.detector.rota import Rota


def rota(count: int, seed: int = 1) -> Rota:
    made = Rota(random.Random(seed))
    for peer in range(count):
        made.add(peer)
    return made


def test_an_empty_one_has_no_turns() -> None:
    assert rota(0).take() is None and rota(0).upcoming is None


def test_everybody_has_one_turn_in_a_pass_and_the_next_pass_has_another_order() -> None:
    turns = rota(10)

    passes = [[turns.take() for _ in range(10)] for _ in range(3)]

    assert all(sorted(each) == list(range(10)) for each in passes)
    assert len({tuple(each) for each in passes}) == 3


@pytest.mark.parametrize("seed", range(5))
def test_two_turns_of_one_peer_are_at_most_two_passes_less_one_apart(seed: int) -> None:
    turns, last = rota(7, seed), dict.fromkeys(range(7), -1)

    for number in range(500):
        peer = turns.take()
        assert number - last[peer] <= 2 * 7 - 1
        last[peer] = number


def test_upcoming_is_who_is_taken() -> None:
    turns = rota(5)

    for _ in range(20):
        assert turns.upcoming == turns.take()


def test_who_is_hurried_is_next_and_nobody_loses_a_turn() -> None:
    for peer in range(6):
        turns = rota(6)
        had = [turns.take() for _ in range(3)]

        turns.hurry(peer)
        rest = [turns.take() for _ in range(4 if peer in had else 3)]

        assert rest[0] == peer
        assert set(had) | set(rest) == set(range(6))


def test_who_is_removed_has_no_turn_and_the_others_keep_theirs() -> None:
    for peer in range(6):
        turns = rota(6)
        had = [turns.take() for _ in range(3)]

        turns.remove(peer)
        rest = [turns.take() for _ in range(2 if peer not in had else 3)]

        assert peer not in rest and set(had) | set(rest) | {peer} == set(range(6))


def test_a_newcomer_takes_its_turn_at_any_place() -> None:
    places = set()
    for seed in range(200):
        turns = rota(4, seed)
        turns.take()
        turns.add("new")
        order = [turns.take() for _ in range(3)]
        places.add(order.index("new") if "new" in order else None)

    assert places == {0, 1, 2, None}


def test_some_are_drawn_without_those_that_are_not_wanted() -> None:
    turns = rota(6)

    for _ in range(50):
        drawn = turns.some(3, {0, 1})
        assert len(drawn) == 3 and not {0, 1} & set(drawn)
    assert sorted(turns.some(9, {0, 1})) == [2, 3, 4, 5]
