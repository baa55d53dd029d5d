"""Tests of retries: after what a task is tried again, and how often."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.errors import ConfigError, NodeDown, TaskFailed
from partisan_actors.tasks.retry import Retries

LOST = NodeDown("a~1", "gone")


def attempts(retries: Retries, error: BaseException, node_lost: bool, most: int = 100) -> int:
    """How often a task runs whose every attempt ends like this."""
    count = 1
    while count < most and retries.allow(count, error, node_lost):
        count += 1
    return count


@pytest.mark.parametrize(("most", "runs"), [(0, 1), (3, 4), (-1, 100)])
def test_a_task_whose_node_is_lost_runs_again_as_often_as_allowed(most: int, runs: int) -> None:
    assert attempts(Retries(most), LOST, node_lost=True) == runs


def test_a_task_that_raises_runs_once_unless_it_is_said_otherwise() -> None:
    assert attempts(Retries(3), ValueError(), node_lost=False) == 1
    assert attempts(Retries(3, exceptions=True), ValueError(), node_lost=False) == 4


def test_only_the_exceptions_that_are_named_are_retried() -> None:
    retries = Retries(2, exceptions=(ValueError,))

    assert attempts(retries, ValueError(), node_lost=False) == 3
    assert attempts(retries, KeyError(), node_lost=False) == 1
    assert attempts(retries, LOST, node_lost=True) == 3


def test_what_a_task_raised_elsewhere_counts_as_its_own_class() -> None:
    failed = TaskFailed.of(ValueError("no"), "a task", "")

    assert Retries(1, exceptions=(ValueError,)).allow(1, failed, node_lost=False)
    assert not Retries(1, exceptions=(KeyError,)).allow(1, failed, node_lost=False)


@pytest.mark.parametrize("most", [-2, True, "3", 1.5, None])
def test_a_number_of_retries_that_is_none_is_refused(most: Any) -> None:
    with pytest.raises(ConfigError, match="max_retries"):
        Retries(most)


@pytest.mark.parametrize("exceptions", [ValueError, [ValueError], (1,), "ValueError", None, (int,)])
def test_exceptions_that_are_none_are_refused(exceptions: Any) -> None:
    with pytest.raises(ConfigError, match="retry_exceptions"):
        Retries(1, exceptions)
