"""The loop that runs one actor: a mailbox, one blocking method at a time on a thread, coroutines in between.

The rules this file keeps:

1. Messages start in the order they arrived. A blocking method runs alone: the next message starts when it has
   returned, and coroutines of this actor that wait are not resumed meanwhile. A coroutine that waits lets the next
   message start; at most `max_concurrency` are in progress.
2. A plain call to an idle actor makes no task and no effect: it is stepped here, inside the loop's own call-back.
3. The constructor and `on_start` run first, `on_stop` last, on the actor's thread when they block.
4. Whatever ends the cell, everyone who waits for a reply hears why, and later callers too.
5. All state belongs to the loop's thread, but for `inbox`, which the actor's thread drains, and what user code owns.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from partisan_actors.actors.actor import ASYNC, Definition, Method
from partisan_actors.actors.context import current_cell, current_system
from partisan_actors.actors.replies import Reply
from partisan_actors.actors.stepping import Stepper
from partisan_actors.actors.threads import ActorThread
from partisan_actors.actors.tracing import begin_serving, finish_serving
from partisan_actors.errors import ActorStopped, MailboxFull, PartisanError
from partisan_actors.ids import ActorId, NodeId

from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

if TYPE_CHECKING:
    from partisan_actors.actors.system import ActorSystem
    from partisan_actors.node.router import Peer

__all__ = ["Cell", "CellOptions", "Message"]

logger = logging.getLogger(__name__)

STARTING: Final = "starting"
ALIVE: Final = "alive"
STOPPING: Final = "stopping"
STOPPED: Final = "stopped"

ASYNC_CONCURRENCY: Final = 1000

_TINY: Final = frozenset({int, float, bool, type(None)})
_REPLY: Final = Kind.REPLY


class Message(NamedTuple):
    """One call or tell on its way through a cell. `number` is None for a tell.

    `args` is the arguments, or a function that decodes them (and the keyword arguments) where they are needed.
    """

    peer: Peer
    number: int | None
    method: Method
    args: Any
    kwargs: dict[str, Any] | None
    meta: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class CellOptions:
    """How one actor runs. `owner` is the node whose end ends it, None for a detached one; `life` counts restarts."""

    name: str | None = None
    owner: NodeId | None = None
    life: int = 0
    max_restarts: int = 0
    max_concurrency: int | None = None
    mailbox_max: int = 100_000
    dedicated_thread: bool = False
    resources: dict[str, float] = field(default_factory=dict)


class Cell:
    """One actor of this node."""

    def __init__(
        self, system: ActorSystem, actor: ActorId, key: bytes, definition: Definition, options: CellOptions
    ) -> None:
        self.system = system
        self.actor = actor
        self.key = key
        self.definition = definition
        self.options = options
        self.state = STARTING
        self.reason = ""
        self.cause: BaseException | None = None
        self.instance: Any = None
        self.processed = 0
        self.on_stopped: list[Callable[[Cell], None]] = []
        # Rule 1.
        self.mailbox: deque[Message] = deque()
        self.inbox: deque[Message] = deque()
        self.is_thread_busy = False
        self.thread: ActorThread | None = None
        self.dedicated_thread = options.dedicated_thread
        self.stepper = Stepper(system.loop, self._ended)
        self._concurrency = options.max_concurrency or ASYNC_CONCURRENCY
        self._bound: dict[str, Callable[..., Any]] = {}
        self._context = contextvars.Context()
        self._context.run(current_cell.set, self)
        self._context.run(current_system.set, system)
        self._is_pumping = False
        # Coroutine functions that may be called directly, and whether any may be now.
        self._direct: dict[str, Callable[..., Any]] = {}
        self._is_closed = True

    def __str__(self) -> str:
        name = f" {self.options.name!r}" if self.options.name else ""
        return f"{self.definition.interface.class_name}{name} ({self.actor})"

    @property
    def mailbox_size(self) -> int:
        """How many messages wait."""
        return len(self.mailbox) + len(self.inbox)

    # ---- life -------------------------------------------------------------------------------------------------

    def start(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Construct the instance; messages that arrive meanwhile wait. Called once, from a loop call-back."""
        cls = self.definition.cls
        hook = getattr(cls, "on_start", None)
        if cls.__init__ is object.__init__ and hook is None and cls.__new__ is object.__new__:
            self._constructed(cls(), None)
            return

        def construct() -> None:
            try:
                instance, error = self._context.copy().run(cls, *args, **kwargs), None
            except BaseException as caught:
                instance, error = None, caught
            if error is None and hook is not None and not asyncio.iscoroutinefunction(hook):
                try:
                    self._context.copy().run(hook, instance)
                except BaseException as caught:
                    error = caught
            self.system.post(self._constructed, instance, error)

        self._on_thread(construct)

    def _constructed(self, instance: Any, error: BaseException | None) -> None:
        self._off_thread()
        self.instance = instance
        hook = getattr(instance, "on_start", None)
        if error is None and hook is not None and asyncio.iscoroutinefunction(hook):
            self.system.background.start(self._start_async(hook), f"on_start of {self}")
        else:
            self._started(error)

    async def _start_async(self, hook: Callable[[], Any]) -> None:
        try:
            await self.system.background.start(self._in_context(hook), f"on_start of {self}")
        except Exception as error:
            self._started(error)
        else:
            self._started(None)

    async def _in_context(self, hook: Callable[[], Any]) -> None:
        current_cell.set(self)
        current_system.set(self.system)
        await hook()

    def _started(self, error: BaseException | None) -> None:
        if self.state != STARTING:
            return
        if error is not None:
            self.cause = error
            self.stop(f"its constructor raised {type(error).__name__}: {error}", run_hook=False)
            return
        self.state = ALIVE
        self._is_closed = False
        for method in self.definition.interface.methods.values():
            function = getattr(self.instance, method.name, None)
            if method.kind == ASYNC and asyncio.iscoroutinefunction(function):
                self._direct[method.name] = function
        self.system.loop.call_soon(self._pump)

    def stop(self, reason: str, run_hook: bool = True) -> None:
        """End the actor: what waits fails with ActorStopped, `on_stop` runs, the thread is given back."""
        if self.state in (STOPPING, STOPPED):
            return
        was_alive = self.state == ALIVE
        self.state = STOPPING
        self._is_closed = True
        self.reason = reason
        waiting = [*self.mailbox, *self.inbox]
        self.mailbox.clear()
        self.inbox.clear()
        for message in waiting:
            self._refuse(message.peer, message.number)
        for step, item in list(self.stepper.active.items()):
            self._refuse(item[0], item.number if type(item) is Message else item[1][1])
            step.cancel()
        hook = getattr(self.instance, "on_stop", None) if was_alive and run_hook else None
        if hook is None:
            self._stopped()
        else:
            self.system.background.start(self._stop_with(hook), f"on_stop of {self}")

    async def _stop_with(self, hook: Callable[[], Any]) -> None:
        try:
            if asyncio.iscoroutinefunction(hook):
                await self._in_context(hook)
            else:
                done = self.system.loop.create_future()

                def run() -> None:
                    try:
                        self._context.copy().run(hook)
                    except BaseException:
                        logger.exception("on_stop of %s failed", self)
                    self.system.post(done.set_result, None)

                (self.thread or self.system.threads.lease(self)).run(run)
                await done
        except Exception:
            logger.exception("on_stop of %s failed", self)
        finally:
            self._stopped()

    def _stopped(self) -> None:
        self.state = STOPPED
        self.system.threads.give_back(self)
        self.instance = None
        self._bound.clear()
        self._direct.clear()
        self.system.cell_stopped(self)
        for tell in self.on_stopped:
            tell(self)

    # ---- messages ---------------------------------------------------------------------------------------------

    def call(self, peer: Peer, m: list[Any]) -> None:
        """A plain call, ``[kind, number, key, method, *arguments]``: stepped here and now when the actor is idle."""
        function = self._direct.get(m[3])
        stepper = self.stepper
        if function is None or self.mailbox or self._is_closed or len(stepper.active) >= self._concurrency:
            self.deliver(peer, m[1], m[3], m[4:])
            return
        try:
            coroutine = function(*m[4:])
        except BaseException as error:  # the caller's arguments do not fit, or user code raised
            self._finished(self._message(peer, m), None, error)
            return
        stepper.run((peer, m), coroutine, self._context.copy())

    def _message(self, peer: Peer, m: list[Any]) -> Message:
        return Message(peer, m[1], self.definition.interface.methods[m[3]], m[4:], None, None)

    def deliver(
        self,
        peer: Peer,
        number: int | None,
        name: str,
        args: Any,
        kwargs: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
    ) -> None:
        """A call (or a tell, without a number) arrived. From a loop call-back."""
        method = self.definition.interface.methods.get(name)
        if method is None:
            self._no_method(peer, number, name)
            return
        if meta is not None:
            meta["arrived"] = self.system.recorder.clock()
            meta["ahead"] = self.mailbox_size
        message = Message(peer, number, method, args, kwargs, meta)
        if self.state != ALIVE:
            if self.state == STARTING:
                self._enqueue(self.mailbox, message)
            else:
                self._refuse(peer, number)
        elif self.mailbox or self._is_pumping:
            self._enqueue(self.mailbox, message)
        elif method.kind != ASYNC:
            if len(self.stepper.active) >= self._concurrency:
                self._enqueue(self.mailbox, message)
            else:
                self._enqueue(self.inbox, message)
                if not self.is_thread_busy:
                    self._on_thread(self._drain)
        elif self.is_thread_busy or len(self.stepper.active) >= self._concurrency:
            self._enqueue(self.mailbox, message)
        else:
            self._step(message)

    def _enqueue(self, queue: deque[Message], message: Message) -> None:
        limit = self.options.mailbox_max
        if len(self.mailbox) + len(self.inbox) >= limit:
            if message.number is not None:
                self.system.reply_error(message.peer, message.number, MailboxFull(str(self), limit))
            else:
                self.system.dead_letter(self, message.method.name, "mailbox full")
            return
        queue.append(message)

    def _pump(self) -> None:
        """Start whatever may start, in order."""
        if self._is_pumping:
            return
        self._is_pumping = self._is_closed = True
        try:
            mailbox = self.mailbox
            while mailbox and self.state == ALIVE:
                is_async = mailbox[0].method.kind == ASYNC
                if len(self.stepper.active) >= self._concurrency or (is_async and self.is_thread_busy):
                    return
                message = mailbox.popleft()
                if is_async:
                    self._step(message)
                else:
                    self.inbox.append(message)
                    if not self.is_thread_busy:
                        self._on_thread(self._drain)
        finally:
            self._is_pumping = False
            self._reopen()

    # ---- coroutines, on the loop ------------------------------------------------------------------------------

    def _step(self, message: Message) -> None:
        name = message.method.name
        context = self._context.copy()
        try:
            function = self._bound.get(name)
            if function is None:
                function = self._bound[name] = getattr(self.instance, name)
            args, kwargs = message.args, message.kwargs
            if callable(args):
                args, kwargs = context.run(args)
                coroutine = call_when_ready(function, args, kwargs)
            else:
                coroutine = function(*args)
        except BaseException as error:
            self._finished(message, None, error)
            return
        if message.meta is not None:
            context.run(begin_serving, self.system.recorder, message)
        self.stepper.run(message, coroutine, context)

    def _ended(self, item: Any, value: Any, error: BaseException | None) -> None:
        """A coroutine ended. The item of a plain call is its raw message, so that the usual case makes no other."""
        if type(item) is Message:
            self._finished(item, value, error)
            return
        peer, m = item
        connection = peer.calls
        if error is None and type(value) in _TINY and connection is not None and not self._is_closed and not self.mailbox:
            self.processed += 1
            try:
                connection.send(pack([_REPLY, m[1], value]))
                return
            except (OverflowError, PartisanError):  # beyond 64 bits, or a caller that does not read
                self.processed -= 1
        self._finished(self._message(peer, m), value, error)

    def _finished(self, message: Message, value: Any, error: BaseException | None) -> None:
        self.processed += 1
        number = message.number
        if number is not None and self.state in (ALIVE, STARTING):
            if error is None:
                self.system.reply(message.peer, number, value, self, message.method.name)
            else:
                self.system.reply_failed(message.peer, number, error, self, message.method.name)
        elif number is None and error is not None:
            self.system.tell_failed(self, message.method.name, error)
        if message.meta is not None:
            finish_serving(self.system.recorder, self, message, error)
        if self.mailbox:
            # Not here: this may be inside another message's step.
            self.system.loop.call_soon(self._pump)

    # ---- blocking methods, on the actor's thread --------------------------------------------------------------

    def _on_thread(self, job: Callable[[], None]) -> None:
        self.is_thread_busy = self._is_closed = True
        self.stepper.is_held = True
        (self.thread or self.system.threads.lease(self)).run(job)

    def _off_thread(self) -> None:
        self.is_thread_busy = False
        self._reopen()
        self.stepper.release()

    def _reopen(self) -> None:
        self._is_closed = self._is_pumping or self.is_thread_busy or self.state != ALIVE

    def _drain(self) -> None:
        """On the actor's thread: run everything in the inbox, then tell the loop."""
        inbox, system = self.inbox, self.system
        while True:
            try:
                message = inbox.popleft()
            except IndexError:
                break
            system.post_outcome(self, message, *self._invoke(message))
        system.post(self._drained)

    def _invoke(self, message: Message) -> tuple[Any, BaseException | None]:
        name = message.method.name
        context = self._context.copy()
        try:
            function = self._bound.get(name)
            if function is None:
                function = self._bound[name] = getattr(self.instance, name)
            args, kwargs = message.args, message.kwargs
            if callable(args):
                args, kwargs = context.run(args)
                args, kwargs = context.run(wait_for_arguments, args, kwargs)
            if message.meta is not None:
                context.run(begin_serving, self.system.recorder, message)
            if kwargs:
                return context.run(function, *args, **kwargs), None
            return context.run(function, *args), None
        except BaseException as error:
            return None, error

    def _drained(self) -> None:
        if self.inbox and self.state == ALIVE:
            self._on_thread(self._drain)  # something came while the thread was telling us
            return
        self._off_thread()
        if self.mailbox:
            self._pump()

    # ---- refusals ---------------------------------------------------------------------------------------------

    def _refuse(self, peer: Peer, number: int | None) -> None:
        if number is not None:
            self.system.reply_error(peer, number, self._stopped_error())

    def _stopped_error(self) -> PartisanError:
        error = ActorStopped(str(self), self.reason)
        error.__cause__ = self.cause
        return error

    def _no_method(self, peer: Peer, number: int | None, name: str) -> None:
        interface = self.definition.interface
        why = interface.refused.get(name, f"its methods are {', '.join(sorted(interface.methods))}")
        error = AttributeError(f"{interface.class_name} has no remote method {name!r}: {why}")
        if number is not None:
            self.system.reply_failed(peer, number, error, self, name)
        else:
            self.system.dead_letter(self, name, str(error))


def wait_for_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with the value in place of each top-level ref; blocks this thread until they are there."""
    return (
        tuple(value.result() if isinstance(value, Reply) else value for value in args),
        {name: value.result() if isinstance(value, Reply) else value for name, value in kwargs.items()},
    )


def call_when_ready(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The coroutine of a call whose top-level refs are first awaited."""
    if not any(isinstance(value, Reply) for value in (*args, *kwargs.values())):
        return function(*args, **kwargs)

    async def call() -> Any:
        ready = [await value if isinstance(value, Reply) else value for value in args]
        named = {name: await value if isinstance(value, Reply) else value for name, value in kwargs.items()}
        return await function(*ready, **named)

    return call()
