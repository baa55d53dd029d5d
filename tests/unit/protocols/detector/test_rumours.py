"""Tests of which statements count and which go with a packet."""

from __future__ import annotations

import pytest

from partisan_actors.protocols.detector.rumours import ALIVE, CONFIRM, SUSPECT, Rumours, Update, beats


@pytest.mark.parametrize(
    ("new", "held", "expected"),
    [
        ((ALIVE, 1), (ALIVE, 0), True),
        ((ALIVE, 1), (ALIVE, 1), False),
        ((ALIVE, 1), (SUSPECT, 0), True),
        ((ALIVE, 1), (SUSPECT, 1), False),
        ((ALIVE, 9), (CONFIRM, 0), False),
        ((SUSPECT, 1), (ALIVE, 1), True),
        ((SUSPECT, 1), (ALIVE, 2), False),
        ((SUSPECT, 1), (SUSPECT, 1), False),
        ((SUSPECT, 2), (SUSPECT, 1), True),
        ((SUSPECT, 9), (CONFIRM, 0), False),
        ((CONFIRM, 0), (ALIVE, 5), True),
        ((CONFIRM, 0), (SUSPECT, 5), True),
        ((CONFIRM, 5), (CONFIRM, 0), False),
    ],
)
def test_the_precedence_of_the_paper(new: tuple[int, int], held: tuple[int, int], expected: bool) -> None:
    assert beats(*new, held) is expected


def said(peer: str, status: int = ALIVE, incarnation: int = 0, by: str = "x") -> Update:
    return Update(status, peer, incarnation, by)


def test_those_least_often_sent_go_first() -> None:
    rumours = Rumours(10)
    for peer in "abc":
        rumours.add(said(peer))

    first = rumours.take(2, 5)
    rumours.add(said("d"))
    second = rumours.take(2, 5)

    assert [update.peer for update in first] == ["a", "b"]
    assert [update.peer for update in second] == ["c", "d"]


def test_each_goes_so_many_times_and_no_more() -> None:
    rumours = Rumours(10)
    rumours.add(said("a"))

    packets = [rumours.take(6, 3) for _ in range(5)]

    assert [len(packet) for packet in packets] == [1, 1, 1, 0, 0]
    assert len(rumours) == 0


def test_a_newer_statement_takes_the_place_of_an_older_one_but_suspicions_of_several_nodes_stand_together() -> None:
    rumours = Rumours(10)
    rumours.add(said("a", ALIVE, 0))
    rumours.add(said("a", SUSPECT, 0, by="x"))
    rumours.add(said("a", SUSPECT, 0, by="y"))
    assert {update.by for update in rumours.take(6, 9)} == {"x", "y"}

    rumours.add(said("a", ALIVE, 1))

    assert rumours.take(6, 9) == [said("a", ALIVE, 1)]


def test_at_the_bound_the_one_most_often_sent_is_dropped() -> None:
    rumours = Rumours(2)
    rumours.add(said("a"))
    rumours.take(1, 9)
    rumours.add(said("b"))

    rumours.add(said("c"))

    assert {update.peer for update in rumours.take(6, 9)} == {"b", "c"}
