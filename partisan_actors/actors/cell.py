"""The loop that runs one actor: a mailbox, one blocking method at a time on a thread, coroutines in between.

The rules this file keeps:

1. Messages start in the order they arrived. A blocking method runs alone: the next message starts when it has
   returned, and coroutines of this actor that wait are not resumed meanwhile. A coroutine that waits lets the next
   message start; at most `max_concurrency` are in progress.
2. A plain call to an idle actor makes no task and no effect: it is stepped here, inside the loop's own call-back.
3. The constructor and `on_start` run first, `on_stop` last, on the actor's thread when they block.
4. Whatever ends the cell, everyone who waits for a reply hears why, and later callers too.
5. State belongs to the loop's thread; the actor's own thread touches the `Inbox`, the instance, and nothing else.
6. An idle actor is small (thousands per node): what it does not use now, it does not hold.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from sys import getrefcount
from typing import Any, Final

from partisan_actors.actors.actor import ASYNC, Definition
from partisan_actors.actors.arguments import begin, invoke
from partisan_actors.actors.context import current_cell, current_owner, current_system
from partisan_actors.actors.hooks import construct, has_no_constructor, run_hook, run_stop_hook
from partisan_actors.actors.host import Host
from partisan_actors.actors.interruptions import own_slot
from partisan_actors.actors.made_calls import begin_noting
from partisan_actors.actors.mailbox import Inbox, Message
from partisan_actors.actors.options import CellOptions
from partisan_actors.actors.reasons import ActorExit, raised
from partisan_actors.actors.ref import described
from partisan_actors.actors.refusing import STOPPED, STOPPING
from partisan_actors.actors.stepping import UNSHARED, Stepper, enter_task, leave_task
from partisan_actors.actors.threads import JobThread
from partisan_actors.actors.traced_calls import NO_SITES, TINY, TakingTraced
from partisan_actors.actors.tracing import ActivationTrace, begin_serving, finish_serving
from partisan_actors.errors import PartisanError
from partisan_actors.ids import ActorId
from partisan_actors.node.router import Peer
from partisan_actors.telemetry.context import NOT_SAMPLED, current_context
from partisan_actors.telemetry.meters import NEVER_QUICK
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

__all__ = ["Cell"]

STARTING: Final = "starting"
ALIVE: Final = "alive"
FINISHING: Final = "finishing"

ASYNC_CONCURRENCY: Final = 1000

_REPLY: Final = Kind.REPLY
_EMPTY: Final = ()


class Cell(TakingTraced):
    """One actor of this node."""

    runs_alone = True
    __slots__ = (
        "_concurrency",
        "_copy_context",
        "_inbox",
        "_is_closed",
        "_is_pumping",
        "_quick",
        "actor",
        "cause",
        "dedicated_thread",
        "definition",
        "exit",
        "instance",
        "key",
        "mailbox",
        "meters",
        "options",
        "processed",
        "reason",
        "state",
        "stepper",
        "system",
        "thread",
    )

    def __init__(self, system: Host, actor: ActorId, key: bytes, definition: Definition, options: CellOptions) -> None:
        self.system = system
        self.actor = actor
        self.key = key
        self.definition = definition
        self.options = options
        self.state = STARTING
        self.reason = ""
        # What the constructor or `on_start` raised, as callers get it.
        self.cause: PartisanError | None = None
        # What ended it, raised by a blocking method of its own, until the loop knows.
        self.exit: ActorExit | None = None
        self.instance: Any = None
        self.processed = 0
        self.thread: JobThread | None = None
        self.dedicated_thread = options.dedicated_thread
        self.mailbox: deque[Message] | tuple[()] = _EMPTY
        self.stepper = Stepper(system.steps, self)
        self._inbox: Inbox | None = None
        self._concurrency = options.max_concurrency or ASYNC_CONCURRENCY
        context = Context()
        context.run(current_cell.set, self)
        context.run(current_system.set, system)
        context.run(current_owner.set, options.owner)
        context.run(begin_noting)
        if system.recorder.unasked is not None or options.tracing == "off":
            context.run(current_context.set, NOT_SAMPLED)
        self._copy_context = context.copy
        self.meters = system.meters.of_class(definition.interface.class_name)
        self._quick = self.meters.quick(definition.coroutines)
        self._sites, self.times = NO_SITES, None
        self._is_pumping = False
        # Whether a coroutine must not be started at once, for reasons other than a blocking method.
        self._is_closed = True

    def __str__(self) -> str:
        return described(self.definition.interface.class_name, self.options.name, self.actor)

    @property
    def mailbox_size(self) -> int:
        """How many messages wait."""
        return len(self.mailbox) + (len(self._inbox) if self._inbox is not None else 0)

    @property
    def is_thread_busy(self) -> bool:
        """Whether the actor's thread has something to do."""
        return self._inbox is not None and self._inbox.is_busy

    def is_blocked(self) -> bool:
        """Whether a blocking method runs, or is about to."""
        return self._inbox is not None and self._inbox.is_blocked

    # ---- life -------------------------------------------------------------------------------------------------

    def start(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Construct the instance; messages that arrive meanwhile wait. Called once, from a loop call-back."""
        cls = self.definition.cls
        hook = getattr(cls, "on_start", None)
        context, trace = self._copy_context(), self.options.trace
        recorder = self.system.recorder
        activation = ActivationTrace(recorder, trace, context) if trace and recorder.enabled else None
        if hook is None and has_no_constructor(cls):
            self.instance = cls()
            self._started(None, activation)
            return

        def make() -> None:
            self.system.post(self._constructed, activation, context, *construct(context, cls, hook, args, kwargs))

        self._inbox = Inbox()
        self._inbox.claim()
        self._lease().run(make)

    def _constructed(
        self, activation: ActivationTrace | None, context: Context, instance: Any, error: BaseException | None
    ) -> None:
        # Nothing is in it yet: what arrived meanwhile waits in the mailbox. It is made again when it is needed.
        self._inbox = None
        self.instance = instance
        hook = getattr(instance, "on_start", None)
        if error is None and inspect.iscoroutinefunction(hook):
            self.system.background.start(self._start_async(hook, activation, context), f"on_start of {self}")
        else:
            self._started(error, activation)

    async def _start_async(self, hook: Callable[[], Any], activation: ActivationTrace | None, context: Context) -> None:
        error = await run_hook(context.copy(), hook)
        self.system.loop.call_soon(self._started, error, activation)

    def _started(self, error: BaseException | None, activation: ActivationTrace | None) -> None:
        if activation is not None:
            activation.finished(self, self.options.life, error)
        if self.state != STARTING:
            return
        if error is not None:
            is_exit = isinstance(error, ActorExit)
            self.cause = None if is_exit else self.system.failed_to_start(self, error)
            self.stop(raised(error), run_hook=False)
            return
        self.state = ALIVE
        self._is_closed = False
        self._pump()

    def stop(self, reason: str, run_hook: bool = True, *, finishes: bool = False) -> None:
        """End the actor: what waits fails with ActorStopped, `on_stop` runs, the thread is given back.

        One that `finishes` lets its coroutines that run come to their ends before; all others are cancelled.
        """
        if self.is_ending:
            return
        was_alive = self.state in (ALIVE, FINISHING)
        self.state = FINISHING if finishes and was_alive and self.has_coroutines else STOPPING
        self._is_closed = True
        self.reason = reason
        # What runs on a thread goes on, as that cannot be stopped; its caller is told now, and its reply finds nobody.
        self.refuse_all()
        if self.state == FINISHING:
            return
        for stepper in self.steppers():
            for step, item in list(stepper.active.items()):
                self.refuse(item, self.stopped_error())
                step.cancel()
        hook = getattr(self.instance, "on_stop", None) if was_alive and run_hook else None
        if hook is None:
            self._stopped()
        else:
            stopping = run_stop_hook(self, hook, self._copy_context(), self._stopped)
            self.system.background.start(stopping, f"on_stop of {self}")

    def _stopped(self) -> None:
        self.state = STOPPED
        self.system.threads.give_back(self)
        self.instance = None
        self.system.cell_stopped(self)

    def _lease(self) -> JobThread:
        return self.system.threads.lease(self)

    def new_context(self) -> Context:
        """What a message is handled in."""
        return self._copy_context()

    # ---- messages ---------------------------------------------------------------------------------------------

    def call(self, peer: Peer, m: list[Any]) -> None:
        """A plain call, ``[kind, number, key, method, *arguments]``: stepped here and now when the actor is idle.

        The hot path: `deliver`, `Stepper.run` and `ended` spelled out for the usual case, in one function.
        """
        name = m[3]
        stepper = self.stepper
        meter = self._quick.get(name, NEVER_QUICK)
        left = meter.left
        if (
            not left
            or self._is_closed
            or self.mailbox
            or (stepper.active and len(stepper.active) >= self._concurrency)
            or (self._inbox is not None and self.is_blocked())
        ):
            self.deliver(peer, m[1], name, m[4:])
            return
        meter.left = left - 1  # counted, and not timed: see `Meter.arrived`
        try:
            method = getattr(self.instance, name)
            coroutine = method(m[4]) if len(m) == 5 else method(*m[4:])  # one argument saves a list and a tuple
        except BaseException as error:  # noqa: BLE001 - arguments that do not fit, or a decorator of the user's
            self.finished(self._message(peer, m), None, error)
            return
        steps = stepper.steps
        step = steps.spare or steps.make_spare()
        loop = steps.loop
        context = self._copy_context()
        enter_task(loop, step)
        try:
            yielded = context.run(coroutine.send, None)
        except StopIteration as stop:
            leave_task(loop, step)
            value = stop.value
            if getrefcount(step) > UNSHARED:
                steps.retire(step)
            connection = peer.calls
            if type(value) in TINY and connection is not None and not self._is_closed:
                try:
                    connection.send(pack([_REPLY, m[1], value]))
                except (OverflowError, PartisanError):  # beyond 64 bits, or a caller that does not read
                    self.finished(self._message(peer, m), value, None)
                else:
                    self.processed += 1
            else:
                self.finished(self._message(peer, m), value, None)
        except BaseException as error:  # noqa: BLE001 - user code: whatever it raises is the caller's
            leave_task(loop, step)
            steps.retire(step)
            self.finished(self._message(peer, m), None, error)
        else:
            leave_task(loop, step)
            step.adopt(stepper, self._message(peer, m), coroutine, context, yielded)

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
            if not self.system.signal(self, peer, number, name, args):
                self.no_method(peer, number, name)
            return
        if meta is not None:
            meta["arrived"] = self.system.recorder.clock()
            if self.mailbox or self._inbox is not None:
                meta["ahead"] = self.mailbox_size
        message = Message(peer, number, method, args, kwargs, meta, self.meters.of(number, name).arrived())
        if self.state not in (ALIVE, STARTING):
            self.undelivered(message, self.stopped_error())
        elif self._is_closed or self.mailbox or len(self.stepper.active) >= self._concurrency:
            self._enqueue(message)
        elif method.kind != ASYNC:
            self._send_to_thread(message)
        elif self.is_blocked():
            self._enqueue(message)
            if not self.is_blocked():
                self._pump()  # the thread became free after we looked, and did not see the message
        else:
            self._step(message)

    def _enqueue(self, message: Message) -> None:
        if self.mailbox_size >= self.options.mailbox_max:
            self.overflow(message)
            return
        if not self.mailbox:
            self.mailbox = deque()
        assert isinstance(self.mailbox, deque)
        self.mailbox.append(message)

    def _pump(self) -> None:
        """Start whatever may start, in order."""
        if self._is_pumping or self.state != ALIVE:
            return
        self._is_pumping = self._is_closed = True
        try:
            while isinstance(self.mailbox, deque) and self.state == ALIVE:
                is_async = self.mailbox[0].method.kind == ASYNC
                if len(self.stepper.active) >= self._concurrency or (is_async and self.is_blocked()):
                    break
                message = self.mailbox.popleft()
                if not self.mailbox:
                    self.mailbox = _EMPTY
                if is_async:
                    self._step(message)
                else:
                    self._send_to_thread(message)
        finally:
            self._is_pumping = False
            self._is_closed = self.state != ALIVE

    # ---- coroutines, on the loop ------------------------------------------------------------------------------

    def _step(self, message: Message) -> None:
        context = self._copy_context()
        if message.meta is not None:
            context.run(begin_serving, self.system.recorder, message)
        if message.timing is not None:
            message.timing.begin()
        try:
            coroutine = begin(self.system, self, message, context)
        except BaseException as error:  # noqa: BLE001 - user code, or arguments that cannot be unpickled here
            self.finished(message, None, error)
            return
        self.stepper.run(message, coroutine, context)

    def ended(self, item: Message, value: Any, error: BaseException | None) -> None:
        """A coroutine that had to wait, or that was not called plainly, has ended."""
        self.finished(item, value, error)

    def finished(self, message: Message, value: Any, error: BaseException | None) -> None:
        """A message was handled: it is answered."""
        self.processed += 1
        if message.timing is not None:
            self.timed(message.timing, error)
        if isinstance(error, ActorExit):
            self.stop(raised(error), finishes=True)
            self.refuse(message, self.stopped_error())
            return
        number = message.number
        if error is not None and not self.is_ending:
            self.count_error(message)
        if number is None:
            if error is not None and self.state in (ALIVE, STARTING):
                self.system.tell_failed(self, message.method.name, error)
        elif self.state in (ALIVE, STARTING, FINISHING):
            if error is None:
                self.system.reply(message, number, value, self)
            else:
                self.system.reply_failed(message.peer, number, error, self, message.method.name)
        if message.meta is not None:
            finish_serving(self.system.recorder, self, message, error)
        if self.mailbox:
            # Not here: this may be inside another message's step.
            self.system.loop.call_soon(self._pump)
        elif self.state == FINISHING and not self.has_coroutines:
            self.stop(self.reason)

    # ---- blocking methods, on the actor's thread --------------------------------------------------------------

    def _send_to_thread(self, message: Message) -> None:
        inbox = self._inbox
        if inbox is None:
            inbox = self._inbox = Inbox()
        elif len(inbox) >= self.options.mailbox_max:
            self.overflow(message)
            return
        if inbox.put(message):
            self.send_to_thread()

    def send_to_thread(self) -> None:
        """Have the actor's thread look at its inbox."""
        self._lease().run(self._drain)

    def _drain(self) -> None:
        """On the actor's thread."""
        inbox = self._inbox
        assert inbox is not None
        inbox.drain(self._run)
        if self.mailbox or self.stepper.held:
            self.system.post(self._unblocked)

    def _run(self, message: Message, is_last: bool) -> None:
        if self.exit is None:
            context = self._copy_context()
            if message.meta is not None:
                context.run(begin_serving, self.system.recorder, message)
            if message.timing is not None:
                message.timing.begin()
            value, error = own_slot().run(message, context, partial(invoke, self.system, self, message, context))
            if message.method.streams and not isinstance(error, ActorExit):
                # By way of the loop, as its items: so the answer is behind them.
                self.system.post(self.finished, message, value, error)
                return
            if not isinstance(error, ActorExit):
                self.system.outcome(self, message, value, error, is_last)
                return
            self.exit = error
        # Nothing runs after the method that ended the actor.
        assert self._inbox is not None
        self._inbox.running = None
        self.system.post(self.finished, message, None, self.exit)

    def _unblocked(self) -> None:
        if not self.is_blocked():
            self.stepper.release()
            self._pump()
