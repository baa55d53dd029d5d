"""The published experiments at a thousand nodes, quickly, and at the papers' ten thousand over five seeds."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from partisan_actors.simulation.papers.catalogue import EXPERIMENTS
from partisan_actors.simulation.papers.judging import Result
from partisan_actors.simulation.papers.running import run

QUICK_NODES, QUICK_SEEDS = 1000, (1,)
FULL_NODES, FULL_SEEDS = 10_000, (1, 2, 3, 4, 5)
SUITE_S = 15 * 60.0
ROOT = Path(__file__).parents[2]


def broken(result: Result) -> list[str]:
    return [
        f"{row.quantity.label}: {row.mean:.5g} {row.values}, band {row.band.low:.5g} to {row.band.high:.5g}"
        for row in result.failed
        if row.band is not None
    ]


@lru_cache(maxsize=1)
def full_suite() -> dict[str, Result]:
    """Everything at full size, once for all the tests of this file that ask."""
    return {result.paper: result for result in run(list(EXPERIMENTS), FULL_NODES, FULL_SEEDS, told=print)}


# One group, so that one worker makes the overlay that most of them begin with. The longest takes 6 s of processor time.
@pytest.mark.timeout(300)
@pytest.mark.xdist_group("papers")
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_keeps_its_bands_with_a_thousand_nodes(name: str) -> None:
    (result,) = run([name], QUICK_NODES, QUICK_SEEDS, processes=1)

    assert any(row.band is not None for row in result.rows)
    assert broken(result) == []


@pytest.mark.slow
@pytest.mark.timeout(2 * SUITE_S)
@pytest.mark.xdist_group("papers")
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_keeps_its_bands_with_ten_thousand_nodes_over_five_seeds(name: str) -> None:
    result = full_suite()[name]

    assert len(result.seeds) == 5
    assert broken(result) == []


@pytest.mark.slow
@pytest.mark.timeout(2 * SUITE_S)
@pytest.mark.xdist_group("papers")
def test_all_of_them_take_two_cores_a_quarter_of_an_hour_at_most() -> None:
    assert sum(result.cpu_s for result in full_suite().values()) < 2 * SUITE_S


# Joins one by one and fifty shuffle periods: cycle by cycle, and in virtual time with latencies between 1 and 5 ms.
BY_CYCLES = """
from partisan_actors.simulation.papers.overlays import grown
engine = grown(1, 10_000)
for _ in range(50):
    engine.cycle("shuffle")
"""
IN_TIME = """
from partisan_actors.simulation.machines import Simulation
from tests.simulation.hyparview_cluster import flooding
simulation = Simulation(1)
simulation.grow(range(10_000), flooding, contact=0, interval_s=0.001)
simulation.run_for(500.0)
"""
COST = """
import resource, time
print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.perf
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("program", "cpu_max_s"), [(BY_CYCLES, 60.0), (IN_TIME, 90.0)], ids=["by cycles", "in time"])
def test_ten_thousand_nodes_join_and_run_fifty_cycles_in_time_and_in_a_gibibyte(program: str, cpu_max_s: float) -> None:
    result = subprocess.run(
        [sys.executable, "-c", program + COST], cwd=ROOT, capture_output=True, text=True, check=True, timeout=380
    )

    cpu_s, memory = result.stdout.split()
    assert float(cpu_s) < cpu_max_s
    assert int(memory) * (1 if sys.platform == "darwin" else 1024) < 2**30
