"""Tables that are too long for one answer: chosen, sorted and cut on the server, so that a browser gets a screenful."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from partisan_actors.dashboard.parameters import Choice, Integer, Parameter, Text

__all__ = ["LIMIT_MAX", "page", "paging"]

LIMIT_MAX: Final = 1000
OFFSET_MAX: Final = 1_000_000
LIMIT: Final = 100


def paging(sortable: Sequence[str], default: str) -> tuple[Parameter, ...]:
    """The parameters of every table: which rows, in which order."""
    orders = tuple(name for column in sortable for name in (column, f"-{column}"))
    return (
        Parameter("q", Text(200), "Only rows with a text that contains this, whatever the case."),
        Parameter("sort", Choice(orders), "By which column; with - before it, the largest first.", default),
        Parameter("offset", Integer(0, OFFSET_MAX), "How many rows to pass over.", 0),
        Parameter("limit", Integer(1, LIMIT_MAX), "How many rows to tell at most.", LIMIT),
    )


def page(rows: Iterable[Mapping[str, Any]], given: Mapping[str, Any], wanted: Sequence[str] = ()) -> dict[str, Any]:
    """The rows that `given` asks for, and how many there are in all.

    `wanted` names the parameters that choose rows by the column of the same name; None chooses all.
    """
    needle = (given.get("q") or "").casefold()
    filters = {name: given[name] for name in wanted if given.get(name) is not None}
    chosen = [
        row
        for row in rows
        if all(row.get(name) == value for name, value in filters.items()) and (not needle or _has(row, needle))
    ]
    order = given["sort"]
    column = order.removeprefix("-")
    chosen.sort(key=lambda row: _rank(row.get(column)), reverse=order.startswith("-"))
    # What has no value stands last, whichever way it is sorted; the sort before is stable.
    chosen.sort(key=lambda row: row.get(column) is None)
    first = given["offset"]
    return {
        "total": len(chosen),
        "offset": first,
        "limit": given["limit"],
        "rows": [dict(row) for row in chosen[first : first + given["limit"]]],
    }


def _has(row: Mapping[str, Any], needle: str) -> bool:
    return any(isinstance(value, str) and needle in value.casefold() for value in row.values())


def _rank(value: Any) -> tuple[int, float, str]:
    if isinstance(value, (int, float)):
        return 0, value, ""
    return 1, 0.0, str(value)
