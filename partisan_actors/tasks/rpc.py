"""Functions called on one given node: no placement, no resources, no second try. Both sides of it.

Coroutine functions run on the node's loop, others on at most THREADS_MAX threads, with at most QUEUE_MAX in a queue
before them; the next one is refused with MailboxFull. Whoever gives up waiting says so: what has not begun never does,
a coroutine is cancelled, and what a thread has begun goes on, its result unheeded.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from partisan_actors.actors.actor import name_of
from partisan_actors.actors.arguments import call_when_ready, wait_for_arguments
from partisan_actors.actors.context import current_owner, current_system
from partisan_actors.actors.replies import Reply
from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.threads import JobThread
from partisan_actors.actors.user_errors import user_error
from partisan_actors.errors import CallTimeout, MailboxFull, TaskCancelled, TaskFailed
from partisan_actors.ids import NodeId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.router import Peer
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.objects.store import ObjectStore
from partisan_actors.wire.channels import partition_of
from partisan_actors.wire.payload import KeptBuffers, decode, encode_call

__all__ = ["NodeCalls"]

SERVICE: Final = "rpc"
THREADS_MAX: Final = 64
QUEUE_MAX: Final = 10_000
NEEDS_CODE: Final = "needs code"
DONE: Final = "done"


_Outcome = tuple[Any, BaseException | None]


class _GivenUp(Exception):
    """Nobody waits for the result any more."""


class _Job:
    """A blocking function in the queue, or on a thread."""

    __slots__ = ("call", "is_given_up", "reply")

    def __init__(self, call: Callable[[], _Outcome], reply: Reply[_Outcome]) -> None:
        self.call = call
        self.reply = reply
        self.is_given_up = False


class _Calling:
    """A call that this node has made, as far as it can be cancelled."""

    __slots__ = ("_job", "_ref", "_what")

    def __init__(self, job: asyncio.Task[None], ref: ObjectRef[Any], what: str) -> None:
        self._job = job
        self._ref = ref
        self._what = what

    def cancel(self, recursive: bool) -> None:
        """End it: what has not begun over there never does, and a coroutine is cancelled."""
        self._job.cancel()
        self._ref.fail(TaskCancelled(self._what))


class NodeCalls:
    """The calls that this node makes and serves. `call` is for any thread."""

    def __init__(self, system: ActorSystem, store: ObjectStore) -> None:
        self._system = system
        self._store = store
        self._next_number = itertools.count(1).__next__
        self._queue: deque[_Job] = deque()
        self._idle: list[JobThread] = []
        self._threads = 0
        # What is served now, by who asked, and under which number.
        self._served: dict[tuple[NodeId, int], _Job | asyncio.Task[Any]] = {}
        system.serve(SERVICE, self)
        system.node.directory.on_down.append(self._node_down)
        system.on_close.append(self._close)
        system.extensions[SERVICE] = self

    # ---- calling ----------------------------------------------------------------------------------------------

    def call(
        self,
        node: str | NodeId,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout_s: float | None,
        forward: object = None,
    ) -> ObjectRef[Any]:
        """Run `function` on `node`, a name or an id; `forward` goes before the node's own `ForwardOptions`.

        Raises SerializationError for what cannot be sent, ConfigError for options that make no sense.
        """
        if self._system.closed is not None:
            raise self._system.closed
        name = name_of(function) if hasattr(function, "__qualname__") else repr(function)
        code = self._system.code.add(function, f"the function {name}")
        payload = encode_call(args, kwargs, f"the arguments of {name}")
        request = (name, code, payload.body, KeptBuffers.of(payload), *self._way(forward))
        ref = self._store.new_ref()
        # The arguments stay referenced until the call is done, so refs among them are not dropped on the way.
        self._system.post(self._start, ref, node, request, timeout_s, (args, kwargs))
        return ref

    def _way(self, forward: object) -> tuple[str, int]:
        """The channel, or the manner, and the partition that the options mean."""
        config, acked = self._system.node.config, self._system.acked
        options = config.forward.over(forward)
        options.check(config.channels, config.delivery.causal_labels)
        partition = 0 if options.partition_key is None else partition_of(options.partition_key)
        if not options.ack and options.causal is None and options.transitive is None:
            return options.channel, partition
        return acked.manner(
            options.channel, options.causal, is_acked=options.ack, transitive=options.transitive
        ), partition

    def _start(self, ref: ObjectRef[Any], node: str | NodeId, request: Any, timeout_s: float | None, held: Any) -> None:
        running = self._run(ref, node, request, timeout_s, held)
        job = self._system.background.start(running, f"call {request[0]} on {node}")
        self._system.cancelling.watch([ref], _Calling(job, ref, f"{request[0]} on node {node}"))
        job.add_done_callback(lambda _: self._system.cancelling.ended([ref]))

    async def _run(
        self, ref: ObjectRef[Any], node: str | NodeId, request: Any, timeout_s: float | None, held: Any
    ) -> None:
        try:
            ref.succeed(await self._ask(self._system.node.directory.life_of(node), request, timeout_s))
        except asyncio.CancelledError:
            ref.fail(self._system.closed or TaskCancelled(f"{request[0]} on node {node}"))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller waits for it
            ref.fail(error)

    async def _ask(self, node: NodeId, request: Any, timeout_s: float | None) -> Any:
        system, loop = self._system, self._system.loop
        name, code, body, buffers, channel, partition = request
        number = self._next_number()
        deadline = None if timeout_s is None else loop.time() + timeout_s
        blob = system.code.blob_for(system.node.router.peer(node), code)
        try:
            while True:
                left = None if deadline is None else max(0.0, deadline - loop.time())
                asked = number, name, code, blob, body, buffers
                answer, value = await system.request(
                    node, SERVICE, "serve", *asked, timeout_s=left, channel=channel, partition=partition
                )
                if answer == DONE:
                    return value
                blob = system.code.blob(code)
        except asyncio.CancelledError:
            if system.closed is None:
                system.notify(node, SERVICE, "give_up", number)
            raise
        except CallTimeout as error:
            if isinstance(error, TaskFailed):
                raise  # the function's own
            system.notify(node, SERVICE, "give_up", number)
            raise CallTimeout(f"{name} on node {node}", timeout_s or 0.0) from None

    # ---- serving ----------------------------------------------------------------------------------------------

    async def serve(
        self, peer: Peer, number: int, name: str, code: bytes, blob: bytes | None, body: bytes, buffers: KeptBuffers
    ) -> tuple[str, Any]:
        """Another node calls a function here. Raises TaskFailed for what the function raises, and MailboxFull."""
        store = self._system.code
        if blob is not None:
            store.keep(blob)
        if store.blob(code) is None:
            return NEEDS_CODE, None
        key = (peer.node, number)
        context = contextvars.Context()
        context.run(current_system.set, self._system)
        context.run(current_owner.set, peer.node)
        where = f"{name} on node {self._system.me.name}"
        try:
            function = store.load(code)
        except Exception as error:  # noqa: BLE001 - unpickling code runs code: what it raises is the caller's
            raise user_error(error, f"loading {where}") from None
        try:
            if inspect.iscoroutinefunction(function):
                value, failure = await self._on_loop(key, _await(function, body, buffers), context)
            else:
                value, failure = await self._on_thread(key, partial(context.run, _call, function, body, buffers))
        finally:
            self._served.pop(key, None)
        if isinstance(failure, _GivenUp):
            raise TaskCancelled(where)
        if failure is not None:
            raise user_error(failure, where)
        return DONE, value

    async def _on_loop(self, key: tuple[NodeId, int], call: Coroutine[Any, Any, _Outcome], context: Any) -> _Outcome:
        job = self._served[key] = self._system.background.start(call, f"call {key[1]} of {key[0]}", context)
        try:
            await asyncio.wait([job])
        finally:
            job.cancel()  # whoever waits was cancelled: nobody else would end it
        return (None, _GivenUp()) if job.cancelled() else job.result()

    async def _on_thread(self, key: tuple[NodeId, int], call: Callable[[], _Outcome]) -> _Outcome:
        if len(self._queue) >= QUEUE_MAX:
            raise MailboxFull(f"functions called on node {self._system.me.name}", QUEUE_MAX)
        reply: Reply[_Outcome] = Reply(self._system.loop)
        job = self._served[key] = _Job(call, reply)
        self._queue.append(job)
        self._start_waiting()
        return await reply

    def _start_waiting(self) -> None:
        while self._queue and (self._idle or self._threads < THREADS_MAX):
            job = self._queue.popleft()
            if job.is_given_up:
                continue
            if self._idle:
                thread = self._idle.pop()
            else:
                self._threads += 1
                thread = self._system.make_thread(f"{self._system.me.name}-rpc-{self._threads}")
            thread.run(partial(self._work, job, thread))

    def _work(self, job: _Job, thread: JobThread) -> None:
        """On a thread."""
        self._system.post(self._worked, job, job.call(), thread)

    def _worked(self, job: _Job, outcome: _Outcome, thread: JobThread) -> None:
        if self._system.closed is None:
            self._idle.append(thread)
        else:
            thread.stop()
        job.reply.succeed(outcome)
        self._start_waiting()

    async def give_up(self, peer: Peer, number: int) -> None:
        """Whoever called does not wait any more."""
        self._give_up((peer.node, number))

    def _give_up(self, key: tuple[NodeId, int]) -> None:
        job = self._served.pop(key, None)
        if isinstance(job, asyncio.Task):
            job.cancel()
        elif job is not None:
            job.is_given_up = True
            job.reply.succeed((None, _GivenUp()))

    def _node_down(self, record: NodeRecord, why: str) -> None:
        for key in [key for key in self._served if key[0] == record.node]:
            self._give_up(key)

    def _close(self) -> None:
        for key in list(self._served):
            self._give_up(key)
        for thread in self._idle:
            thread.stop()
        self._idle.clear()


def _call(function: Callable[..., Any], body: bytes, buffers: KeptBuffers) -> _Outcome:
    try:
        args, kwargs = wait_for_arguments(*decode(body, buffers))
        return function(*args, **kwargs), None
    except BaseException as error:  # noqa: BLE001 - user code: whatever it raises is the caller's
        return None, error


async def _await(function: Callable[..., Any], body: bytes, buffers: KeptBuffers) -> _Outcome:
    try:
        args, kwargs = decode(body, buffers)
        return await call_when_ready(function, args, kwargs), None
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - as above; a SystemExit must not end the loop
        return None, error
