"""Emptying a node before it ends: no new work, and what is here finishes, moves, or ends at a deadline.

Tasks that are queued go elsewhere at once, and running ones finish. An actor that may be restarted is, on another node,
as soon as it has nothing to do, or has had IDLE_S; that counts as one of its restarts. Other actors have until the
deadline to end by themselves, and are ended then. Bundles of placement groups are reserved anew elsewhere when the work
in them has gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.restart import may_restart
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import CallTimeout, NodeDown, PartisanError
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.router import Peer
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.tasks.executor import TaskExecutor
from partisan_actors.values import dataclass

__all__ = ["DRAIN", "DRAIN_GRACE_S", "Drained", "Draining", "ask_to_drain", "ask_to_undrain"]

DRAIN: Final = "drain"
IDLE_S: Final = 5.0
LOOK_AGAIN_S: Final = 0.1
LOOK_AT_PROCESSES_S: Final = 0.5
# How long what is ended at the deadline may take for that, and the answer for its way.
HOOKS_S: Final = 5.0
DRAIN_GRACE_S: Final = 15.0
# How long an empty node waits to hear that its answer has come.
FAREWELL_S: Final = 2.0
WHY: Final = "its node is drained"


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of the work of a node.

    `moved` actors were restarted elsewhere, `ended` ones were ended at the deadline, `left` tasks were running still
    and run again elsewhere, as far as they may, when the node goes. `stops` says whether its process ends now; that of
    a program that called `init` does not.
    """

    node: str
    moved: int
    ended: int
    left: int
    stops: bool


