"""Tests of the address book: what is learned is kept, up to a bound, and nobody else speaks for this node."""

from __future__ import annotations

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.node import addresses
from partisan_actors.node.addresses import Addresses

ME, A, B, C = (NodeId(name, 1) for name in ("me", "a", "b", "c"))


def listening(me: NodeId, told: list[tuple[NodeId, NodeId]]) -> Addresses:
    book = Addresses(me)
    book.on_former_life = lambda former, later: told.append((former, later))
    return book


def test_what_was_heard_last_counts() -> None:
    book = Addresses(ME)

    book.learn(A, ["a:1"])
    book.learn(A, ["a:2", "a:3"])

    assert list(book.addresses_of(A)) == ["a:2", "a:3"]
    assert list(book.addresses_of(B)) == []


def test_another_life_of_a_node_is_another_entry() -> None:
    book = Addresses(ME)
    book.learn(A, ["a:1"])

    assert list(book.addresses_of(NodeId("a", 2))) == []


def test_a_node_alone_says_where_it_is_itself() -> None:
    book = Addresses(ME)
    book.advertise(["me:1"])

    book.learn(ME, ["elsewhere:1"])

    assert list(book.addresses_of(ME)) == ["me:1"]


def test_at_the_bound_the_node_heard_of_first_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "ADDRESSES_MAX", 2)
    book = Addresses(ME)
    book.advertise(["me:1"])

    for node in (A, B, C):
        book.learn(node, [f"{node.name}:1"])

    assert [bool(book.addresses_of(node)) for node in (ME, A, B, C)] == [True, False, True, True]


def test_of_two_lives_the_later_one_counts_whichever_is_heard_of_first() -> None:
    for lives in ((1, 2), (2, 1)):
        told: list[tuple[NodeId, NodeId]] = []
        book = listening(ME, told)

        for life in lives:
            book.learn(NodeId("a", life), [f"a:{life}"])

        assert list(book.addresses_of(NodeId("a", 1))) == []
        assert list(book.addresses_of(NodeId("a", 2))) == ["a:2"]
        assert book.later_life(NodeId("a", 1)) == NodeId("a", 2)
        assert book.later_life(NodeId("a", 2)) is book.later_life(B) is None
        assert told == [(NodeId("a", 1), NodeId("a", 2))]


def test_a_former_life_of_this_node_is_over_too() -> None:
    told: list[tuple[NodeId, NodeId]] = []
    book = listening(NodeId("me", 2), told)

    book.learn(ME, ["me:1"])

    assert told == [(ME, NodeId("me", 2))]
    assert book.later_life(ME) == NodeId("me", 2)
    assert book.later_life(NodeId("me", 3)) is None
