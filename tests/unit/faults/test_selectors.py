"""Selectors: what they mean, and that chance comes from the stream alone."""

from __future__ import annotations

import random

import pytest

from partisan_actors.faults.selectors import ANYBODY, Group, group, is_drawn, is_selector, select

NAMES = [f"n{number}" for number in range(10)]


@pytest.mark.parametrize("value", ["all", "rest", "1 random", "250 random", "30%", "0.5%", "100%", ("n1",), ("a", "b")])
def test_selectors_are_recognised(value: object) -> None:
    assert is_selector(value)


@pytest.mark.parametrize(
    "value",
    ["", "some", "0 random", "-1 random", "0%", "101%", "%", "n1", (), ("all",), ("a b",), ("",), 3, None, ["n1"]],
)
def test_what_is_no_selector_is_refused(value: object) -> None:
    assert not is_selector(value)


@pytest.mark.parametrize(
    ("selector", "count"), [("3 random", 3), ("99 random", 10), ("30%", 3), ("1%", 1), ("95%", 10)]
)
def test_counts_and_shares_draw_so_many_in_the_order_of_the_candidates(selector: str, count: int) -> None:
    drawn = select(selector, NAMES, random.Random(1))

    assert len(drawn) == count
    assert list(drawn) == sorted(drawn, key=NAMES.index)
    assert drawn == select(selector, NAMES, random.Random(1))


def test_another_stream_draws_others() -> None:
    assert len({select("3 random", NAMES, random.Random(seed)) for seed in range(20)}) > 10


def test_nobody_is_drawn_of_nobody() -> None:
    assert select("30%", [], random.Random(1)) == select("3 random", [], random.Random(1)) == ()


def test_spared_nodes_are_reached_by_their_name_only() -> None:
    assert select("100%", NAMES, random.Random(1), spared=["n0", "n9"]) == tuple(NAMES[1:9])
    assert select("all", NAMES, random.Random(1), spared=["n0"]) == tuple(NAMES[1:])
    assert select(("n0", "n4", "gone"), NAMES, random.Random(1), spared=["n0"]) == ("n0", "n4")


def test_rest_is_everybody_else_also_those_to_come() -> None:
    side = group(("n1", "n2"), NAMES, random.Random(1))
    rest = group("rest", NAMES, random.Random(1), other=side)

    assert "n1" in side and "n1" not in rest
    assert "n3" not in side and "n3" in rest and "new" in rest


def test_the_rest_of_anybody_is_nobody() -> None:
    rest = group("rest", NAMES, random.Random(1), other=ANYBODY)

    assert rest == Group(frozenset()) and "n1" not in rest


@pytest.mark.parametrize(("selector", "drawn"), [("all", False), ("rest", False), (("n1",), False), ("30%", True)])
def test_only_counts_and_shares_are_drawn(selector: str | tuple[str, ...], drawn: bool) -> None:
    assert is_drawn(selector) is drawn
