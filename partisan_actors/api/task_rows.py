"""What one node tells of tasks that are not done: those that it has submitted, and those that it has taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.tasks.executor import TaskExecutor
from partisan_actors.tasks.submit import TaskSubmitter

__all__ = ["TASK_ROWS_MAX", "TASK_STATES", "merge_task_rows", "task_rows"]

# The most rows of one answer: the oldest are told.
TASK_ROWS_MAX: Final = 10_000

# In the order in which the row of one node is preferred to that of another one: who runs a task knows best.
TASK_STATES: Final = ("running", "queued", "sent", "waiting")


def task_rows(system: ActorSystem, submitter: TaskSubmitter, executor: TaskExecutor) -> list[dict[str, Any]]:
    """A row for each, the oldest first. On the loop."""
    rows = []
    for work in list(submitter.submitted.values()):
        state = "waiting" if work.host is None else "sent"
        rows.append(_row(work.spec, state, work.host.name if work.host is not None else ""))
    taken = [("running", each.spec) for each in list(executor.running_tasks.values())]
    taken += [("queued", spec) for spec in executor.waiting_tasks()]
    rows += [_row(spec, state, system.me.name) for state, spec in taken]
    return rows[:TASK_ROWS_MAX]


def merge_task_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each task, of those that several nodes tell of one."""
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = best.get(row["id"])
        if known is None or TASK_STATES.index(row["state"]) < TASK_STATES.index(known["state"]):
            best[row["id"]] = dict(row)
    return list(best.values())


def _row(spec: Any, state: str, node: str) -> dict[str, Any]:
    return {
        "id": str(spec.task),
        "name": spec.name,
        "state": state,
        "node": node,
        "owner": spec.task.node.name,
        "attempt": spec.attempt,
    }
