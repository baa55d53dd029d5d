"""SeenIds: memory that follows the holes, not the messages."""

from __future__ import annotations

from partisan_actors.protocols.broadcast.seen import SeenIds


def test_an_id_is_new_once() -> None:
    seen = SeenIds(origins_max=10, intervals_max=10)

    assert seen.add("a", 1)
    assert not seen.add("a", 1)
    assert seen.add("b", 1)
    assert ("a", 1) in seen
    assert ("a", 2) not in seen
    assert ("c", 1) not in seen


def test_a_hundred_thousand_ids_of_one_origin_are_one_interval() -> None:
    seen = SeenIds(origins_max=10, intervals_max=10)

    fresh = [seen.add("a", counter) for counter in range(1, 100_001)]

    assert all(fresh)
    assert len(seen) == 1
    assert not seen.add("a", 50_000)


def test_filling_a_gap_joins_the_intervals_around_it() -> None:
    seen = SeenIds(origins_max=10, intervals_max=10)
    for counter in (1, 2, 4, 5, 7):
        seen.add("a", counter)

    before = len(seen)
    seen.add("a", 3)
    seen.add("a", 6)

    assert (before, len(seen)) == (3, 1)
    assert all(("a", counter) in seen for counter in range(1, 8))


def test_ids_that_come_backwards_grow_the_interval_downwards() -> None:
    seen = SeenIds(origins_max=10, intervals_max=10)

    fresh = [seen.add("a", counter) for counter in (9, 8, 7, 7)]

    assert fresh == [True, True, True, False]
    assert len(seen) == 1


def test_beyond_the_bound_of_intervals_the_oldest_gap_counts_as_seen() -> None:
    seen = SeenIds(origins_max=10, intervals_max=3)
    for counter in (1, 3, 5, 7):
        seen.add("a", counter)

    assert len(seen) == 3
    assert not seen.add("a", 2)
    assert seen.add("a", 4)


def test_beyond_the_bound_of_origins_the_one_heard_of_longest_ago_is_forgotten() -> None:
    seen = SeenIds(origins_max=2, intervals_max=3)
    seen.add("a", 1)
    seen.add("b", 1)
    seen.add("a", 2)

    seen.add("c", 1)

    assert ("b", 1) not in seen
    assert ("a", 1) in seen
