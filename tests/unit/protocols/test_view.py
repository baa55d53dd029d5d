"""The bounded set of peers: its order, its bound, and even random choice."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from partisan_actors.protocols.view import View


def test_peers_are_listed_in_the_order_they_came_whoever_left_between() -> None:
    view = View(5, ["a", "b", "c", "d"])

    view.discard("a")
    view.add("e")
    view.discard("c")
    view.add("a")

    assert list(view) == ["b", "d", "e", "a"]


def test_adding_a_known_peer_changes_nothing_even_in_a_full_view() -> None:
    view = View(2, ["a", "b"])

    assert view.is_full
    assert view.add("a") is False
    assert list(view) == ["a", "b"]


def test_a_full_view_refuses_another_peer() -> None:
    view = View(1, ["a"])

    with pytest.raises(ValueError, match="no place for 'b'"):
        view.add("b")
    assert list(view) == ["a"]


def test_a_negative_size_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"size_max = -1 is not valid: expected an int of at least 0"):
        View(-1)


def test_discarding_tells_whether_the_peer_was_there() -> None:
    view = View(3, ["a", "b"])

    assert view.discard("a") is True
    assert view.discard("a") is False
    assert "a" not in view
    assert len(view) == 1


def test_a_cleared_view_is_empty_and_takes_peers_again() -> None:
    view = View(2, ["a", "b"])

    view.clear()

    assert list(view) == []
    assert view.choice(Random(1)) is None
    assert view.add("b")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_choice_is_even_among_those_not_excluded(seed: int) -> None:
    view, rng = View(5, range(5)), Random(seed)

    drawn = Counter(view.choice(rng, excluding={0, 4}) for _ in range(9000))

    assert set(drawn) == {1, 2, 3}
    assert all(2800 < count < 3200 for count in drawn.values()), f"seed {seed}: {drawn}"


def test_nobody_is_chosen_when_all_are_excluded() -> None:
    assert View(2, ["a", "b"]).choice(Random(1), excluding=["a", "b"]) is None


@pytest.mark.parametrize(("count", "drawn"), [(0, 0), (3, 3), (9, 5)])
def test_a_sample_holds_different_peers_and_at_most_all_of_them(count: int, drawn: int) -> None:
    sample = View(8, range(5)).sample(Random(7), count)

    assert len(sample) == len(set(sample)) == drawn
    assert set(sample) <= set(range(5))


def test_random_answers_depend_on_the_history_and_the_seed_only() -> None:
    def story() -> list[object]:
        view, rng = View(50, range(50)), Random(11)
        for peer in range(0, 50, 3):
            view.discard(peer)
        return [view.choice(rng, excluding={1, 2}), *view.sample(rng, 5), *view]

    assert story() == story()


def test_admitted_peers_push_out_the_last_of_those_giving_way_first_and_then_random_ones() -> None:
    view = View(4, "abcd")

    view.admit("xay", Random(1), giving_way="bzc")
    after_two = set(view)
    view.admit("z", Random(1))

    assert after_two == set("adxy")
    assert len(view) == 4 and "z" in view


def test_peers_are_admitted_once_and_a_view_without_places_admits_nobody() -> None:
    roomy, nowhere = View(5, "a"), View(0)

    roomy.admit("aabb", Random(1))
    nowhere.admit("ab", Random(1))

    assert (list(roomy), list(nowhere)) == (["a", "b"], [])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_sample_is_even(seed: int) -> None:
    view, rng = View(6, range(6)), Random(seed)

    drawn = Counter(peer for _ in range(6000) for peer in view.sample(rng, 2))

    assert all(1850 < count < 2150 for count in drawn.values()), f"seed {seed}: {drawn}"
