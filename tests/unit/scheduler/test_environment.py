"""Tests of environments: which are the same, and that they survive their way to a process."""

from __future__ import annotations

import json

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.scheduler.environment import NO_ENVIRONMENT, Environment
from partisan_actors.scheduler.isolated import threads_for
from partisan_actors.scheduler.resources import Resources

FULL = Environment((("A", "1"),), "d" * 32, ("e" * 32,), NodeId("origin", 7))


@pytest.mark.parametrize("environment", [NO_ENVIRONMENT, FULL])
def test_an_environment_survives_as_json(environment: Environment) -> None:
    assert Environment.of_plain(json.loads(json.dumps(environment.plain()))) == environment


def test_processes_are_shared_by_what_is_the_same_wherever_it_came_from() -> None:
    elsewhere = Environment(FULL.variables, FULL.working_dir, FULL.py_modules, NodeId("other", 1))

    assert elsewhere.key == FULL.key
    assert len({FULL.key, NO_ENVIRONMENT.key, Environment((("A", "2"),)).key}) == 3


def test_packages_are_the_working_directory_and_then_the_modules() -> None:
    assert FULL.packages == ("d" * 32, "e" * 32)
    assert NO_ENVIRONMENT.packages == ()


@pytest.mark.parametrize(("cpus", "threads"), [(0, 1), (0.5, 1), (1, 1), (2.5, 2), (8, 8)])
def test_whole_cpus_are_threads(cpus: float, threads: int) -> None:
    assert threads_for(Resources.of(num_cpus=cpus)) == threads
