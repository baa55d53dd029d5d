"""What work waits for: the answer of `why`, and a warning for what has waited long.

Each node knows what it has submitted. It asks whoever the work is at: a task's node says whether it runs or is queued,
and behind what; an actor's node says how much it has to do.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable
from typing import Any, Final

from partisan_actors.actors.ref import ALIVE, PENDING, STOPPED
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import PartisanError
from partisan_actors.ids import ActorId, NodeId, TaskId
from partisan_actors.node.router import Peer
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.scheduler.explain import explain, why_queued
from partisan_actors.scheduler.policy import Request
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.scheduler.strategies import InPlacementGroup, NodeAffinity
from partisan_actors.tasks.executor import TaskExecutor
from partisan_actors.tasks.submit import TaskSubmitter
from partisan_actors.tasks.submitted import Submitted

__all__ = ["PENDING_WORK", "ROWS_MAX", "WARN_S", "PendingWork"]

logger = logging.getLogger(__name__)

PENDING_WORK: Final = "pending"
WARN_S: Final = 5.0
# How many rows one node tells at once, and how many warnings it begins with each look.
ROWS_MAX: Final = 200
WARNINGS_MAX: Final = 10
ANSWER_S: Final = 5.0


class PendingWork:
    """Explains what this node waits for, and what others wait for at this one."""

    def __init__(
        self, system: ActorSystem, scheduler: Scheduler, submitter: TaskSubmitter, executor: TaskExecutor
    ) -> None:
        self._system = system
        self._scheduler = scheduler
        self._submitter = submitter
        self._executor = executor
        self._warned: dict[Hashable, None] = {}
        system.serve(PENDING_WORK, self)
        system.node.on_sweep.append(self._sweep)

    # ---- tasks ------------------------------------------------------------------------------------------------

    async def explain_ref(self, ref: ObjectRef[Any]) -> dict[str, Any]:
        """What a ref waits for."""
        if ref.done():
            state = "finished" if ref.failure is None else f"failed: {ref.failure}"
            return _row(str(ref.id), state, [])
        work = self._submitter.work_of(ref)
        if work is not None:
            return await self._explain_task(work)
        owner = ref.id.node
        if owner == self._system.me:
            return _row(str(ref.id), "waits", ["it is the result of a call that has not returned"])
        return await self._ask(owner, "object", [str(ref.id)], str(ref.id))

    async def _explain_task(self, work: Submitted) -> dict[str, Any]:
        spec, host = work.spec, work.host
        waiting = [f"its argument {each.id} is not ready" for each in work.unready()]
        if waiting:
            return _row(str(spec), "waits for its arguments", waiting)
        if host is None:
            return _row(str(spec), "looks for a node", self._nodes(spec.request))
        return await self._ask(host, "task", [*spec.task.node, spec.task.number], str(spec))

    async def task(self, peer: Peer, name: str, incarnation: int, number: int) -> dict[str, Any]:
        """Another node has submitted that task here: what is it doing?"""
        task, me = TaskId(NodeId(name, incarnation), number), self._system.me.name
        if task in self._executor.running_tasks:
            return _row(str(self._executor.running_tasks[task].spec), f"runs on node {me}", [])
        for place, waiting in enumerate(self._executor.waiting_tasks()):
            if waiting.task == task:
                return _row(str(waiting), f"is queued on node {me}", self._why_queued(waiting.request, place))
        return _row(str(task), "is on its way", [f"node {me} has not got it, or has answered"])

    def _why_queued(self, request: Request, before: int) -> list[str]:
        behind = [f"{before} {'task is' if before == 1 else 'tasks are'} before it"] if before else []
        return [*behind, why_queued(request, self._scheduler.room.pools(request), self._name_of)]

    def _name_of(self, token: Hashable) -> str:
        if isinstance(token, ActorId):
            return str(self._system.cell(token) or token)
        if isinstance(token, TaskId):
            running = self._executor.running_tasks.get(token)
            return str(running.spec if running is not None else token)
        return f"bundle {token[1]} of {token[0]}" if isinstance(token, tuple) else str(token)

    # ---- actors -----------------------------------------------------------------------------------------------

    async def explain_actor(self, actor: ActorId) -> dict[str, Any]:
        """What calls of an actor wait for."""
        location = self._system.known_location(actor)
        if location is None:
            return _row(str(actor), "unknown", ["this node has no handle of it"])
        what = str(location)
        if location.state == STOPPED:
            return _row(what, "has stopped", [str(location.error)])
        if location.state == PENDING:
            if actor.node == self._system.me:
                return self._explain_placing(actor, what)
            return await self._ask(actor.node, "placing", [actor.number], what)
        if location.state == ALIVE and location.peer is not None:
            return await self._ask(location.peer.node, "actor", [*actor.node, actor.number], what)
        return _row(what, f"is {location.state}", ["its node is down, and its guardians have not restarted it yet"])

    async def placing(self, peer: Peer, number: int) -> dict[str, Any]:
        """Another node has a handle of an actor that this one makes."""
        actor = ActorId(self._system.me, number)
        return self._explain_placing(actor, str(actor))

    def _explain_placing(self, actor: ActorId, what: str) -> dict[str, Any]:
        placing = self._scheduler.placing.get(actor)
        if placing is None:
            return _row(what, "is being made", ["its name is being claimed, or it is on its way to its node"])
        spec, asked = placing.spec, placing.asked
        if asked is not None:
            return _row(str(spec), f"is being made on node {asked.name}", ["that node has not answered yet"])
        return _row(str(spec), "looks for a node", self._nodes(spec.request))

    async def actor(self, peer: Peer, name: str, incarnation: int, number: int) -> dict[str, Any]:
        """An actor of this node: what is it doing?"""
        actor = ActorId(NodeId(name, incarnation), number)
        cell, me = self._system.cell(actor), self._system.me.name
        if cell is None:
            return _row(str(actor), "is not there", [f"node {me} does not run it"])
        busy = "a blocking method runs; " if cell.is_thread_busy else ""
        return _row(str(cell), f"is {cell.state} on node {me}", [f"{busy}{cell.mailbox_size} messages wait for it"])

    # ---- everything -------------------------------------------------------------------------------------------

    async def object(self, peer: Peer, text: str) -> dict[str, Any]:
        """Another node has borrowed a ref of this one: what does it wait for?"""
        for work in self._submitter.submitted.values():
            if str(work.ref.id) == text:
                return await self._explain_task(work)
        return _row(text, "waits", ["it is the result of a call that has not returned, or was put and is here"])

    async def all(self, peer: Peer) -> list[dict[str, Any]]:
        """What this node has submitted and not seen finished: at most ROWS_MAX rows, the oldest first."""
        tasks = list(self._submitter.submitted.values())[:ROWS_MAX]
        actors = list(self._scheduler.placing)[: ROWS_MAX - len(tasks)]
        rows = [await self._explain_task(work) for work in tasks]
        return rows + [self._explain_placing(actor, str(actor)) for actor in actors]

    def _nodes(self, request: Request) -> list[str]:
        """What each node says to a request that no node has taken."""
        place = request.strategy
        if isinstance(place, InPlacementGroup):
            record = self._scheduler.groups.known(place.group)
            return [f"{record or place.group} is {record.state if record else 'unknown here'}; its bundles may be full"]
        reasons = []
        if isinstance(place, NodeAffinity) and not place.soft:
            live = [each.node for each in self._system.node.directory.live()]
            reasons += [] if any(map(place.means, live)) else [f"node {place} is down or unknown"]
        draining = [record.node.name for record in self._system.node.directory.live() if record.draining]
        reasons += [f"node {name} is draining" for name in draining]
        known = explain(request, self._scheduler.candidates())
        return reasons + [f"node {node.name} {why}" for node, why in known] or ["no node takes work"]

    async def _ask(self, node: NodeId, method: str, args: list[Any], what: str) -> dict[str, Any]:
        try:
            row: dict[str, Any] = await self._system.request(node, PENDING_WORK, method, *args, timeout_s=ANSWER_S)
        except PartisanError as error:
            return _row(what, f"is at node {node.name}", [f"which does not say more: {error}"])
        return row

    # ---- warnings ---------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        now = self._system.loop.time()
        late: list[tuple[TaskId, Submitted]] = []
        for task, work in self._submitter.submitted.items():
            if now - work.since < WARN_S or len(late) >= WARNINGS_MAX:
                break  # they are in the order in which they were submitted
            if task not in self._warned:
                late.append((task, work))
        for task, work in late:
            self._warned[task] = None
            self._system.background.start(self._warn(work), f"look after {work.spec}")
        for actor, placing in list(self._scheduler.placing.items()):
            if now - placing.since >= WARN_S and actor not in self._warned:
                self._warned[actor] = None
                _tell(self._explain_placing(actor, str(placing.spec)))
        pending = self._submitter.submitted.keys() | self._scheduler.placing.keys() if self._warned else set()
        self._warned = {token: None for token in self._warned if token in pending}

    async def _warn(self, work: Submitted) -> None:
        row = await self._explain_task(work)
        if not row["state"].startswith("runs") and not work.ref.done():
            _tell(row)


def _tell(row: dict[str, Any]) -> None:
    logger.warning("%s has waited for %g s: it %s. %s", row["what"], WARN_S, row["state"], "; ".join(row["reasons"]))


def _row(what: str, state: str, reasons: list[str]) -> dict[str, Any]:
    return {"what": what, "state": state, "reasons": reasons}
