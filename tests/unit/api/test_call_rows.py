"""Of one method several nodes may tell: what they count is added up."""

from __future__ import annotations

from typing import Any

from partisan_actors.api.call_rows import merged_counts


def row(method: str, calls: int, *, errors: int = 0, in_flight: int = 0, kind: str = "ask") -> dict[str, Any]:
    counts = {"calls": calls, "errors": errors, "in_flight": in_flight}
    return {"class": "C", "method": method, "kind": kind, **counts}


def test_what_nodes_count_of_one_method_is_added_up_and_the_most_called_comes_first() -> None:
    told = [row("rare", 2), {**row("often", 3, errors=1), "wait": {}}, row("often", 4, in_flight=5)]

    assert merged_counts(told) == [row("often", 7, errors=1, in_flight=5), row("rare", 2)]


def test_tells_and_asks_of_one_method_are_counted_apart() -> None:
    told = [row("both", 1), row("both", 2, kind="tell")]

    assert [(each["kind"], each["calls"]) for each in merged_counts(told)] == [("tell", 2), ("ask", 1)]
