"""Sides of faults: the same selection wherever the plan is carried out."""

from __future__ import annotations

import random
from typing import Any

import pytest

from partisan_actors.faults.operations import Cut, Delay, Duplicate, Hold, Loss, Reorder, Reset
from partisan_actors.faults.sides import fields_of, groups_of

NAMES = [f"n{number}" for number in range(10)]


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        (Loss(0.0, 1.0, 0.5, ("n1",), ("n2",)), ("senders", "receivers")),
        (Delay(0.0, 1.0, 0.5, 0.0, ("n1",), ("n2",)), ("senders", "receivers")),
        (Duplicate(0.0, 1.0, 0.5, 0.0, ("n1",), ("n2",)), ("senders", "receivers")),
        (Reorder(0.0, 1.0, 0.5, 1.0, ("n1",), ("n2",)), ("senders", "receivers")),
        (Cut(0.0, 1.0, ("n1",), ("n2",)), ("side", "other")),
        (Hold(0.0, 1.0, ("n1",), ("n2",)), ("side", "other")),
        (Reset(0.0, ("n1",), ("n2",)), ("side", "other")),
    ],
)
def test_every_fault_between_nodes_has_two_sides(operation: Any, fields: tuple[str, str]) -> None:
    assert fields_of(operation) == ((fields[0], ("n1",)), (fields[1], ("n2",)))


def test_chance_selects_each_side_from_a_stream_of_its_own_and_the_rest_is_everybody_else() -> None:
    asked: list[str] = []

    def stream_of(field: str) -> random.Random:
        asked.append(field)
        return random.Random(field)

    first, second = groups_of(Cut(0.0, 1.0, "3 random", "rest"), NAMES, stream_of)

    assert asked == ["side", "other"]
    assert len(first.names) == 3
    assert {name for name in NAMES if name in second} == set(NAMES) - first.names
    assert "to come" in second and "to come" not in first
