"""Submitting tasks: choose a node, ask it, try the next when it refuses, and again when it is lost.

The caller counts what it has placed on each node and not seen finished, so a burst of tasks spreads over the cluster
at once, without waiting for gossip to catch up. And it remembers what it has sent to a node since that told its room:
two tasks do not queue for one place while another node, which was busy when it last told, may be free by now.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections import Counter
from typing import Any, Final

from partisan_actors.actors.consuming import Incoming
from partisan_actors.actors.made_calls import has_run, made_calls, note_call
from partisan_actors.actors.sent_refs import SentRefs, refs_in_message
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import (
    ActorUnavailable,
    NodeDown,
    NodeError,
    TaskCancelled,
    TaskFailed,
    Unplaceable,
    WorkerCrashed,
)
from partisan_actors.ids import NodeId, TaskId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.objects.store import ObjectStore
from partisan_actors.scheduler.isolated import PLACED, place_of
from partisan_actors.scheduler.policy import Verdict
from partisan_actors.scheduler.resources import Resources
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.tasks.answers import NotTaken
from partisan_actors.tasks.executor import NEEDS_CODE, REFUSED, SERVICE
from partisan_actors.tasks.finished import FINISHED_MAX, FinishedTasks, brief
from partisan_actors.tasks.locality import argument_bytes, nearest
from partisan_actors.tasks.plain import PlainTasks
from partisan_actors.tasks.retry import Retries
from partisan_actors.tasks.spec import NO_BUFFERS, TaskKind, TaskSpec
from partisan_actors.tasks.submitted import NOTHING_HELD, Submitted
from partisan_actors.tasks.tracing import SubmittedTask
from partisan_actors.wire.payload import KeptBuffers, encode_call, encode_scalars, is_scalars

__all__ = ["TaskSubmitter"]

FULL_ASKED: Final = 2
BUSY: Final = 2
"""Where there is no room, one place of the queue is taken already; half of one counts less than a whole one."""


class TaskSubmitter:
    """The tasks that this node has submitted. `submit` may be called from any thread."""

    def __init__(self, system: ActorSystem, scheduler: Scheduler, store: ObjectStore) -> None:
        self._system = system
        self._scheduler = scheduler
        self._store = store
        # What is not done, the oldest first.
        self.submitted: dict[TaskId, Submitted] = {}
        # What is, the oldest first.
        self.finished: FinishedTasks = FinishedTasks(maxlen=FINISHED_MAX)
        self._outstanding: Counter[NodeId] = Counter()
        # Of those, what each node does not hold as far as its record goes, which is older.
        self._untold: dict[NodeId, dict[TaskId, Resources]] = {}
        self.plain = PlainTasks(system, scheduler, self)
        system.node.directory.on_change.append(self._told)
        system.node.directory.on_down.append(lambda record, why: self._told(record))

    def submit(
        self,
        kind: TaskKind,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        retries: Retries,
        incoming: Incoming | None = None,
        ahead: int = 0,
    ) -> ObjectRef[Any]:
        """Run a task of that kind somewhere. Raises SerializationError for arguments that cannot be sent.

        A generator gives its items, at most so many `ahead`, to `incoming`; then the value is how many those were.
        """
        system = self._system
        if system.closed is not None:
            raise system.closed
        refs, buffers, held = None, NO_BUFFERS, NOTHING_HELD
        if not kwargs and is_scalars(args):
            body = encode_scalars(args)
        else:
            refs, held = SentRefs(), (args, kwargs)
            token = refs_in_message.set(refs)
            try:
                body, beside = encode_call(args, kwargs, f"the arguments of {kind.name}")
            finally:
                refs_in_message.reset(token)
            if beside:
                buffers = KeptBuffers(system.copy_buffers(beside, None))
        begun = system.recorder.begin_traced(kind.tracing) if system.recorder.enabled else None
        trace = SubmittedTask(system, begun, kind.name) if begun is not None else None
        context = begun.pack() if begun is not None else b""
        ref = self._store.new_ref()
        task = ref.task_id()
        spec = TaskSpec(task, kind, body, buffers, context)
        system.outbound.sent.task(kind.name, ref)
        if trace is not None:
            if incoming is not None:
                incoming.count_bytes()
            ref.add_waiter(functools.partial(_finished, trace, task, ref, incoming))
        work = Submitted(system, SERVICE, spec, ref, held, incoming, ahead)
        system.cancelling.watch([ref], work)
        if has_run and (made := made_calls.get()) is not None:
            note_call(made, ref)
        if refs:
            ref.add_waiter(lambda: refs.release(work.reader()))
        if threading.get_ident() == system.thread_id:
            self._start(work, retries, trace)
        else:
            system.post(self._start, work, retries, trace)
        return ref

    def work_of(self, ref: ObjectRef[Any]) -> Submitted | None:
        """The task whose result a ref is, if it is not done."""
        return next((work for work in self.submitted.values() if work.ref is ref), None)

    def _start(self, work: Submitted, retries: Retries, trace: SubmittedTask | None) -> None:
        self.submitted[work.spec.task] = work
        if not self.plain.send(work, retries, trace):
            self._go_on(work, retries, trace)

    def _go_on(
        self, work: Submitted, retries: Retries, trace: SubmittedTask | None, error: BaseException | None = None
    ) -> None:
        """From the beginning, or from the first attempt, which ended with `error`."""
        work.job = self._system.background.start(self._run(work, retries, trace, error), f"submit {work.spec}")

    async def _run(
        self, work: Submitted, retries: Retries, trace: SubmittedTask | None, error: BaseException | None
    ) -> None:
        try:
            await self._attempts(work, retries, trace, error)
        finally:
            self.over(work)

    def take(self, work: Submitted, value: Any) -> None:
        """Its first attempt has given this."""
        self._store.take_result(work.ref, value)
        self.over(work)

    def try_further(self, work: Submitted, retries: Retries, trace: SubmittedTask | None, error: BaseException) -> None:
        """Its first attempt has ended so."""
        if isinstance(error, NotTaken):
            work.host = None
            self._go_on(work, retries, trace)
            return
        is_lost = isinstance(error, (NodeError, ActorUnavailable)) and not isinstance(error, TaskFailed)
        if (is_lost or isinstance(error, TaskFailed)) and not work.is_cancelled and retries.allow(1, error, is_lost):
            self._go_on(work, retries, trace, error)
            return
        work.ref.fail(error)
        self.over(work)

    def over(self, work: Submitted) -> None:
        """It is done, whatever its outcome."""
        spec, error = work.spec, work.ref.failure
        if self.submitted.pop(spec.task, None) is not None:
            told = None if error is None else brief(error)
            now = self._system.loop.time()
            self.finished.append((spec.task, spec.kind.name, spec.attempt, work.asked, work.since, now, told))
        self._system.cancelling.ended([work.ref])

    async def _attempts(
        self, work: Submitted, retries: Retries, trace: SubmittedTask | None, first: BaseException | None
    ) -> None:
        attempt = 0
        while True:
            attempt += 1
            if trace is not None:
                trace.attempt = attempt
            work.begin(attempt)
            try:
                if first is not None:
                    ended, first = first, None
                    raise ended
                await work.wait_for_arguments()
                self._store.take_result(work.ref, await self._once(work, trace))
                return
            except TaskFailed as error:  # first: the function may itself have met a NodeDown
                lost: Exception = error
                is_lost = False
            except (NodeError, ActorUnavailable) as error:
                lost, is_lost = error, True
            except asyncio.CancelledError:
                work.ref.fail(self._system.closed or TaskCancelled(str(work.spec)))
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller waits for it
                work.ref.fail(error)
                return
            if work.is_cancelled or not retries.allow(attempt, lost, node_lost=is_lost):
                # Without the way it took here, which tells users nothing, and would keep all that is on it.
                work.ref.fail(lost.with_traceback(None))
                return

    async def _once(self, work: Submitted, trace: SubmittedTask | None) -> Any:
        """Run it on one node that takes it. Raises what the function raised, or why it could not run."""
        spec, refs = work.spec, work.arguments()
        while True:
            sizes = argument_bytes(self._store, self._system.node.directory, refs) if refs else None
            near = nearest(sizes) if sizes and spec.request.strategy == "default" else ()
            choice = self._scheduler.choose(spec.request, self._outstanding, sizes)
            if isinstance(choice, Verdict):
                raise Unplaceable(str(spec), choice.needed, choice.best_node)
            needs = spec.request.resources
            queues = [(self.queue_at(node, self.told_room(node), needs), node) for node in choice.nodes]
            # Where there was no room when it last told, somebody is before us. Where actors held all, they may have
            # ended by now: rather than queue elsewhere, ask a few of those; they refuse at once.
            queues += [(2 * self._outstanding[node] + 1, node) for node in choice.full[:FULL_ASKED]]
            queues += [(self.queue_at(node, None, needs), node) for node in choice.busy]
            # Who has the arguments comes first while it has room; a queue there is no better than elsewhere.
            queues += [(-1, node) for node in choice.nodes if node in near and not self._is_filled(node, needs)]
            for node in dict.fromkeys(node for _, node in sorted(queues, key=_length)):
                if trace is not None:
                    trace.host = node
                work.host = work.asked = node
                try:
                    answer, value = await self._ask(node, spec)
                    if answer == PLACED:
                        return await self._ask_process(node, work, value, trace)
                finally:
                    work.host = None
                if answer != REFUSED:
                    return value
            await self._scheduler.wait_for_news()

    def queue_at(self, node: NodeId, room: Resources | None, needs: Resources) -> int:
        """How long it is: a node queues what it has no room for yet, so the shortest queue is a good place too.

        `room` is what it told of; None says that it is known to be busy. One has no place in the queue while that node
        has room by what it told and was sent since.
        """
        length = 2 * self._outstanding[node]
        if room is None:
            return length + BUSY
        untold = self._untold.get(node)
        if untold:
            for each in untold.values():
                needs += each
                if not needs.fits(room):
                    return length + BUSY
        return length

    def sent_to(self, node: NodeId, spec: TaskSpec) -> None:
        """That node is asked to run it, until `heard_from`."""
        self._outstanding[node] += 1
        resources = spec.kind.request.resources
        if resources.amounts and node != self._system.me:  # whose room is known as it is
            untold = self._untold.get(node)
            if untold is None:
                untold = self._untold[node] = {}
            untold[spec.task] = resources

    def heard_from(self, node: NodeId, spec: TaskSpec) -> None:
        """That node has answered, or is not waited for any more."""
        self._outstanding[node] -= 1
        untold = self._untold.get(node)
        if untold is not None:
            untold.pop(spec.task, None)

    def told_room(self, node: NodeId) -> Resources:
        """What that node had available when it last told."""
        return self._scheduler.choosing.told_room(node)

    def _is_filled(self, node: NodeId, needs: Resources) -> bool:
        return self.queue_at(node, self.told_room(node), needs) > 2 * self._outstanding[node]

    def _told(self, record: NodeRecord) -> None:
        self._untold.pop(record.node, None)

    def _abandon(self, host: NodeId, spec: TaskSpec) -> None:
        """Nobody knows whether an isolated task was heard of, or still runs: it must not."""
        if spec.kind.isolation is not None:
            why = "whoever submitted its task does not hear of it any more"
            self._system.notify(host, SERVICE, "kill_task", *spec.task.node, spec.task.number, why)

    async def _ask(self, node: NodeId, spec: TaskSpec) -> tuple[str, Any]:
        self.sent_to(node, spec)
        try:
            return await self._run_on(node, spec)
        except (ActorUnavailable, asyncio.CancelledError):
            self._abandon(node, spec)
            raise
        finally:
            self.heard_from(node, spec)

    async def _run_on(self, node: NodeId, spec: TaskSpec) -> tuple[str, Any]:
        code = self._system.code
        ask = functools.partial(self._system.request, node, SERVICE, "run", spec, trace=spec.trace)
        blob = code.blob_for(self._system.node.router.peer(node), spec.code)
        # Who brings the code is not overtaken by those that count on it: each would be asked for it again.
        answer = await ask(blob, in_order=blob is not None)
        if answer[0] == NEEDS_CODE:
            answer = await ask(code.blob(spec.code))
        return answer[0], answer[1]

    async def _ask_process(self, host: NodeId, work: Submitted, where: Any, trace: SubmittedTask | None) -> Any:
        """The host has a process for the task: ask that. Raises WorkerCrashed when it ends before the task does."""
        spec = work.spec
        work.host = work.asked = process = place_of(self._system.node, where)
        work.is_in_process = True
        if trace is not None:
            trace.host = process
        try:
            return (await self._run_on(process, spec))[1]
        except TaskFailed:  # first: the function may itself have met a NodeDown
            raise
        except NodeDown as error:
            raise WorkerCrashed(str(host), error.why) from None
        except (NodeError, ActorUnavailable, asyncio.CancelledError):
            self._abandon(host, spec)
            raise
        finally:
            work.is_in_process = False


def _finished(trace: SubmittedTask, task: TaskId, ref: ObjectRef[Any], incoming: Incoming | None) -> None:
    if incoming is None:
        trace.finished(task, ref.failure)
    else:
        incoming.when_over(functools.partial(trace.finished, task, ref.failure, incoming))


def _length(queue: tuple[int, NodeId]) -> int:
    return queue[0]
