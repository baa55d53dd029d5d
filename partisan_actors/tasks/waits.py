"""What the tasks wait for that one node runs, or has submitted: looked up when somebody asks, for `deadlocks`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from partisan_actors.actors.deadlocks import CallId
from partisan_actors.actors.waits import Found, Waits, awaited, awaited_on_thread
from partisan_actors.ids import TaskId
from partisan_actors.tasks.executor import TaskExecutor
from partisan_actors.tasks.submit import TaskSubmitter

__all__ = ["TaskWaits"]


class TaskWaits:
    """Those of one node.

    A task that is queued for room is not told of: whoever waits lends what it holds, so room comes.
    """

    def __init__(self, waits: Waits, executor: TaskExecutor, submitter: TaskSubmitter) -> None:
        self._executor = executor
        self._submitter = submitter
        waits.finders += [self._running, self._unready]
        waits.known_refs.append(self._results)

    def _running(self) -> Iterator[Found]:
        jobs = self._executor.coroutine_jobs()
        for task, running in list(self._executor.running_tasks.items()):
            job = jobs.get(task)
            waits = (
                awaited_on_thread(running)
                if job is None
                else awaited(running.context, [getattr(job, "_fut_waiter", None)], None)
            )
            yield Found(_id_of(task), str(task), running.spec.name, True, waits)

    def _unready(self) -> Iterator[Found]:
        for task, work in self._submitter.submitted.items():
            refs = work.unready()
            if refs:
                yield Found(_id_of(task), str(task), work.spec.name, False, list(refs), True)

    def _results(self, wanted: set[int]) -> dict[int, CallId]:
        submitted: dict[TaskId, Any] = self._submitter.submitted
        return {id(work.ref): _id_of(task) for task, work in submitted.items() if id(work.ref) in wanted}


def _id_of(task: TaskId) -> CallId:
    return f"task:{task.node}", task.number
