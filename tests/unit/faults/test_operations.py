"""The kinds of faults: what their values may be, and that the manual has them all."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.faults.operations import LATEST_S, OPERATIONS, Cut, Delay, Hold, Join, Loss, Slow, Stall

MANUAL = Path(__file__).parents[3] / "docs" / "simulation.md"


def test_the_manual_has_every_kind_of_fault_with_all_its_fields() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", MANUAL.read_text(encoding="utf-8"), re.MULTILINE)

    assert {name: set(re.findall(r"`(\w+)`", cell)) for name, cell in rows if name != "do"} == {
        name: {each.name for each in fields(kind)} - {"at_s"} for name, kind in OPERATIONS.items()
    }


@pytest.mark.parametrize("until_s", [5.0, 4.9, -1.0, LATEST_S + 1, float("inf")])
def test_a_span_ends_after_it_begins(until_s: float) -> None:
    with pytest.raises(ConfigError, match="until_s"):
        Stall(5.0, until_s, "all")


def test_whatever_has_no_sense_is_refused_by_name() -> None:
    for name, make in {
        "rate": lambda: Loss(0, 1, -0.1),
        "delay_s": lambda: Delay(0, 1, -1),
        "input_s": lambda: Slow(0, 1, "all", 1e9),
        "count": lambda: Join(0, 1.5),  # type: ignore[arg-type]  # what a plan's file may hold
        "side": lambda: Cut(0, 1, ""),
        "one_way": lambda: Hold(0, 1, "all", one_way=1),  # type: ignore[arg-type]  # what a plan's file may hold
        "kinds": lambda: Loss(0, 1, 1, kinds=("",)),
    }.items():
        with pytest.raises(ConfigError, match=f"^{name} = "):
            make()
