"""joblib's work as tasks of the cluster."""

from __future__ import annotations

import os
from typing import Any

import joblib
import pytest

import partisan_actors as pa
from partisan_actors.util.joblib import PartisanBackend, register_partisan

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture(autouse=True)
def _registered() -> None:
    register_partisan()


def square(value: int) -> int:
    if value < 0:
        raise ValueError(value)
    return value * value


def nested(value: int) -> Any:
    return joblib.Parallel(n_jobs=2)(joblib.delayed(square)(each) for each in range(value))


def parallel(function: Any, values: Any, **options: Any) -> Any:
    return joblib.Parallel(**options)(joblib.delayed(function)(value) for value in values)


def test_results_come_in_order() -> None:
    with joblib.parallel_backend("partisan"):
        assert parallel(square, range(50)) == [value * value for value in range(50)]
        assert parallel(square, []) == []
        assert list(parallel(square, range(5), return_as="generator")) == [0, 1, 4, 9, 16]


def test_work_runs_in_other_processes_as_many_as_there_are_cpus() -> None:
    with joblib.parallel_backend("partisan", n_jobs=-1):
        assert joblib.effective_n_jobs() == int(pa.cluster_resources()["num_cpus"])
        assert os.getpid() not in parallel(lambda _: os.getpid(), range(4))
    backend = PartisanBackend()
    assert [backend.effective_n_jobs(count) for count in (None, 1, 7, -1000)] == [1, 1, 7, 1]
    with pytest.raises(ValueError, match="n_jobs == 0"):
        backend.effective_n_jobs(0)


def test_what_a_function_raises_arrives_and_the_backend_goes_on() -> None:
    with joblib.parallel_backend("partisan", n_jobs=2):
        with pytest.raises(ValueError, match="-1"):
            parallel(square, [1, -1, 2])
        assert parallel(square, [1, 2]) == [1, 4]


def test_work_may_use_joblib_itself() -> None:
    with joblib.parallel_backend("partisan", n_jobs=2):
        assert parallel(nested, [1, 3]) == [[0], [0, 1, 4]]


def test_options_are_those_of_tasks() -> None:
    with joblib.parallel_backend("partisan", num_cpus=0.5):
        assert parallel(square, [3]) == [9]
    with pytest.raises(pa.ConfigError, match="option nothing"), joblib.parallel_backend("partisan", nothing=1):
        parallel(square, [3])
