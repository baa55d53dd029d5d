"""Links that only one end speaks of."""

from __future__ import annotations

from partisan_actors.api.observer import Answer
from partisan_actors.cli.overlay import one_sided, split


def said(name: str, *neighbours: str) -> Answer:
    return Answer({"name": name}, {"neighbours": list(neighbours), "views": {}})


def test_mutual_links_are_not_counted() -> None:
    assert one_sided([said("a", "b", "c"), said("b", "a"), said("c", "a")]) == []


def test_a_link_of_one_end_is_named_by_who_has_it() -> None:
    assert one_sided([said("a", "b"), said("b", "c"), said("c")]) == [("a", "b"), ("b", "c")]


def test_of_a_node_that_was_not_asked_nothing_is_said() -> None:
    assert one_sided([said("a", "gone")]) == []


def test_the_links_of_a_tree_are_eager_or_lazy() -> None:
    assert split({"c": True, "a": False, "b": True}) == {"eager": ["b", "c"], "lazy": ["a"]}
