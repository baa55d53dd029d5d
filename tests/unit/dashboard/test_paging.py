"""Tests of tables that are chosen, sorted and cut."""

from __future__ import annotations

from typing import Any

from partisan_actors.dashboard.paging import page, paging

ROWS = [
    {"name": f"n{number:02}", "size": number if number % 3 else None, "kind": "ab"[number % 2]} for number in range(30)
]


def asked(**said: Any) -> dict[str, Any]:
    return {"q": None, "sort": "name", "offset": 0, "limit": 100, **said}


def test_a_page_says_how_many_rows_there_are_in_all() -> None:
    cut = page(ROWS, asked(offset=10, limit=5))

    assert cut["total"] == 30 and [row["name"] for row in cut["rows"]] == ["n10", "n11", "n12", "n13", "n14"]
    assert page(ROWS, asked(offset=1000))["rows"] == []


def test_what_has_no_value_stands_last_whichever_way_it_is_sorted() -> None:
    for order, first in (("size", 1), ("-size", 29)):
        rows = page(ROWS, asked(sort=order))["rows"]
        assert rows[0]["size"] == first and rows[-1]["size"] is None


def test_rows_are_chosen_by_columns_and_by_any_text() -> None:
    assert page(ROWS, asked(kind="a"), ("kind",))["total"] == 15
    assert [row["name"] for row in page(ROWS, asked(q="N07"))["rows"]] == ["n07"]


def test_a_column_of_texts_and_numbers_can_be_sorted() -> None:
    rows = page([{"x": "b"}, {"x": 2}, {"x": None}, {"x": True}], asked(sort="x"))["rows"]

    assert [row["x"] for row in rows] == [True, 2, "b", None]


def test_every_column_can_be_sorted_both_ways() -> None:
    (sort,) = [each for each in paging(("a", "b"), "-a") if each.name == "sort"]

    assert sort.default == "-a" and sort.plain()["schema"]["enum"] == ["a", "-a", "b", "-b"]
