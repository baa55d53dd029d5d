"""Latencies by model and by name."""

from __future__ import annotations

import random
import statistics

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.simulation.latency import latency_of, lognormal_latency, matrix_latency, plane_latency


def test_lognormal_has_its_median_and_a_tail_with_an_end() -> None:
    rng = random.Random(1)
    latency = lognormal_latency(0.010, 1.0, longest_s=0.5)

    drawn = [latency(0, 1, rng) for _ in range(10_001)]

    assert statistics.median(drawn) == pytest.approx(10_000_000, rel=0.05)
    assert 100_000_000 < max(drawn) <= 500_000_000


def test_on_the_plane_latency_is_a_metric_of_names() -> None:
    latency, rng = plane_latency(3, 0.1, base_s=0.0), random.Random(1)
    nodes = [NodeId(f"n{number}", 1) for number in range(12)]

    for a in nodes:
        assert latency(a, NodeId(a.name, 2), rng) == 0
        for b in nodes:
            assert latency(a, b, rng) == latency(b, a, rng) <= 100_000_000
            for c in nodes:
                assert latency(a, c, rng) <= latency(a, b, rng) + latency(b, c, rng) + 2  # rounding
    assert latency(nodes[0], nodes[1], rng) != plane_latency(4, 0.1, base_s=0.0)(nodes[0], nodes[1], rng)


def test_a_matrix_is_looked_up_by_place() -> None:
    latency = matrix_latency([[0.0, 0.001], [0.002, 0.0]], lambda node: int(str(node)) % 2)

    assert latency(0, 1, random.Random(1)) == 1_000_000
    assert latency(3, 2, random.Random(1)) == 2_000_000


@pytest.mark.parametrize("table", [[], [[0.0, 1.0]], [[0.0, -1.0], [1.0, 0.0]], [[0.0, float("nan")], [1.0, 0.0]]])
def test_a_table_that_is_none_is_refused(table: list[list[float]]) -> None:
    with pytest.raises(ConfigError, match="seconds"):
        matrix_latency(table, lambda node: 0)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("constant:0.002", 0.002, 0.002), ("uniform:0.001:0.005", 0.001, 0.005), ("lognormal:0.002:0.5", 0.0, 10.0),
     ("plane:0.05", 0.0, 0.0502)],
)  # fmt: skip  # one case a line
def test_latencies_have_names(text: str, low: float, high: float) -> None:
    rng = random.Random(1)
    latency = latency_of(text, 1)

    assert all(low * 1e9 <= latency(0, number, rng) <= high * 1e9 for number in range(1, 100))


@pytest.mark.parametrize(
    "text",
    ["", "warp", "warp:9", "constant", "constant:fast", "constant:1:2", "constant:-1", "uniform:2:1", "lognormal:0:1",
     "constant:nan", "constant:inf"],
)  # fmt: skip  # one list
def test_a_latency_that_there_is_not_says_which_there_are(text: str) -> None:
    with pytest.raises(ConfigError, match="expected constant:S, uniform"):
        latency_of(text, 1)
