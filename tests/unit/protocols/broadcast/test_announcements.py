"""Announcements: batches, and what is repeated until it is confirmed."""

from __future__ import annotations

from partisan_actors.protocols.broadcast.announcements import Announcements

ONE, TWO, THREE = ("o", 1, 2), ("o", 2, 2), ("o", 3, 2)
ALL_HELD = {("o", 1), ("o", 2), ("o", 3)}


def test_what_waits_is_taken_in_one_batch_for_each_neighbour() -> None:
    made = Announcements(batch_max=10, unconfirmed_max=0)

    queued = [made.add("a", ONE), made.add("b", ONE), made.add("a", TWO)]

    assert queued == [(), (), ()]
    assert made.take() == [("a", (ONE, TWO)), ("b", (ONE,))]
    assert not made


def test_a_full_batch_leaves_at_once() -> None:
    made = Announcements(batch_max=2, unconfirmed_max=0)

    assert made.add("a", ONE) == ()
    assert made.add("a", TWO) == (ONE, TWO)
    assert not made


def test_a_batch_of_one_never_waits() -> None:
    made = Announcements(batch_max=1, unconfirmed_max=0)

    assert made.add("a", ONE) == (ONE,)
    assert not made


def test_what_is_not_confirmed_is_repeated_from_the_second_repetition_on() -> None:
    made = Announcements(batch_max=1, unconfirmed_max=10)
    made.add("a", ONE)
    made.add("a", TWO)

    first = made.repeat(ALL_HELD)
    made.confirmed("a", [("o", 1)])
    made.add("a", THREE)

    assert first == []  # it had only just been sent
    assert made.repeat(ALL_HELD) == [("a", (TWO,))]
    assert made.repeat(ALL_HELD) == [("a", (TWO,)), ("a", (THREE,))]


def test_what_was_sent_itself_is_announced_only_if_it_is_not_confirmed() -> None:
    made = Announcements(batch_max=10, unconfirmed_max=10)
    made.expect("a", ONE)
    made.expect("a", TWO)
    made.confirmed("a", [("o", 2)])

    assert not made
    assert made.repeat(ALL_HELD) == []
    assert made.repeat(ALL_HELD) == [("a", (ONE,))]


def test_where_nothing_is_repeated_nothing_is_expected() -> None:
    made = Announcements(batch_max=10, unconfirmed_max=0)
    made.expect("a", ONE)

    assert made.repeat(ALL_HELD) == made.repeat(ALL_HELD) == []


def test_what_is_no_longer_held_is_not_repeated() -> None:
    made = Announcements(batch_max=10, unconfirmed_max=10)
    made.add("a", ONE)
    made.add("a", TWO)
    made.take()
    made.repeat(ALL_HELD)

    assert made.repeat({("o", 2)}) == [("a", (TWO,))]


def test_beyond_the_bound_the_oldest_is_not_repeated() -> None:
    made = Announcements(batch_max=1, unconfirmed_max=2)
    for announcement in (ONE, TWO, THREE):
        made.add("a", announcement)
    made.repeat(ALL_HELD)

    assert made.repeat(ALL_HELD) == [("a", (TWO,)), ("a", (THREE,))]


def test_a_forgotten_neighbour_is_told_nothing() -> None:
    made = Announcements(batch_max=10, unconfirmed_max=10)
    made.add("a", ONE)
    made.take()
    made.add("a", TWO)

    made.forget("a")

    assert made.take() == made.repeat(ALL_HELD) == made.repeat(ALL_HELD) == []
