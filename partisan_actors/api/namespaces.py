"""Which namespace the running code is in: that of the driver on whose behalf it runs, unless it says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.context import current_cell
from partisan_actors.actors.namespaces import check_namespace, key_of, name_of
from partisan_actors.api import session
from partisan_actors.tasks.running import current_task

if TYPE_CHECKING:
    from partisan_actors.actors.system import ActorSystem
    from partisan_actors.scheduler.scheduler import Scheduler

__all__ = ["key_here", "list_named_actors", "running_namespace"]


def running_namespace(system: ActorSystem) -> str:
    """The namespace of the running task or actor, else that of this process's session."""
    task = current_task.get()
    if task is not None:
        return task.namespace
    cell = current_cell.get()
    return cell.options.namespace if isinstance(cell, Cell) else system.node.config.namespace


def key_here(system: ActorSystem, name: str, namespace: str | None) -> str:
    """The key of a name in a namespace, by default that of the running code. Raises ConfigError, TypeError."""
    if not isinstance(name, str):
        raise TypeError(f"an actor's name is a str, not {type(name).__name__}")
    return key_of(running_namespace(system) if namespace is None else check_namespace(namespace), name)


def list_named_actors(all_namespaces: bool = False) -> list[Any]:
    """The names of the actors that have one, sorted, as this process's node knows them: some moments old at most.

    Those of the running code's namespace, as texts; with `all_namespaces` all, each as a dict with "namespace" and
    "name". Any thread may ask.
    """
    system = session.system()
    scheduler: Scheduler = system.extensions["scheduler"]
    found = sorted(map(name_of, scheduler.names.all()))
    if all_namespaces:
        return [{"namespace": namespace, "name": name} for namespace, name in found]
    here = running_namespace(system)
    return [name for namespace, name in found if namespace == here]
