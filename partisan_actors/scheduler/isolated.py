"""Isolated actors of one node: each in a process of its own, which this node has chosen to take and holds the room for.

Whoever places such an actor is answered with where its process is, and from then on deals with that directly; this node
learns of the actor's end by the end of the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from partisan_actors.actors.reasons import UNREADABLE
from partisan_actors.errors import ActorStopped, InternalError, PartisanError, WorkerCrashed
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.directory import PREFIX
from partisan_actors.scheduler.processes import KILL_S, Process, Processes, Share

if TYPE_CHECKING:
    from partisan_actors.actors.system import ActorSystem
    from partisan_actors.node.node import Node
    from partisan_actors.scheduler.packages import Packages
    from partisan_actors.scheduler.resources import Resources
    from partisan_actors.scheduler.room import Room
    from partisan_actors.scheduler.spec import ActorSpec

__all__ = ["PLACED", "IsolatedActors", "Placed", "place_of", "placed_at", "threads_for"]

SERVICE: Final = "scheduler"
CREATED: Final = "created"
PLACED: Final = "placed"

# PLACED, the name and the incarnation of the node that the process is, its addresses, and its record with its stamp.
Placed = tuple[str, str, int, tuple[str, ...], tuple[int, ...], bytes]


class IsolatedActors:
    """Those of one node. `freed` is told of each when its process has ended, and what it held is free."""

    def __init__(
        self,
        system: ActorSystem,
        processes: Processes,
        packages: Packages,
        room: Room,
        freed: Callable[[ActorId], object],
    ) -> None:
        self._system = system
        self._processes = processes
        self._packages = packages
        self._room = room
        self._freed = freed
        self._of: dict[ActorId, Process] = {}
        # Told of each that has ended without a word of its own, and why.
        self.on_ended: list[Callable[[ActorSpec, str], object]] = []
        self._making: dict[ActorId, asyncio.Task[Process | Exception]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def __contains__(self, actor: object) -> bool:
        return actor in self._of or actor in self._making

    def places(self) -> dict[ActorId, NodeId]:
        """The node that the process of each actor is."""
        return {actor: process.node for actor, process in self._of.items() if process.node is not None}

    async def create(self, spec: ActorSpec) -> Placed:
        """Make the actor in a new process. Raises what making it raises; what it held is free again then."""
        job = self._system.background.start(self._make(spec), f"a process for {spec}")
        self._making[spec.actor] = job
        try:
            await asyncio.wait([job])
        finally:
            del self._making[spec.actor]
            process = job.result() if job.done() and not job.cancelled() and job.exception() is None else None
            if not isinstance(process, Process):
                job.cancel()
                self._freed(spec.actor)
        if isinstance(process, Exception):
            if isinstance(process, ActorStopped):  # what it is made of cannot be read there
                self.tell_ended(spec, f"{UNREADABLE}{process.reason}")
            raise process
        if process is None:
            raise WorkerCrashed(str(self._system.me), f"{spec} was taken back while its process was started")
        self._of[spec.actor] = process
        process.ended.add_done_callback(lambda ended: self._ended(spec, process, ended.result()))
        return placed_at(self._system.node, process)

    async def _make(self, spec: ActorSpec) -> Process | Exception:
        """Make it, or return why that could not be."""
        try:
            return await self._start(spec)
        except Exception as error:  # noqa: BLE001 - it is raised to whoever waits
            return error

    async def _start(self, spec: ActorSpec) -> Process:
        folders = await self._packages.fetched(spec.environment)
        share = Share(threads_for(spec.request.resources), tuple(self._room.gpus(spec.actor)))
        process = await self._processes.start(spec.class_name, spec.environment, share, folders)
        process.works_for(spec.class_name, self._system.me.name, "" if spec.owner is None else str(spec.owner))
        try:
            assert process.node is not None, "a process that was started is a node"
            blob = self._system.code.blob(spec.code)
            answer = await self._system.request(
                process.node, SERVICE, "create_here", spec, blob, trace=spec.trace, timeout_s=None
            )
            if answer != CREATED:
                raise InternalError(f"{process} does not take {spec}", str(answer))
        except BaseException:
            process.kill("its actor could not be made")
            raise
        return process

    async def stop(self, actor: ActorId, why: str) -> None:
        """End the actor and its process: gently at first, as its loop may be stuck, and then not."""
        making = self._making.get(actor)
        if making is not None:
            making.cancel()
            return
        process = self._of[actor]
        assert process.node is not None, "it was started"
        maker, number = actor
        asked = self._system.request(
            process.node, SERVICE, "stop_here", *maker, number, timeout_s=KILL_S
        )  # with its hooks, and the names
        try:
            await asked
        except PartisanError:
            process.kill(why)
        await asyncio.wait([process.ended], timeout=KILL_S)
        process.kill(why)
        await asyncio.shield(process.ended)

    def withdraw(self, actor: ActorId, why: str) -> None:
        """Another process elsewhere is the actor's: this one must go."""
        making = self._making.get(actor)
        if making is not None:
            making.cancel()
        elif actor in self._of:
            self._of[actor].kill(why)

    def _ended(self, spec: ActorSpec, process: Process, why: str) -> None:
        if self._of.get(spec.actor) is process:
            del self._of[spec.actor]
            self._freed(spec.actor)
            self.tell_ended(spec, why)

    def tell_ended(self, spec: ActorSpec, why: str) -> None:
        """That actor has ended without a word of its own, or never began."""
        for tell in self.on_ended:
            tell(spec, why)


def placed_at(node: Node, process: Process) -> Placed:
    """What whoever is to deal with a process of `node` needs to know of it."""
    assert process.node is not None, "a process that was started is a node"
    record = node.directory.find(process.node)
    stamp = node.directory.stamps.get(process.name, ())
    return PLACED, *process.node, process.addresses, stamp, record.packed() if record is not None else b""


def place_of(node: Node, placed: Placed) -> NodeId:
    """The node that the process is; `node` has its record from now on, and so can dial it, and knows whose it is."""
    _, name, incarnation, addresses, stamp, record = placed
    there = NodeId(name, incarnation)
    node.addresses.learn(there, addresses)
    if record:
        node.driver.hear(PREFIX + name, tuple(stamp), record)
    return there


def threads_for(resources: Resources) -> int:
    """How many threads whoever has these resources may compute with: as many as it has whole CPUs, and one at least."""
    return max(1, int(resources.plain().get("num_cpus", 0)))
