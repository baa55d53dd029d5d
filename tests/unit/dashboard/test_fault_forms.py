"""Tests of faults that are asked for on a page: the plan that comes of each, and how it is told in words."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.dashboard.fault_forms import BEGINS_S, FORMS, plan_of, sentence_of
from partisan_actors.errors import ConfigError
from partisan_actors.faults.operations import OPERATIONS

GIVEN: dict[str, Any] = {"nodes": "a, b", "seconds": 20, "percent": 25, "delay_ms": 250, "one_way": True}


@pytest.mark.parametrize("operation", FORMS)
def test_every_form_makes_a_plan_that_does_what_it_says_to_those_who_are_named(operation: str) -> None:
    (data,) = plan_of(operation, GIVEN).to_data()["operations"]

    assert (data["do"], data["at_s"], data[FORMS[operation].whom]) == (operation, BEGINS_S, ["a", "b"])
    assert data.get("until_s") == (BEGINS_S + 20 if FORMS[operation].lasts else None)


def test_what_a_form_takes_is_in_the_plan_in_its_units() -> None:
    loss, late = plan_of("loss", GIVEN).operations[0], plan_of("reorder", GIVEN).operations[0]

    assert loss.rate == 0.25 and (late.rate, late.window_s) == (0.25, 0.25)  # type: ignore[union-attr]  # it is of that kind
    assert plan_of("slow", GIVEN).operations[0].input_s == 0.25  # type: ignore[union-attr]  # it is of that kind
    assert plan_of("cut", GIVEN).operations[0].one_way is True  # type: ignore[union-attr]  # it is of that kind


def test_only_what_makes_no_sense_for_nodes_that_run_has_no_form() -> None:
    assert OPERATIONS.keys() - FORMS.keys() == {"restart", "join"}


@pytest.mark.parametrize("nodes", ["all", "2 random", "30%"])
def test_selectors_are_taken_as_plans_have_them(nodes: str) -> None:
    assert plan_of("stall", {**GIVEN, "nodes": nodes}).operations[0].nodes == nodes  # type: ignore[union-attr]  # it is of that kind


@pytest.mark.parametrize("nodes", ["", " , ", "a b", "101%", "x" * 200])
def test_who_cannot_be_meant_is_refused(nodes: str) -> None:
    with pytest.raises(ConfigError):
        plan_of("stall", {**GIVEN, "nodes": nodes})


def test_a_fault_is_told_in_words() -> None:
    (cut,) = plan_of("cut", GIVEN).to_data()["operations"]
    (crash,) = plan_of("crash", {**GIVEN, "nodes": "1 random"}).to_data()["operations"]

    assert sentence_of(cut) == "cut: side a and b, one_way yes, for 20 s"
    assert sentence_of(crash) == "crash: nodes 1 random"