class Draining:
    """Drains this node when somebody asks it to; until it ends what is left, somebody may ask it to stop that."""

    def __init__(self, system: ActorSystem, scheduler: Scheduler, executor: TaskExecutor) -> None:
        # Ends the process, when that runs nothing but nodes. What it started is drained with it, by name.
        self.on_drained: Callable[[], None] | None = None
        self.children: list[str] = []
        self._system = system
        self._scheduler = scheduler
        self._executor = executor
        self._job: asyncio.Task[Drained] | None = None
        # How often somebody has begun; a round that was undone is not the last one.
        self._round = 0
        # Whether what is left is being ended: then there is no way back.
        self._is_ending = False
        self._idle_by: dict[Cell, float] = {}
        # Actors that end here, and go on elsewhere.
        self._leaving: set[ActorId] = set()
        system.serve(DRAIN, self)

    @property
    def is_draining(self) -> bool:
        """Whether this node takes no new work any more."""
        return self._scheduler.room.is_closed

    async def drain(self, peer: Peer, timeout_s: float) -> list[Any]:
        """Another node, or a command, asks. Who asks again meanwhile gets the same answer."""
        if self._job is None:
            self._job = self._system.background.start(self._drain(timeout_s), "drain this node")
            self._job.add_done_callback(lambda job: self._system.loop.call_later(FAREWELL_S, self._farewell, job))
        drained = await asyncio.shield(self._job)
        return [drained.node, drained.moved, drained.ended, drained.left, drained.stops]

    async def end(self, peer: Peer) -> None:
        """Whoever asked has the answer: were this node to end before, news of that could be faster than the answer."""
        if self._job is not None and self._job.done():
            self._end()

    def _farewell(self, job: asyncio.Task[Drained]) -> None:
        if job is self._job:
            self._end()

    def _end(self) -> None:
        if self.on_drained is not None and self.is_draining:
            self.on_drained()

    async def undo(self, peer: Peer) -> bool:
        """Take new work again, on this node and those that are drained with it. False when it is too late for that.

        What has moved stays where it is. Who waits for the drained node hears that it does not stop.
        """
        if not self.is_draining:
            return True
        if self._is_ending or (self._job is not None and self._job.done() and self.on_drained is not None):
            return False
        self._scheduler.close_room(is_closed=False)
        self._round += 1
        self._job = None
        self._idle_by.clear()
        children = [self._undo_child(name) for name in self._children()]
        await asyncio.gather(*children, return_exceptions=True)  # one that has ended takes no work anyway
        return True

    async def _undo_child(self, name: str) -> None:
        record = self._system.node.directory.records.get(name)
        if record is not None and record.is_live:
            await ask_to_undrain(self._system, record.node)

    async def undo_node(self, peer: Peer, name: str) -> bool:
        """A command asks for another node, or this one, by name. Raises NodeDown."""
        return await ask_to_undrain(self._system, self._live(name))

    async def drain_node(self, peer: Peer, name: str, timeout_s: float) -> list[Any]:
        """A command asks for another node, or this one, by name. Raises NodeDown."""
        drained = await ask_to_drain(self._system, self._live(name), timeout_s)
        return [drained.node, drained.moved, drained.ended, drained.left, drained.stops]

    def _live(self, name: str) -> NodeId:
        record = self._system.node.directory.records.get(name)
        if record is None or not record.is_live:
            raise NodeDown(name, "no node of that name is up")
        return record.node

    def _children(self) -> list[str]:
        """What is drained with this node."""
        return [*self.children, *(process.name for process in self._scheduler.processes.running)]

    async def _drain(self, timeout_s: float) -> Drained:
        loop = self._system.loop
        deadline, next_look = loop.time() + timeout_s, loop.time()
        self._scheduler.close_room()
        self._leaving.clear()
        this_round = self._round
        children = [
            self._system.background.start(self._drain_child(name, timeout_s), f"drain {name}")
            for name in self._children()
        ]
        while self._round == this_round and not self._is_empty() and loop.time() < deadline:
            self._move()
            if loop.time() >= next_look:
                await self._move_isolated()
                next_look = loop.time() + LOOK_AT_PROCESSES_S
            self._scheduler.groups.give_up_unused()
            await self._scheduler.wait_for_news(LOOK_AGAIN_S)
        left = self._executor.running
        is_undone = self._round != this_round
        ended = 0 if is_undone or self._is_empty() else await self._end_the_rest()
        if children:
            await asyncio.wait(children)
        stops = self.on_drained is not None and self._round == this_round
        return Drained(self._system.me.name, len(self._leaving), ended, left, stops)

    async def _drain_child(self, name: str, timeout_s: float) -> None:
        record = self._system.node.directory.records.get(name)
        if record is not None and record.is_live:
            await ask_to_drain(self._system, record.node, timeout_s)

    def _is_empty(self) -> bool:
        has_tasks = self._executor.running + self._executor.queued > 0
        return not has_tasks and not self._has_actors() and not self._scheduler.room.bundles()

    def _move(self, *, at_once: bool = False) -> None:
        """Have those actors restarted elsewhere that may be, and have nothing to do, or have had their time."""
        now = self._system.loop.time()
        for cell in self._system.local_cells():
            is_over = cell.actor in self._leaving or cell.actor not in self._scheduler.hosted
            if is_over or not may_restart(cell.options.life, cell.options.max_restarts):
                continue
            is_idle = not (cell.mailbox_size or cell.is_thread_busy or cell.stepper.active)
            if is_idle or at_once or now >= self._idle_by.setdefault(cell, now + IDLE_S):
                self._idle_by.pop(cell, None)
                if self._scheduler.guardian.end_life(cell, WHY):
                    self._leaving.add(cell.actor)

    async def _move_isolated(self, *, at_once: bool = False) -> None:
        """The same for those that have processes of their own, which each does for itself."""
        places = {actor: at for actor, at in self._scheduler.isolated.places().items() if actor not in self._leaving}
        asked = [self._system.request(place, DRAIN, "move", at_once, timeout_s=HOOKS_S) for place in places.values()]
        answers = await asyncio.gather(*asked, return_exceptions=True)  # who does not answer has ended, or is stuck
        self._leaving.update(actor for actor, answer in zip(places, answers, strict=True) if answer is True)

    async def move(self, peer: Peer, at_once: bool) -> bool:
        """The host of this process is drained. Answers whether its actor is about to be restarted elsewhere."""
        if not self.is_draining:
            self._scheduler.close_room()
        self._move(at_once=at_once)
        return bool(self._leaving)

    async def _end_the_rest(self) -> int:
        """The time is over: what may be restarted is, whatever it does. The others end, and are counted."""
        self._is_ending = True
        self._move(at_once=True)
        await self._move_isolated(at_once=True)
        isolated, loop = self._scheduler.isolated, self._system.loop
        cells = [cell for cell in self._system.local_cells() if cell.actor not in self._leaving]
        places = [actor for actor in isolated.places() if actor not in self._leaving]
        for cell in cells:
            cell.stop(WHY)
        await asyncio.gather(*(isolated.stop(actor, WHY) for actor in places), return_exceptions=True)
        deadline = loop.time() + HOOKS_S
        while self._has_actors() and loop.time() < deadline:
            await self._scheduler.wait_for_news(LOOK_AGAIN_S)
        self._is_ending = False
        return len(cells) + len(places)

    def _has_actors(self) -> bool:
        is_hosting = bool(self._system.local_cells()) or len(self._scheduler.isolated) > 0
        return is_hosting or self._scheduler.guardian.restarting > 0


async def ask_to_drain(system: ActorSystem, node: NodeId, timeout_s: float) -> Drained:
    """Drain that node, and return when it is empty or `timeout_s` has passed. Raises NodeDown, and what requests do."""
    try:
        answer = await system.request(node, DRAIN, "drain", float(timeout_s), timeout_s=timeout_s + DRAIN_GRACE_S)
    except CallTimeout:
        raise CallTimeout(f"draining node {node.name}", timeout_s + DRAIN_GRACE_S) from None
    except PartisanError:
        if system.node.directory.is_up(node):
            raise
        return Drained(node.name, 0, 0, 0, True)  # somebody else's request ended it
    if node != system.me:  # an answer for somebody else is still to be sent from here
        system.notify(node, DRAIN, "end")
    return Drained(*answer)


async def ask_to_undrain(system: ActorSystem, node: NodeId) -> bool:
    """Have that node take new work again; whether it does. Raises NodeDown, and what requests do."""
    return bool(await system.request(node, DRAIN, "undo", timeout_s=DRAIN_GRACE_S))
