"""`get_runtime_context`: what the running code is, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from partisan_actors.actors.context import current_cell, request_meta
from partisan_actors.actors.interruptions import is_cancelled
from partisan_actors.actors.namespaces import name_of
from partisan_actors.api import session
from partisan_actors.api.capture import captured_placement, running_request
from partisan_actors.api.namespaces import running_namespace
from partisan_actors.ids import ActorId, NodeId, TaskId
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.tasks.running import current_task

__all__ = ["RuntimeContext", "get_runtime_context"]


@dataclass(frozen=True, slots=True)
class RuntimeContext:
    """What the code that asked is. The fields of an actor are None outside of actors, those of a task outside of tasks.

    `cluster` is the name of the cluster, `resources` what the actor or the task holds, by name, `labels` those of the
    node, `namespace` the one in which names of actors are. `attempt` counts from 1 how often this call or task has been
    begun, as far as its caller knows; `restarts` is how often the actor was made again. `captures_children` says that
    what it starts goes into its placement group.
    """

    node_id: NodeId
    node_name: str
    cluster: str
    actor_id: ActorId | None = None
    actor_name: str | None = None
    class_name: str | None = None
    task_id: TaskId | None = None
    task_name: str | None = None
    attempt: int = 1
    resources: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""
    restarts: int = 0
    captures_children: bool = False

    def is_cancelled(self) -> bool:
        """Whether the running call or task was cancelled. Ask in the code itself: it tells of whoever asks."""
        return is_cancelled()


def get_runtime_context() -> RuntimeContext:
    """What the running code is: an actor's method, a task, or neither. Starts a session if there is none."""
    system = session.system()
    scheduler: Scheduler = system.extensions["scheduler"]
    task, cell = current_task.get(), current_cell.get()
    known = scheduler.hosted.get(cell.actor) if cell is not None else None
    name = name_of(known.name)[1] if known is not None and known.name is not None else None
    request = running_request(scheduler)
    meta = request_meta.get() or {}
    return RuntimeContext(
        node_id=system.me,
        node_name=system.me.name,
        cluster=system.node.cluster,
        actor_id=cell.actor if cell is not None else None,
        actor_name=name,
        class_name=cell.definition.interface.class_name if cell is not None else None,
        task_id=task.task if task is not None else None,
        task_name=task.name if task is not None else None,
        attempt=task.attempt if task is not None else meta.get("attempt", 1),
        resources=request.resources.plain() if request is not None else {},
        labels=dict(system.node.config.labels),
        namespace=running_namespace(system),
        restarts=known.life if known is not None else 0,
        captures_children=captured_placement(scheduler) is not None,
    )
