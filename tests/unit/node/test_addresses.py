"""Tests of the address book: what is learned is kept, up to a bound, and nobody else speaks for this node."""

from __future__ import annotations

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.node import addresses
from partisan_actors.node.addresses import Addresses

ME, A, B, C = (NodeId(name, 1) for name in ("me", "a", "b", "c"))


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
