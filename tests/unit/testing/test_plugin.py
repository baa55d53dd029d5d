"""The pytest plugin: in a pytest of its own, as users have it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.testing import simulated
from tests.house.source import ROOT

ACTORS: Final = """
import asyncio
import pytest
import partisan_actors as pa
from partisan_actors.faults.operations import Crash
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.testing import simulated

@pa.actor
class Counter:
    def __init__(self): self.count = 0
    def add(self): self.count += 1; return self.count

@pytest.fixture
def amount(): return 3
"""

REAL: Final = """
import os

@pa.task
def process(): return os.getpid()

def test_first(partisan_cluster):
    assert len({row["pid"] for row in pa.nodes()}) == 3
    assert pa.get(process.remote()) != os.getpid()
    test_first.cluster = partisan_cluster.cluster

async def test_second(partisan_cluster):
    assert partisan_cluster.cluster == test_first.cluster
    assert await Counter.remote().add.remote() == 1

def test_third():
    assert pa.is_initialized()
"""

COROUTINES: Final = """
@simulated(nodes=2, seeds=3)
async def test_coroutine(amount, simulated_cluster):
    counter = Counter.remote()
    await asyncio.sleep(1000.0)
    assert [await counter.add.remote() for _ in range(amount)] == [1, 2, 3]

class TestInClass:
    @simulated(nodes=1, seeds=[7, 9])
    async def test_method(self, simulated_cluster):
        assert simulated_cluster.seed in (7, 9)
        assert await Counter.remote().add.remote() == 1
"""


def pytest_of(folder: Path, text: str, *arguments: str, mode: str = "") -> str:
    """What a pytest prints that runs `text` with our plugin, in `folder`."""
    (folder / "test_mine.py").write_text(ACTORS + text, encoding="utf-8")
    options = ["-o", f"asyncio_mode={mode}"] if mode else ["-p", "no:asyncio"]
    command = [sys.executable, "-m", "pytest", "-p", "partisan_actors.testing.plugin", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [*command, *options, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=150
    )
    return result.stdout + result.stderr


@pytest.mark.parametrize("mode", [*(pytest.param(mode, marks=pytest.mark.slow) for mode in ("", "strict")), "auto"])
def test_coroutines_run_once_a_seed_with_other_fixtures_and_in_classes(tmp_path: Path, mode: str) -> None:
    output = pytest_of(tmp_path, COROUTINES, "-v", mode=mode)

    assert "5 passed" in output, output
    for name in ("test_coroutine[seed1]", "test_coroutine[seed3]", "test_method[seed7]", "test_method[seed9]"):
        assert f"{name} PASSED" in output


def test_plain_functions_get_the_cluster_and_the_plan_happens(tmp_path: Path) -> None:
    text = """
@simulated(nodes=3, plan=FaultPlan((Crash(2.0, ("n1",)),)))
def test_plain(simulated_cluster):
    assert simulated_cluster.live == ["n0", "n1", "n2"]
    simulated_cluster.run_for(5.0)
    assert simulated_cluster.live == ["n0", "n2"]

def test_without_settings(simulated_cluster):
    assert simulated_cluster.run(lambda: pa.get(Counter.remote().add.remote())) == 1
"""
    assert "2 passed" in pytest_of(tmp_path, text)


def test_a_failure_says_how_it_is_repeated_and_that_repeats_it(tmp_path: Path) -> None:
    text = """
@simulated(nodes=1, seeds=4)
async def test_odd(simulated_cluster):
    await asyncio.sleep(100.0)
    assert simulated_cluster.seed != 3
"""
    output = pytest_of(tmp_path, text)

    assert "1 failed, 3 passed" in output, output
    assert "seed 3 at 10" in output
    command = "pytest 'test_mine.py::test_odd[seed3]' --partisan-seed 3"
    assert f"to repeat it: {command}" in output
    again = pytest_of(tmp_path, text, "test_mine.py::test_odd[seed3]", "--partisan-seed", "3")
    assert "1 failed" in again and "seed 3 at 10" in again


@pytest.mark.slow
def test_the_command_line_says_which_seeds(tmp_path: Path) -> None:
    assert "2 passed" in pytest_of(tmp_path, COROUTINES, "--partisan-seed", "7")
    assert "2 passed" in pytest_of(tmp_path, COROUTINES, "--partisan-seeds", "2", "-k", "coroutine")


@pytest.mark.slow
def test_tests_are_shared_out_among_processes(tmp_path: Path) -> None:
    assert "5 passed" in pytest_of(tmp_path, COROUTINES, "-n", "2")


@pytest.mark.parametrize("seeds", [0, -1, [], [1.5], True, "3"])
def test_seeds_that_are_none_are_refused_where_they_stand(seeds: object) -> None:
    with pytest.raises(ConfigError, match="how many"):
        simulated(seeds=seeds)


def test_a_test_that_does_not_take_the_fixture_is_told_so() -> None:
    with pytest.raises(TypeError, match="has to take the fixture simulated_cluster"):

        @simulated(nodes=2)
        async def test() -> None: ...


def test_a_real_cluster_is_there_for_all_tests_of_a_module_and_gone_afterwards(tmp_path: Path) -> None:
    output = pytest_of(tmp_path, REAL, "-q", mode="auto")

    assert "3 passed" in output, output
