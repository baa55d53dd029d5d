"""What one node tells of tasks: those that it has submitted, also when they are done, and those that it has taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.tasks.executor import TaskExecutor
from partisan_actors.tasks.finished import Finished
from partisan_actors.tasks.submit import TaskSubmitter

__all__ = ["DONE", "TASK_ROWS_MAX", "TASK_STATES", "finished_rows", "merge_task_rows", "task_rows"]

# The most rows of one answer: the oldest are told.
TASK_ROWS_MAX: Final = 10_000

# The states of tasks that are done: only who has submitted them remembers.
DONE: Final = ("finished", "failed")
# In the order in which the row of one node is preferred to that of another one: who runs a task knows best.
TASK_STATES: Final = (*DONE, "running", "queued", "sent", "waiting")


def task_rows(system: ActorSystem, submitter: TaskSubmitter, executor: TaskExecutor) -> list[dict[str, Any]]:
    """A row for each that is not done, the oldest first. On the loop."""
    rows = []
    since = _epoch(system)
    for work in list(submitter.submitted.values()):
        state = "waiting" if work.host is None else "sent"
        row = _row(work.spec, state, work.host.name if work.host is not None else "")
        rows.append({**row, "submitted": since + work.since})
    taken = [("running", each.spec) for each in list(executor.running_tasks.values())]
    taken += [("queued", spec) for spec in executor.waiting_tasks()]
    rows += [_row(spec, state, system.me.name) for state, spec in taken]
    return rows[:TASK_ROWS_MAX]


def finished_rows(system: ActorSystem, submitter: TaskSubmitter) -> list[dict[str, Any]]:
    """A row for each of its tasks that is done, the last FINISHED_MAX of them, the oldest first. On the loop."""
    since = _epoch(system)
    return [
        {
            "id": str(each.task),
            "name": each.name,
            "state": "finished" if each.error is None else "failed",
            "node": each.node.name if each.node is not None else "",
            "owner": each.task.node.name,
            "attempt": each.attempt,
            "submitted": since + each.submitted,
            "ended": since + each.ended,
            "error": None if each.error is None else list(each.error),
        }
        for each in map(Finished._make, list(submitter.finished))
    ]


def merge_task_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each task, of those that several nodes tell of one."""
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = best.setdefault(row["id"], dict(row))
        if TASK_STATES.index(row["state"]) < TASK_STATES.index(known["state"]):
            best[row["id"]] = known = {**row, "submitted": row["submitted"] or known["submitted"]}
        known["submitted"] = known["submitted"] or row["submitted"]
    return list(best.values())


def _row(spec: Any, state: str, node: str) -> dict[str, Any]:
    return {
        "id": str(spec.task),
        "name": spec.name,
        "state": state,
        "node": node,
        "owner": spec.task.node.name,
        "attempt": spec.attempt,
        "submitted": None,
        "ended": None,
        "error": None,
    }


def _epoch(system: ActorSystem) -> float:
    """When the clock of the loop would have shown 0, in seconds since 1970."""
    return system.node.world.wall_clock_ns() / 1e9 - system.loop.time()
