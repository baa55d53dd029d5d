"""What the running actor or task was placed by, and what its own tasks and actors inherit of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from partisan_actors.actors.context import current_cell
from partisan_actors.scheduler.strategies import InPlacementGroup
from partisan_actors.tasks.running import current_task

if TYPE_CHECKING:
    from partisan_actors.ids import ActorId, TaskId
    from partisan_actors.scheduler.policy import Request
    from partisan_actors.scheduler.scheduler import Scheduler

__all__ = ["captured_placement", "running_maker", "running_request", "running_token"]


def running_request(scheduler: Scheduler) -> Request | None:
    """What the running actor or task asked for; None outside of both."""
    task = current_task.get()
    if task is not None:
        return task.request
    cell = current_cell.get()
    spec = scheduler.hosted.get(cell.actor) if cell is not None else None
    return spec.request if spec is not None else None


def running_token() -> ActorId | TaskId | None:
    """Under which token the running actor or task holds what it asked for."""
    task = current_task.get()
    if task is not None:
        return task.task
    cell = current_cell.get()
    return None if cell is None else cell.actor


def running_maker() -> str:
    """The running actor by its id, or the running task as "task NAME"; empty outside of both."""
    task = current_task.get()
    if task is not None:
        return f"task {task.name}"
    cell = current_cell.get()
    return "" if cell is None else str(cell.actor)


def captured_placement(scheduler: Scheduler) -> InPlacementGroup | None:
    """The placement group into which goes what the running code starts, and says not where."""
    request = running_request(scheduler)
    place = request.strategy if request is not None else None
    if not isinstance(place, InPlacementGroup) or not place.capture_child_tasks:
        return None
    return InPlacementGroup(place.group, capture_child_tasks=True)
