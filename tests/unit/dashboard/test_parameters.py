"""Tests of what queries may say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies

from partisan_actors.dashboard.parameters import QUERY_ITEMS_MAX, Choice, Flag, Integer, Parameter, Text, read
from partisan_actors.dashboard.problems import Problem

PARAMETERS = (
    Parameter("limit", Integer(1, 50), "", 10),
    Parameter("sort", Choice(("a", "b")), "", "a"),
    Parameter("q", Text(5), ""),
    Parameter("all", Flag(), "", False),
    Parameter("id", Text(5, 1), "", in_path=True),
)


def test_what_is_not_said_has_its_default_and_what_is_has_its_type() -> None:
    assert read(PARAMETERS, {"id": "x"}, []) == {"limit": 10, "sort": "a", "q": None, "all": False, "id": "x"}
    assert read(PARAMETERS, {"id": "x"}, [("limit", "7"), ("all", "true"), ("q", "é")])["limit"] == 7


@pytest.mark.parametrize(
    "query",
    [
        [("limit", "0")],
        [("limit", "51")],
        [("limit", "1e3")],
        [("limit", "9" * 5000)],
        [("limit", "٣")],
        [("limit", " 3")],
        [("limit", "")],
        [("sort", "c")],
        [("q", "a\x00")],
        [("q", "longer")],
        [("all", "1")],
        [("other", "1")],
        [("limit", "1"), ("limit", "2")],
        [("id", "x")],
    ],
)
def test_what_makes_no_sense_is_a_problem_that_says_what_is_allowed(query: list[tuple[str, str]]) -> None:
    with pytest.raises(Problem) as caught:
        read(PARAMETERS, {"id": "x"}, query)

    assert caught.value.status == 400 and len(caught.value.detail) < 400


def test_others_clients_may_say_what_we_have_no_use_for_but_not_without_end() -> None:
    assert read(PARAMETERS, {"id": "x"}, [("other", "1"), ("limit", "2")], lenient=True)["limit"] == 2
    with pytest.raises(Problem):
        read(PARAMETERS, {"id": "x"}, [("other", "1")] * (QUERY_ITEMS_MAX + 1), lenient=True)


@given(
    strategies.lists(strategies.tuples(strategies.sampled_from(["limit", "sort", "q", "all", "z"]), strategies.text()))
)
def test_any_query_is_read_or_is_a_problem(query: list[tuple[str, str]]) -> None:
    try:
        values: dict[str, Any] = read(PARAMETERS, {"id": "x"}, query)
    except Problem:
        return
    assert 1 <= values["limit"] <= 50 and values["sort"] in ("a", "b")
