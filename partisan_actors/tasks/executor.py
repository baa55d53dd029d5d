"""Running tasks on one node: as many at once as its resources allow, the others in a bounded queue.

A task that blocks in `get` or `result` lends its CPUs to others meanwhile, so tasks that wait for their own sub-tasks
never fill a node up; when it goes on, the node may be over its number for a while. A task never waits for what an actor
holds, because that may be for ever: it is refused, also when the actor comes while the task is in the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from typing import Any, Final

from partisan_actors.actors.actor import name_of
from partisan_actors.actors.arguments import wait_for_arguments
from partisan_actors.actors.context import request_meta
from partisan_actors.actors.replies import Reply, while_blocked
from partisan_actors.actors.services import answers_later
from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.user_errors import user_error
from partisan_actors.errors import (
    ActorUnavailable,
    PartisanError,
    PlacementGroupRemoved,
    TaskCancelled,
)
from partisan_actors.ids import NodeId, TaskId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.router import Peer
from partisan_actors.scheduler.groups_record import GroupRecord
from partisan_actors.scheduler.isolated import PLACED, placed_at
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.tasks.answers import LaterAnswer, NotTaken, settle
from partisan_actors.tasks.isolated import IsolatedTasks
from partisan_actors.tasks.kinds import Kinds
from partisan_actors.tasks.running import current_task
from partisan_actors.tasks.spec import NO_BUFFERS, TaskSpec
from partisan_actors.tasks.threads import Outcome, TaskThreads
from partisan_actors.tasks.tracing import ServedTask
from partisan_actors.tasks.waiting import TaskQueue, Waiting
from partisan_actors.telemetry.context import NOT_SAMPLED, current_context
from partisan_actors.wire.payload import decode

__all__ = ["NEEDS_CODE", "REFUSED", "SERVICE", "TaskExecutor"]

SERVICE: Final = "tasks"
QUEUE_MAX: Final = 10_000

REFUSED: Final = "refused"
NEEDS_CODE: Final = "needs code"
DONE: Final = "done"
# PLACED is answered when the task runs in a process that this node has, and is to be asked of that.


class TaskExecutor:
    """Serves the tasks that other nodes send here. Runs functions on threads, coroutine functions on the loop."""

    def __init__(self, system: ActorSystem, scheduler: Scheduler) -> None:
        self._system = system
        self._scheduler = scheduler
        self._room = scheduler.room
        self._queue = TaskQueue()
        self._threads = TaskThreads(system, self._queue, self._call, self._ended)
        self._catch_up = self._room.catch_up = self._threads.catch_up
        self._coroutines: dict[asyncio.Task[None], TaskSpec] = {}
        self._running: dict[TaskId, Waiting] = {}
        self._finished = 0
        self._kinds = Kinds(system)
        config = system.node.config
        self._takes_work, self._has_host = config.hosts_actors or bool(config.hosted_by), bool(config.hosted_by)
        # Tasks whose process is being started, and that nobody wants any more.
        self._unwanted: set[TaskId] = set()
        self.isolated = IsolatedTasks(system, scheduler.processes, scheduler.packages, scheduler.room)
        system.serve(SERVICE, self)
        scheduler.on_room.append(self._start_waiting)
        scheduler.on_room_taken.append(self._turn_away)
        scheduler.groups.on_evicted.append(self._evicted)
        system.node.directory.on_down.append(self._node_down)

    async def run(self, peer: Peer, spec: TaskSpec, blob: bytes | None) -> tuple[str, Any]:
        """Another node asks this one to run a task. Raises TaskFailed for what the function raises."""
        code = self._system.code
        if blob is not None:
            code.keep(blob)
        if code.blob(spec.code) is None:
            return NEEDS_CODE, None
        if not self._takes(spec):
            return REFUSED, None
        reply: Reply[Any] = Reply(self._system.loop)
        self._queue.append(self._waiting(spec, peer, reply, request_meta.get(), self._kinds.context_of(spec.kind)))
        self._start_waiting()
        try:
            return PLACED if self._is_isolated(spec) else DONE, await reply
        except NotTaken:
            return REFUSED, None

    @answers_later
    def begin(
        self,
        peer: Peer,
        reply_number: int,
        meta: dict[str, Any] | None,
        packed: bytes,
        number: int,
        body: bytes,
        trace: bytes,
    ) -> None:
        """The same the short way: the answer is the value, or an error, which may be NotTaken."""
        answer = LaterAnswer(self._system, peer, reply_number)
        try:
            kind, context = self._kinds.known(packed)
        except Exception as error:  # noqa: BLE001 - unpickling runs code: what it raises is the caller's
            answer.fail(error)
            return
        spec = TaskSpec(TaskId(peer.node, number), kind, body, NO_BUFFERS, trace)
        if self._system.code.blob(kind.code) is None or not self._takes_work or self._room.is_closed:
            answer.fail(NotTaken())
        elif not self._queue and (before := self._threads.last_of(kind, self._room)) is not None:
            waiting = self._waiting(spec, peer, answer, meta, context.copy())
            self._ended(*before, waiting)
            self._begin(waiting)
        elif not self._queue and self._room.acquire(spec.task, kind.request):
            self._begin(self._waiting(spec, peer, answer, meta, context.copy()))
        elif self._takes(spec):
            self._queue.append(self._waiting(spec, peer, answer, meta, context.copy()))
            self._start_waiting()
        else:
            answer.fail(NotTaken())

    def _takes(self, spec: TaskSpec) -> bool:
        return self._takes_work and self._can_wait(spec) and len(self._queue) < QUEUE_MAX

    def _waiting(
        self,
        spec: TaskSpec,
        peer: Peer,
        reply: Reply[Any] | LaterAnswer,
        meta: dict[str, Any] | None,
        context: Context,
    ) -> Waiting:
        trace = None
        if spec.trace and self._system.recorder.enabled:
            trace = ServedTask(self._system, spec, peer, len(self._queue), (meta or {}).get("hops", 0))
        meter = None if self._is_isolated(spec) else self._system.meters.of_task(spec.kind.name)
        return Waiting(spec, peer, reply, trace, meter, context)

    async def cancel(self, peer: Peer, number: int, recursive: bool) -> None:
        """Whoever submitted a task wants it no more. It may not be here, not yet, or no more."""
        task = TaskId(peer.node, number)
        for waiting in [waiting for waiting in self._queue.all() if waiting.spec.task == task]:
            self._drop(waiting, TaskCancelled(str(waiting.spec)))
            self._start_waiting()
        running = self.running_tasks.get(task)
        if running is None:
            return
        if self._is_isolated(running.spec):
            await self.kill_task(peer, *task.node, number, "it was cancelled")
            return
        running.is_unwanted = True  # first: a thread that is about to begin it looks at this, or can be interrupted
        if self._system.cancelling.interrupt(running, recursive):
            return
        for job, spec in list(self._coroutines.items()):
            if spec.task == task:
                self._system.cancelling.children(running.context, recursive)
                job.cancel()

    @property
    def running_tasks(self) -> dict[TaskId, Waiting]:
        """Those that have room."""
        self._catch_up()
        return self._running

    @property
    def running(self) -> int:
        """How many tasks have room."""
        return len(self.running_tasks)

    @property
    def finished(self) -> int:
        """How many tasks have ended here."""
        self._catch_up()
        return self._finished

    @property
    def queued(self) -> int:
        """How many tasks wait for room."""
        return len(self._queue)

    def waiting_tasks(self) -> list[TaskSpec]:
        """The tasks that wait for room, in the order in which they will be begun."""
        return [waiting.spec for waiting in self._queue.all()]

    def coroutine_jobs(self) -> dict[TaskId, asyncio.Task[None]]:
        """What runs the tasks that are coroutines."""
        return {spec.task: job for job, spec in self._coroutines.items()}

    def close(self) -> None:
        """End the threads, those of running tasks when they are done."""
        self._threads.close()

    def _node_down(self, record: NodeRecord, why: str) -> None:
        """Nobody waits for what that node wanted: it is not begun, and what can be interrupted is."""
        for waiting in [waiting for waiting in self._queue.all() if waiting.spec.owner == record.node]:
            self._drop(waiting, TaskCancelled(f"{waiting.spec}, whose owner, node {record.node.name}, is gone,"))
        for job, spec in list(self._coroutines.items()):
            if spec.owner == record.node:
                job.cancel()
        self._start_waiting()

    def _turn_away(self) -> None:
        for waiting in [waiting for waiting in self._queue.all() if not self._can_wait(waiting.spec)]:
            self._drop(waiting, NotTaken(f"an actor of node {self._system.me.name} holds what {waiting.spec} needs"))
        self._start_waiting()

    def _evicted(self, record: GroupRecord, tokens: tuple[Hashable, ...]) -> None:
        """Running tasks have lost their bundle. Their callers are told; what a thread has begun goes on, unheeded."""
        for token in tokens:
            waiting = self.running_tasks.get(token) if isinstance(token, TaskId) else None
            if waiting is not None and not waiting.reply.done():
                waiting.reply.fail(_group_error(record, waiting.spec))
            if isinstance(token, TaskId):
                self.isolated.kill(token, f"its bundle of {record} is gone")
        gone = set(tokens)
        for job, spec in list(self._coroutines.items()):
            if spec.task in gone:
                job.cancel()

    def _drop(self, waiting: Waiting, error: Exception) -> None:
        if self._queue.remove(waiting):
            waiting.reply.fail(error)
            self._leave(waiting, None, error)

    def _can_wait(self, spec: TaskSpec) -> bool:
        return self._room.can_wait(spec.request)

    def _start_waiting(self) -> None:
        # In order: a large task at the head is not overtaken for ever by small ones.
        self._catch_up()
        while (waiting := self._queue.take_if(self._has_room)) is not None:
            self._begin(waiting)

    def _begin(self, waiting: Waiting) -> None:
        """It has room."""
        spec = waiting.spec
        self._running[spec.task] = waiting
        if self._is_isolated(spec):
            self._system.background.start(self._lend_process(waiting), f"a process for task {spec}")
            return
        code = spec.kind.code
        try:
            function = self._system.code.load(code)
        except Exception as error:  # noqa: BLE001 - unpickling code runs code: what it raises is the caller's
            self._leave(waiting, None, error)
            self._ended(waiting, None, user_error(error, f"loading {spec}"))
            return
        if self._kinds.runs_on_loop(code, function):
            running = self._run_async(waiting, function)
            job = self._system.background.start(running, f"task {spec}", waiting.context)
            self._coroutines[job] = spec
            job.add_done_callback(partial(self._job_ended, waiting))
        else:
            self._threads.run(waiting, function)

    def _job_ended(self, waiting: Waiting, job: asyncio.Task[None]) -> None:
        """What was cancelled before its first step never gets to say so itself."""
        self._coroutines.pop(job, None)
        if self.running_tasks.get(waiting.spec.task) is waiting:
            self._leave(waiting, None, error := TaskCancelled(str(waiting.spec)))
            self._ended(waiting, None, error)

    # ---- in processes -----------------------------------------------------------------------------------------

    def _is_isolated(self, spec: TaskSpec) -> bool:
        return spec.kind.isolation is not None and self._scheduler.processes.can_isolate

    async def _lend_process(self, waiting: Waiting) -> None:
        spec = waiting.spec
        try:
            process = await self.isolated.lease(spec, waiting.peer.node, lambda: self._freed(spec))
            if spec.task in self._unwanted:
                process.kill("nobody wants its task any more")
        except BaseException as error:
            self._freed(spec)
            waiting.reply.fail(error)
            if not isinstance(error, Exception):
                raise
        else:
            waiting.reply.succeed(placed_at(self._system.node, process))
        finally:
            self._unwanted.discard(spec.task)

    def _freed(self, spec: TaskSpec) -> None:
        self._finished += 1
        self._running.pop(spec.task, None)
        self._room.release(spec.task)
        self._scheduler.room_made()

    async def ended(self, peer: Peer, name: str, incarnation: int, number: int) -> None:
        """A process of this node says that a task in it has ended."""
        self.isolated.ended(TaskId(NodeId(name, incarnation), number), peer.node)

    async def waits(self, peer: Peer, name: str, incarnation: int, number: int, does: bool) -> None:
        """A process of this node says that the task in it waits for others, or does so no more."""
        spec = self.isolated.spec_of(TaskId(NodeId(name, incarnation), number), peer.node)
        if spec is not None:
            (self._lend if does else self._take_back)(spec)

    async def kill_task(self, peer: Peer, name: str, incarnation: int, number: int, why: str) -> bool:
        """End the process of an isolated task, also if it has none yet. Returns whether the task was here."""
        task = TaskId(NodeId(name, incarnation), number)
        waiting = next((each for each in self._queue.all() if each.spec.task == task), None)
        if waiting is not None:
            self._drop(waiting, TaskCancelled(str(waiting.spec)))
            self._start_waiting()
        elif task in self.running_tasks and task not in self.isolated:
            self._unwanted.add(task)
        return self.isolated.kill(task, why) or waiting is not None or task in self._unwanted

    def _tell_host(self, what: str, spec: TaskSpec, *more: bool) -> None:
        """In a process: its host, which has the room that the task takes, is to know what it does."""
        host = self._system.node.directory.keeper(self._system.me)
        if host is not None:
            self._system.notify(host, SERVICE, what, *spec.task.node, spec.task.number, *more)

    def _has_room(self, waiting: Waiting) -> bool:
        return self._room.acquire_as_told(waiting.spec.task, waiting.spec.request)  # under the lock of the queue

    # ---- on a thread ------------------------------------------------------------------------------------------

    def _call(self, waiting: Waiting, function: Callable[..., Any]) -> Outcome:
        if waiting.is_unwanted:
            cancelled = TaskCancelled(str(waiting.spec))
            self._leave(waiting, None, cancelled)
            return None, cancelled
        self._enter(waiting)
        outcome: Outcome
        while_blocked.set(partial(self._lending, waiting))
        try:
            args, kwargs = wait_for_arguments(*decode(waiting.spec.body, waiting.spec.buffers))
            result = function(*args, **kwargs)
            outcome = self._system.streams.through(waiting.peer, waiting.spec, result, waiting.streamed), None
        except BaseException as error:  # noqa: BLE001 - user code: whatever it raises is the caller's
            outcome = None, error
        self._leave(waiting, function, outcome[1], outcome[0])
        return outcome

    @contextmanager
    def _lending(self, waiting: Waiting) -> Iterator[None]:
        """Around a blocking wait: other tasks may use what this one holds."""
        spec, waiting.has_lent = waiting.spec, True
        self._system.post(self._lend, spec)
        try:
            yield
        finally:
            self._system.post(self._take_back, spec)

    def _lend(self, spec: TaskSpec) -> None:
        if self._room.release(spec.task):
            self._scheduler.room_made()
        self._tell_host("waits", spec, True)

    def _take_back(self, spec: TaskSpec) -> None:
        # When there is no room now, it runs on beside the others; nothing is held, so nothing leaks.
        if spec.task not in self._room:
            self._room.acquire(spec.task, spec.request)
        self._tell_host("waits", spec, False)

    # ---- on the loop ------------------------------------------------------------------------------------------

    async def _run_async(self, waiting: Waiting, function: Callable[..., Any]) -> None:
        self._enter(waiting)
        value: Any = None
        error: Exception | None = None
        try:
            args, kwargs = decode(waiting.spec.body, waiting.spec.buffers)
            ready = [await value if isinstance(value, Reply) else value for value in args]
            named = {key: await value if isinstance(value, Reply) else value for key, value in kwargs.items()}
            value = function(*ready, **named)
            if waiting.spec.stream:
                value = await self._system.streams.through_soon(waiting.peer, waiting.spec, value, waiting.streamed)
            else:
                value = await value
        except asyncio.CancelledError:
            error = TaskCancelled(str(waiting.spec))
        except Exception as caught:  # noqa: BLE001 - user code: whatever it raises is the caller's
            error = caught
        self._leave(waiting, function, error, value)
        self._ended(waiting, value, error)

    def _ended(
        self, waiting: Waiting, value: Any, error: BaseException | None, following: Waiting | None = None
    ) -> None:
        """A task has ended; its room goes to `following`, which its thread runs already, or will at once."""
        self._finished += 1
        spec = waiting.spec
        self._running.pop(spec.task, None)
        if following is not None:
            self._running[following.spec.task] = following
            if not self._room.hand_over(spec.task, following.spec.task):
                # If there is no room, it runs beside the others. Its own end may be the next thing to hear of.
                self._room.acquire_as_told(following.spec.task, following.spec.request)
        try:
            settle(waiting.reply, value, error, f"task {spec.name} on node {self._system.me.name} ({spec.task})")
        finally:  # whatever came of that, what it has is free
            if following is None:
                self._room.release(spec.task)
                self._scheduler.room_made()
            if self._has_host:
                self._tell_host("ended", spec)

    # ---- around the function ------------------------------------------------------------------------------------

    def _enter(self, waiting: Waiting) -> None:
        spec = waiting.spec
        current_task.set(spec)
        if waiting.timing is not None:
            waiting.timing.begin()
        if waiting.trace is not None:
            waiting.trace.begin()
        elif self._system.recorder.unasked is not None or spec.kind.tracing == "off":
            current_context.set(NOT_SAMPLED)

    def _leave(
        self, waiting: Waiting, function: Callable[..., Any] | None, error: BaseException | None, value: Any = None
    ) -> None:
        if waiting.meter is not None and error is not None and not isinstance(error, NotTaken):
            waiting.meter.errors += 1
        if waiting.timing is not None:
            waiting.timing.end(error)
        if waiting.trace is not None:
            name = "" if function is None else f"{function.__module__}.{name_of(function)}"
            waiting.trace.finish(name, error, value if waiting.spec.stream and error is None else None)


def _group_error(record: GroupRecord, spec: TaskSpec) -> PartisanError:
    if record.is_over:
        return PlacementGroupRemoved(str(spec), f"{record} is over, as {record.why}")
    # As if its node had gone: it may run again where the bundle is now.
    return ActorUnavailable(str(spec), f"its bundle of {record} was moved to another node")
