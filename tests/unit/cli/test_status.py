"""Tests of the cluster in numbers."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.api.observer import Answer
from partisan_actors.cli.asking import Survey
from partisan_actors.cli.status import SUMMED, duration, summary

NAMED = {"node": "a", "insecure": False, "fault_rules": 0, "tracing": {"dropped": 0, "export_failed": 0}}


def row(name: str, state: str = "up") -> dict[str, Any]:
    return {"name": name, "state": state, "overlay": "hyparview"}


def value(**counts: Any) -> dict[str, Any]:
    return {**dict.fromkeys(SUMMED, 0), "total": {"num_cpus": 1.0}, "available": {"num_cpus": 0.5}, **NAMED, **counts}


def test_totals_are_of_those_that_answered_and_states_of_all() -> None:
    rows = [row("a"), row("b"), row("c"), row("d", "down"), row("e", "left")]
    answers = [
        Answer(rows[0], value(actors=2, tasks_running=1)),
        Answer(rows[1], value(actors=3)),
        Answer(rows[2], why="it is silent"),
    ]

    facts = summary(Survey("c", rows, answers))

    assert facts["nodes"] == {"up": 3, "suspect": 0, "down": 1, "left": 1}
    assert facts["totals"]["actors"] == 5 and facts["totals"]["tasks_running"] == 1
    assert facts["resources"] == {"total": {"num_cpus": 2.0}, "available": {"num_cpus": 1.0}}
    assert facts["overlays"] == ["hyparview"]


def test_nodes_that_take_anybody_are_named() -> None:
    rows = [row("a"), row("b")]

    facts = summary(Survey("c", rows, [Answer(rows[0], value()), Answer(rows[1], value(node="b", insecure=True))]))

    assert facts["insecure"] == ["b"]


def test_nodes_with_faults_are_named() -> None:
    rows = [row("a"), row("b")]

    facts = summary(Survey("c", rows, [Answer(rows[0], value()), Answer(rows[1], value(node="b", fault_rules=2))]))

    assert facts["faulted"] == ["b"]


def test_nodes_whose_spans_were_lost_are_named_with_how_many() -> None:
    rows = [row("a"), row("b")]
    lossy = value(node="b", tracing={"dropped": 2, "export_failed": 40})

    facts = summary(Survey("c", rows, [Answer(rows[0], value()), Answer(rows[1], lossy)]))

    assert facts["untraced"] == {"b": 42}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0s"), (59.9, "59s"), (60, "1m 0s"), (3599, "59m 59s"), (3660, "1h 1m"), (90_000, "1d 1h")],
)
def test_a_time_span_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
