"""Isolated tasks of one node: each has a process to itself while it runs, from a pool of warm ones.

The node that took the task, which has the room for it, chooses a process and answers who submitted it with where that
is; they deal with each other directly. The task's room is free again when the process says that the task has ended,
or has ended itself. A process that nobody may count on any more is killed: that is always right.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from partisan_actors.scheduler.isolated import threads_for
from partisan_actors.scheduler.processes import Process, Processes, Share

if TYPE_CHECKING:
    from partisan_actors.actors.system import ActorSystem
    from partisan_actors.ids import NodeId, TaskId
    from partisan_actors.node.directory import NodeRecord
    from partisan_actors.scheduler.packages import Packages
    from partisan_actors.scheduler.room import Room
    from partisan_actors.tasks.spec import TaskSpec

__all__ = ["IDLE_MAX", "IsolatedTasks"]

# How many processes wait for tasks, of all environments together, and for how long the longest.
IDLE_MAX: Final = max(4, 2 * (os.cpu_count() or 1))
IDLE_S: Final = 60.0
STOP_S: Final = 2.0

# Processes are used again for tasks of the same environment and the same share.
_Key = tuple[str, Share]


class _Lease:
    """A process that a task has to itself."""

    __slots__ = ("asker", "freed", "key", "process", "spec")

    def __init__(self, process: Process, key: _Key, spec: TaskSpec, asker: NodeId, freed: Callable[[], None]) -> None:
        self.process = process
        self.key = key
        self.spec = spec
        self.asker = asker
        self.freed = freed


class IsolatedTasks:
    """The pool of one node, and who has what of it."""

    def __init__(self, system: ActorSystem, processes: Processes, packages: Packages, room: Room) -> None:
        self._system = system
        self._room = room
        self._processes = processes
        self._packages = packages
        self._idle: dict[Process, tuple[_Key, float]] = {}  # since when; the one that has waited longest first
        self._calls: dict[Process, int] = {}
        self._leases: dict[TaskId, _Lease] = {}
        system.node.directory.on_down.append(self._node_down)
        system.node.on_sweep.append(self._sweep)

    def __contains__(self, task: object) -> bool:
        return task in self._leases

    async def lease(self, spec: TaskSpec, asker: NodeId, freed: Callable[[], None]) -> Process:
        """A process for the task, until `ended`; then, or when the process ends, `freed` is called, once.

        Raises what starting one raises, and then it is not.
        """
        self.kill(spec.task, "its task is tried again")  # nobody waits for that attempt any more
        share = Share(threads_for(spec.request.resources), tuple(self._room.gpus(spec.task)))
        key = (spec.kind.environment.key, share)
        process = self._take(key)
        if process is None:
            folders = await self._packages.fetched(spec.kind.environment)
            process = await self._processes.start(f"task {spec.name}", spec.kind.environment, share, folders)
            self._calls[process] = 0
            process.ended.add_done_callback(lambda _: self._process_ended(process))
        process.works_for(spec.name, self._system.me.name, str(spec.owner))
        self._calls[process] += 1
        self._leases[spec.task] = _Lease(process, key, spec, asker, freed)
        return process

    def ended(self, task: TaskId, by: NodeId) -> None:
        """The process says that the task has ended; it can have the next one."""
        lease = self._leases.get(task)
        if lease is None or lease.process.node != by:
            return
        del self._leases[task]
        lease.freed()
        process = lease.process
        if 0 < lease.spec.kind.max_calls <= self._calls.get(process, 0):
            self._stop(process)
        elif not process.is_over:
            self._idle[process] = lease.key, self._system.loop.time()
            while len(self._idle) > IDLE_MAX:
                self._stop(next(iter(self._idle)))

    def spec_of(self, task: TaskId, by: NodeId) -> TaskSpec | None:
        """The task, if it is in the process that says so."""
        lease = self._leases.get(task)
        return lease.spec if lease is not None and lease.process.node == by else None

    def kill(self, task: TaskId, why: str) -> bool:
        """End the process that the task is in. Returns whether there was one."""
        lease = self._leases.get(task)
        if lease is not None:
            lease.process.kill(why)
        return lease is not None

    def _take(self, key: _Key) -> Process | None:
        for process, (its_key, _) in reversed(self._idle.items()):
            if its_key == key and not process.is_over:
                del self._idle[process]
                return process
        return None

    def _stop(self, process: Process) -> None:
        self._idle.pop(process, None)
        self._system.background.start(process.stop(STOP_S), f"stop {process}")

    def _process_ended(self, process: Process) -> None:
        self._idle.pop(process, None)
        self._calls.pop(process, None)
        for task, lease in list(self._leases.items()):
            if lease.process is process:
                del self._leases[task]
                lease.freed()

    def _node_down(self, record: NodeRecord, why: str) -> None:
        for lease in list(self._leases.values()):
            if record.node in (lease.asker, lease.spec.owner):
                lease.process.kill(f"nobody waits for its task: node {record.node.name} is gone")

    def _sweep(self) -> None:
        late = self._system.loop.time() - IDLE_S
        for process in [process for process, (_, since) in self._idle.items() if since < late]:
            self._stop(process)
