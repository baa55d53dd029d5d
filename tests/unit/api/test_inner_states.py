"""Tests of states made plain: within bounds, and without any code of the values."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import Any

import pytest

from partisan_actors.api.inner_states import CHARS_MAX, DEPTH_MAX, ITEMS_MAX, VALUES_MAX, plain_state


class Colour(enum.Enum):
    RED = 1


@dataclass
class Point:
    x: int
    y: Any


class Hostile(dict[str, Any]):
    def __iter__(self) -> Any:
        raise AssertionError("nobody runs code of values")

    __len__ = __repr__ = __str__ = items = keys = __iter__  # type: ignore[assignment]  # all of them fail


def test_what_is_plain_stays_so_and_of_the_rest_the_class_is_told() -> None:
    value = {"a": [1, 2.5, True, None, "text"], 3: Point(1, (Colour.RED, b"abc")), "h": Hostile(), "o": object()}

    told, is_cut = plain_state(value)

    assert told == {
        "a": [1, 2.5, True, None, "text"],
        "3": {"x": 1, "y": ["Colour.RED", "<3 bytes>"]},
        "h": "<Hostile>",
        "o": "<object>",
    }
    assert not is_cut


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 2**60, -(10**5000)], ids=range(4))
def test_numbers_that_json_has_no_words_for_are_texts(number: Any) -> None:
    told, _ = plain_state([number])

    assert isinstance(told[0], str) and json.dumps(told, allow_nan=False)


def test_no_entry_takes_the_place_of_another_whose_key_has_the_same_text() -> None:
    told, is_cut = plain_state({(0, 1): "a", (0, 2): "b", 1: "c", "1": "d", object(): "e", object(): "f"})

    assert list(told.values()) == list("abcdef")
    assert told["(0, 1)"] == "a" and told["(0, 2)"] == "b"
    assert not is_cut


def test_every_bound_is_kept_and_said() -> None:
    deep: Any = []
    for _ in range(DEPTH_MAX + 5):
        deep = [deep]
    ring: list[Any] = []
    ring.append(ring)
    wide = [[0] * ITEMS_MAX for _ in range(ITEMS_MAX)]

    for value in (deep, ring, wide, "x" * (CHARS_MAX + 1), {str(number): 0 for number in range(ITEMS_MAX + 1)}):
        told, is_cut = plain_state(value)
        assert is_cut
        assert len(json.dumps(told)) < 4 * VALUES_MAX + 2 * CHARS_MAX
