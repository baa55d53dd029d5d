"""Tests of what happened between two looks at a cluster, whose nodes come and go meanwhile."""

from __future__ import annotations

from typing import Any

from partisan_actors.api.observer import Answer
from partisan_actors.cli.asking import Survey
from partisan_actors.cli.looks import Look, between
from partisan_actors.telemetry.histogram import Histogram
from tests.unit.cli.test_measured import row


def process(cpu_s: float) -> dict[str, Any]:
    lag = Histogram()
    lag.observe(1_000_000, round(cpu_s * 10))
    return {"cpu_s": cpu_s, "rss_bytes": 1 << 20, "fds": 9, "threads": 2, "loop_lag": lag.plain()}


def look(at: float, **nodes: tuple[int, float] | None) -> Look:
    """Nodes by name, with a life in front (`a_1`): their calls and their processor time; None: no answer."""
    rows = [{"name": name[0], "id": name, "state": "up", "actors": 1} for name in nodes]
    told = list(zip(rows, nodes.values(), strict=True))
    methods = [Answer(each, [row(it[0])]) if it is not None else Answer(each, why="silent") for each, it in told]
    used = [Answer(each, process(it[1])) if it is not None else Answer(each, why="silent") for each, it in told]
    return Look(at, Survey("c", rows, methods), Survey("c", rows, used))


def test_rates_are_of_the_time_between() -> None:
    found = between(look(10.0, a_1=(100, 1.0)), look(12.0, a_1=(140, 2.0)))

    (node,) = found["nodes"]
    assert (found["seconds"], found["calls_per_s"], found["methods"][0]["calls"]) == (2.0, 20.0, 40)
    assert (node["cpu"], node["calls_per_s"], node["rss_bytes"]) == (0.5, 20.0, 1 << 20)
    assert node["loop_lag_s"] is not None


def test_a_node_that_has_come_meanwhile_brings_no_rush_of_calls() -> None:
    found = between(look(0.0, a_1=(100, 1.0)), look(1.0, a_1=(110, 1.0), b_1=(10_000, 5.0)))

    assert found["calls_per_s"] == 10.0
    assert [(node["node"], node["calls_per_s"]) for node in found["nodes"]] == [("a", 10.0), ("b", None)]


def test_nor_does_one_that_was_restarted_or_did_not_answer() -> None:
    restarted = between(look(0.0, a_1=(100, 9.0)), look(1.0, a_2=(3, 0.1)))
    silent = between(look(0.0, a_1=(100, 1.0), b_1=(5, 1.0)), look(1.0, a_1=(110, 1.0), b_1=None))

    assert restarted["calls_per_s"] == 0 and restarted["nodes"][0]["cpu"] is None
    assert silent["calls_per_s"] == 10.0 and silent["nodes"][1]["state"] == "no answer"


def test_without_calls_there_is_no_time_they_took() -> None:
    found = between(look(0.0, a_1=(100, 1.0)), look(1.0, a_1=(100, 1.0)))

    assert (found["calls_per_s"], found["run_p50_s"], found["run_p99_s"]) == (0.0, None, None)
