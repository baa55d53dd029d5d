"""Rows of actors from several nodes: one for each actor, the one that is news."""

from __future__ import annotations

from typing import Any

from partisan_actors.api.actor_rows import merge_rows


def row(actor: str, state: str, life: int = 0, node: str = "a", class_name: str = "C") -> dict[str, Any]:
    return {"id": actor, "class": class_name, "node": node, "state": state, "restarts": life}


def states(*rows: dict[str, Any], **wanted: str) -> dict[str, tuple[str, str]]:
    return {each["id"]: (each["state"], each["node"]) for each in merge_rows(rows, wanted)}


def test_an_actor_that_ended_somewhere_and_lives_elsewhere_lives() -> None:
    assert states(row("x", "stopped", 1), row("x", "alive", 0, "b")) == {"x": ("alive", "b")}


def test_the_later_of_two_lives_counts_and_of_one_life_the_state_that_is_further() -> None:
    assert states(row("x", "alive", 0), row("x", "restarting", 1, "b")) == {"x": ("restarting", "b")}
    assert states(row("x", "pending"), row("x", "alive", 0, "b")) == {"x": ("alive", "b")}


def test_only_what_is_wanted_is_left_and_what_is_not_news_is_not_wanted() -> None:
    rows = (row("x", "alive"), row("y", "stopped"), row("z", "stopped"), row("z", "alive", node="b"))

    assert states(*rows, state="stopped") == {"y": ("stopped", "a")}
    assert states(*rows, node="b") == {"z": ("alive", "b")}


def test_rows_come_by_class_node_and_id() -> None:
    rows = [row("2", "alive"), row("1", "alive"), row("3", "alive", class_name="B")]

    assert [each["id"] for each in merge_rows(rows, {})] == ["3", "1", "2"]
