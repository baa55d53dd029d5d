"""Tests of the picture of an overlay, and of what changes from one to the next."""

from __future__ import annotations

from typing import Any

from partisan_actors.dashboard.overlay_graph import changes_between, graph_of, parts_of
from tests.unit.dashboard.fakes import member


def views(**near: str) -> dict[str, Any]:
    return {name: {"neighbours": others.split(), "views": {"passive": ["c"]}} for name, others in near.items()}


def rows(*names: str) -> list[dict[str, Any]]:
    return [member(name) for name in names]


def test_a_link_is_there_once_and_says_whether_both_ends_have_it() -> None:
    picture = graph_of(rows("a", "b", "c"), views(a="b c", b="a", c=""), {}, {})

    assert picture["links"] == [{"from": "a", "to": "b", "mutual": True}, {"from": "a", "to": "c", "mutual": False}]
    assert picture["one_sided"] == [["a", "c"]]


def test_of_who_has_not_answered_the_row_counts_and_nobody_says_that_it_lacks_something() -> None:
    picture = graph_of([member("a"), member("b", neighbours=["c"]), member("c")], views(a="b", c="b"), {}, {})

    assert [(link["from"], link["to"], link["mutual"]) for link in picture["links"]] == [
        ("a", "b", True),
        ("b", "c", True),
    ]
    assert [node["answered"] for node in picture["nodes"]] == [True, False, True]


def test_nodes_that_are_down_have_no_links_and_those_that_left_are_not_shown() -> None:
    picture = graph_of([member("a"), member("b", "down"), member("c", "left")], views(a="b c"), {}, {})

    assert [node["name"] for node in picture["nodes"]] == ["a", "b"]
    assert picture["parts"] == [["a"]]
    assert picture["nodes"][1]["part"] is None


def test_parts_that_cannot_reach_each_other_are_told_apart_the_largest_first() -> None:
    assert parts_of("abcdef", [("a", "b"), ("d", "c"), ("d", "e"), ("x", "a")]) == [["c", "d", "e"], ["a", "b"], ["f"]]


def test_the_tree_has_each_eager_link_once_and_ways_lead_through_a_neighbour() -> None:
    trees = {"a": {"b": True, "c": False}, "b": {"a": True}}

    picture = graph_of(rows("a", "b", "c"), views(a="b", b="a c", c="b"), trees, {"a": {"c": "b", "gone": "b"}})

    assert picture["tree"] == [["a", "b"]]
    assert picture["ways"] == [["a", "c", "b"]]


def test_what_has_changed_is_told_in_sentences() -> None:
    before = graph_of(rows("a", "b", "c"), views(a="b", b="a c", c="b"), {}, {})
    after = graph_of([member("a"), member("b", "down"), member("d")], views(a="d", d="a"), {}, {})

    texts = [each["text"] for each in changes_between(before, after)]

    assert texts == [
        "b is down, it was up",
        "d is up",
        "c has left",
        "a and d are linked",
        "a and b are linked no more",
        "b and c are linked no more",
    ]
    assert changes_between(after, after) == []
