"""Clocks of many nodes: the cases that Partisan's own suite has for its vector clocks, and the laws of the order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from partisan_actors.protocols.delivery.clocks import Clocks, Node, behind, descends, merge

CLOCKS = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 4))


def merged(*several: Clocks) -> Clocks:
    result: Clocks = {}
    for each in several:
        merge(result, each)
    return result


def ticked(clocks: Clocks, node: Node) -> Clocks:
    return {**clocks, node: clocks.get(node, 0) + 1}


def test_what_two_nodes_do_alone_is_concurrent_until_it_is_merged() -> None:
    a, b = ticked({}, "a"), ticked({}, "b")
    assert descends(a, {}) and descends(b, {})
    assert not descends(a, b) and not descends(b, a)

    a = ticked(a, "a")
    both = ticked(merged(a, b), "c")

    assert descends(both, a) and descends(both, b)
    assert not descends(b, both) and not descends(a, both)


def test_a_node_that_is_not_named_has_clock_nought() -> None:
    assert [*behind({"a": 1}, {"a": 1, "b": 2, "c": 0})] == [("b", 2)]
    assert descends({}, {"a": 0})


def test_of_different_nodes_the_merge_has_all() -> None:
    assert merged({"1": 1, "2": 2, "4": 4}, {"3": 3, "4": 3}) == {"1": 1, "2": 2, "3": 3, "4": 4}


def test_merging_nothing_changes_nothing() -> None:
    assert merged() == {}
    assert merged({"5": 5}, {}) == {"5": 5}
    assert merged({}, {"5": 5}) == {"5": 5}


def test_it_does_not_matter_who_has_fewer_entries() -> None:
    assert merged({"5": 5}, {"6": 6, "7": 7}) == {"5": 5, "6": 6, "7": 7}
    assert merged({"6": 6, "7": 7}, {"5": 5}) == {"5": 5, "6": 6, "7": 7}


def test_of_the_same_node_the_merge_has_the_later() -> None:
    assert merged({"1": 1, "2": 1}, {"1": 1, "3": 1}) == {"1": 1, "2": 1, "3": 1}
    assert merged({"1": 4}, {"1": 2}) == merged({"1": 2}, {"1": 4}) == {"1": 4}


@given(CLOCKS, CLOCKS, CLOCKS)
def test_descends_is_a_partial_order(one: Clocks, two: Clocks, three: Clocks) -> None:
    assert descends(one, one)
    if descends(one, two) and descends(two, one):
        assert one == two
    if descends(one, two) and descends(two, three):
        assert descends(one, three)


@given(CLOCKS, CLOCKS, CLOCKS)
def test_a_merge_is_the_least_that_descends_from_both(one: Clocks, two: Clocks, three: Clocks) -> None:
    both = merged(one, two)

    assert descends(both, one) and descends(both, two)
    if descends(three, one) and descends(three, two):
        assert descends(three, both)
    assert both == merged(two, one)
    assert merged(both, three) == merged(one, merged(two, three))


@given(CLOCKS, st.sampled_from("abcde"))
def test_a_tick_is_later(clocks: Clocks, node: str) -> None:
    assert descends(ticked(clocks, node), clocks) and not descends(clocks, ticked(clocks, node))
