"""Events of several nodes put together: what many have seen counts once, what each tells alone each time."""

from __future__ import annotations

from typing import Any

from partisan_actors.api.event_rows import SAME_S, Merging, merge_events


def row(node: str, time: float, kind: str = "node.down", about: str = "x", life: str = "x~1") -> dict[str, Any]:
    fields = {"id": life} if kind.startswith("node") else {}
    return {"seq": 1, "time": time, "kind": kind, "node": node, "about": about, "text": "", "fields": fields}


def told(rows: list[dict[str, Any]]) -> list[tuple[float, str, list[str]]]:
    return [(each["time"], each["about"], each["seen_by"]) for each in rows]


def test_what_many_nodes_have_seen_is_one_event_when_the_first_has_seen_it() -> None:
    rows = [row("b", 2.0), row("a", 1.0), row("c", 3.0)]

    assert told(merge_events(rows)) == [(1.0, "x", ["a", "b", "c"])]


def test_another_life_another_time_and_what_one_node_tells_alone_are_events_of_their_own() -> None:
    rows = [
        row("a", 1.0),
        row("b", 1.0, life="x~2"),
        row("a", 2.0 + SAME_S),
        row("a", 3.0, "name.lost"),
        row("b", 3.0, "name.lost"),
    ]

    assert [time for time, _, _ in told(merge_events(rows))] == [1.0, 1.0, 3.0, 3.0, 2.0 + SAME_S]


def test_who_follows_is_told_of_a_shared_event_with_the_first_word_of_it() -> None:
    merging = Merging()

    first = merging.add([row("a", 1.0)])

    assert told(first) == [(1.0, "x", ["a"])]
    assert merging.add([row("b", 1.5)]) == []
    assert told(first) == [(1.0, "x", ["a", "b"])]


def test_a_kind_of_another_version_is_told_as_it_is() -> None:
    rows = [row("a", 1.0, "moon.full"), row("b", 1.0, "moon.full")]

    assert len(merge_events(rows)) == 2


def test_what_a_node_tells_twice_has_happened_twice_however_soon() -> None:
    rows = [row("a", 1.0, "node.suspected"), row("b", 1.1, "node.suspected")]
    rows += [row("a", 2.0, "node.refuted"), row("b", 2.1, "node.refuted")]
    rows += [row("a", 3.0, "node.suspected"), row("b", 3.1, "node.suspected")]

    merged = merge_events(rows)

    assert [(each["kind"], each["time"]) for each in merged][-1] == ("node.suspected", 3.0)
    assert [each["seen_by"] for each in merged] == [["a", "b"]] * 3
