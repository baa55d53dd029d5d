"""Of one task several nodes may tell: who runs it knows best."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from partisan_actors.api.task_rows import TASK_STATES, merge_task_rows


def row(state: str, identity: str = "task:a~1/1", node: str = "") -> dict[str, Any]:
    return {"id": identity, "name": "f", "state": state, "node": node, "owner": "a", "attempt": 1, "submitted": None}


@pytest.mark.parametrize(("better", "worse"), list(itertools.combinations(TASK_STATES, 2)))
def test_who_runs_a_task_is_believed_before_who_has_sent_it(better: str, worse: str) -> None:
    told = [row(worse), row(better, node="b")]

    assert merge_task_rows(told) == merge_task_rows(told[::-1]) == [row(better, node="b")]


def test_different_tasks_have_a_row_each() -> None:
    told = [row("sent"), row("running", "task:a~1/2"), row("queued")]

    assert {each["id"]: each["state"] for each in merge_task_rows(told)} == {
        "task:a~1/1": "queued",
        "task:a~1/2": "running",
    }
    assert merge_task_rows([]) == []


def test_the_time_of_its_submission_is_told_by_its_owner_only() -> None:
    told = [row("running"), row("sent") | {"submitted": 7.0}]

    assert merge_task_rows(told) == merge_task_rows(told[::-1]) == [row("running") | {"submitted": 7.0}]
