"""What a node does at this moment: the stacks of its threads, where its coroutines stand, and for whom they run.

Looked at from outside the code that runs, which goes on meanwhile. What is told was so a moment ago, and each thread
and coroutine at a moment of its own.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextvars import Context
from typing import Any, Final

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.interruptions import slots
from partisan_actors.actors.keys import described_key
from partisan_actors.actors.made_calls import made_calls
from partisan_actors.actors.stepping import Step
from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.waits import awaited, awaited_on_thread
from partisan_actors.api.frames import Place, await_chain, described, thread_places
from partisan_actors.api.profiling import Profiles
from partisan_actors.errors import ActorNotFound, ConfigError
from partisan_actors.ids import ActorId
from partisan_actors.tasks.executor import TaskExecutor

__all__ = ["ROWS_MAX", "STACKS", "Stacks"]

STACKS: Final = "stacks"
# The most threads, and the most coroutines, of one answer; `left_out` says how many more there are.
ROWS_MAX: Final = 500
WAITING_MAX: Final = 20
# By then the loop has gone on to what it does when nobody asks.
LOOK_AFTER_S: Final = 0.02

_Row = tuple[dict[str, Any], list[Place]]
_Places = dict[int, str]


class Stacks:
    """Answers for one node. Who runs something is told as `runs`, `actor` and `method`; these are empty for our own."""

    def __init__(self, system: ActorSystem, executor: TaskExecutor) -> None:
        self._system = system
        self._executor = executor
        system.serve(STACKS, self)
        self.profiles = Profiles(system)  # the same, over a while

    async def node(self, peer: Any) -> dict[str, Any]:
        """All threads and coroutines: those that run actors and tasks first."""
        places = self._places()
        coroutines, left_out = self._coroutines(places)
        return await self._told({}, coroutines, left_out, self._on_threads(places), only=None)

    async def actor(self, peer: Any, actor: str) -> dict[str, Any]:
        """What one actor runs, and what waits for it. Raises ActorNotFound, and ConfigError for what is no id."""
        try:
            cell = self._system.cell(ActorId.parse(actor))
        except ValueError as error:
            raise ConfigError("actor", actor, "the id of an actor, such as actor:node~1a/2") from error
        if cell is None:
            raise ActorNotFound(f"{actor} on node {self._system.me.name}")
        waiting = [message.method.name for message in cell.waiting()]
        facts = {
            "actor": actor,
            "class": cell.definition.interface.class_name,
            "state": cell.state,
            "waiting": len(waiting),
            "waiting_methods": waiting[:WAITING_MAX],
        }
        places = self._places()
        coroutines, left_out = self._coroutines(places, actor)
        runs = {ident: row for ident, row in self._on_threads(places).items() if row["actor"] == actor}
        return await self._told(facts, coroutines, left_out, runs, only=set(runs))

    async def _told(
        self,
        facts: dict[str, Any],
        coroutines: list[_Row],
        left_out: int,
        runs: dict[int, dict[str, Any]],
        only: set[int] | None,
    ) -> dict[str, Any]:
        loop = self._system.loop
        main = threading.get_ident()
        threads = await loop.run_in_executor(None, _threads, runs, only, main)
        told = await loop.run_in_executor(None, _described, coroutines)
        left_out += max(0, len(threads) - ROWS_MAX)
        me = {"node": self._system.me.name, "pid": os.getpid()}
        return {**me, **facts, "threads": threads[:ROWS_MAX], "coroutines": told, "left_out": left_out}

    def _coroutines(self, places: _Places, actor: str = "") -> tuple[list[_Row], int]:
        """Those that wait, of users first, or of that actor; and how many more there are than ROWS_MAX.

        The one that runs is this.
        """
        owners = {
            id(step): (cell, message)
            for cell in self._system.local_cells()
            for stepper in cell.steppers()
            for step, message in stepper.active.items()
        }
        tasks = {id(job): task for task, job in self._executor.coroutine_jobs().items()}
        current = asyncio.current_task()
        found: list[tuple[dict[str, Any], Any]] = []
        for job in asyncio.all_tasks(self._system.loop):
            if job is current or job.get_coro() is None:
                continue
            row = _row(job.get_name())
            if id(job) in owners:
                row |= _of_message(*owners[id(job)])
            elif id(job) in tasks:
                task = tasks[id(job)]
                row |= {"runs": self._executor.running_tasks[task].spec.name, "task": str(task)}
            if actor in ("", row["actor"]):
                found.append((row, job))
        found.sort(key=lambda each: not each[0]["runs"])
        told = [
            ({**row, "waits_for": self._waits_of(job, places)}, await_chain(job.get_coro()))
            for row, job in found[:ROWS_MAX]
        ]
        return told, max(0, len(found) - ROWS_MAX)

    def _on_threads(self, places: _Places) -> dict[int, dict[str, Any]]:
        """What threads run for users, by their numbers."""
        owners: dict[int, dict[str, Any]] = {
            id(message): _of_message(cell, message)
            for cell in self._system.local_cells()
            for message in cell.on_threads()
        }
        for task, running in list(self._executor.running_tasks.items()):
            owners[id(running)] = {"runs": running.spec.name, "task": str(task)}
        found = {}
        for ident, slot in list(slots.items()):
            token, context = slot.token, slot.context
            if token is not None and id(token) in owners:
                waits_for = self._named(awaited_on_thread(token), context, places)
                found[ident] = {**_row(""), **owners[id(token)], "waits_for": waits_for}
        return found

    def _waits_of(self, job: Any, places: _Places) -> list[str]:
        get_context = getattr(job, "get_context", None)  # tasks have it from Python 3.12 on
        context = get_context() if get_context is not None else None
        waits_for = job._waits_for if isinstance(job, Step) else getattr(job, "_fut_waiter", None)
        children = getattr(waits_for, "_children", None)  # of asyncio.gather
        futures = [waits_for] if children is None else [getattr(child, "_fut_waiter", None) for child in children]
        return self._named(awaited(context, futures, None), context, places)

    def _named(self, refs: list[Any], context: Context | None, places: _Places) -> list[str]:
        """The results that are waited for: of which method of which actor, and on which node, if that is known."""
        made = context.get(made_calls) if context is not None else None
        names = []
        for ref in refs:
            target = made.target_of(ref) if made is not None else None
            if target is None:
                names.append(str(ref))
                continue
            cell = self._system.cells.get(target[0])
            whom = str(cell) if isinstance(cell, Cell) else f"an actor {described_key(target[0])}"
            names.append(f"{target[1]} of {whom}{places.get(id(ref), '')}")
        return names

    def _places(self) -> _Places:
        """On which node each result is made that is awaited: looked up once for all who wait, who may be thousands."""
        peers = list(self._system.node.router.peers.values())
        # At once each: threads call, too.
        return {id(reply): f" on node {peer.node.name}" for peer in peers for reply in list(peer.pending.values())}


def _row(name: str) -> dict[str, Any]:
    return {"name": name, "runs": "", "actor": "", "method": "", "task": "", "waits_for": []}


def _of_message(cell: Cell, message: Any) -> dict[str, Any]:
    method = message.method.name
    return {
        "runs": f"{cell.definition.interface.class_name}.{method}",
        "actor": str(cell.actor),
        "method": method,
        "asked_by": message.peer.node.name,
    }


def _threads(runs: dict[int, dict[str, Any]], only: set[int] | None, main: int) -> list[dict[str, Any]]:
    time.sleep(LOOK_AFTER_S)
    known = {thread.ident: thread for thread in threading.enumerate()}
    rows = []
    for ident, places in thread_places().items():
        if ident == threading.get_ident() or (only is not None and ident not in only):
            continue
        thread = known.get(ident)
        row = {**(runs.get(ident) or _row("")), "name": thread.name if thread is not None else f"thread {ident}"}
        rows.append({**row, "is_loop": ident == main, "frames": described(places)})
    return sorted(rows, key=lambda row: (not row["runs"], not row["is_loop"], str(row["name"])))


def _described(coroutines: list[_Row]) -> list[dict[str, Any]]:
    return [{**row, "frames": described(places)} for row, places in coroutines]
