"""Actors whose calls run beside each other: concurrency groups, and blocking methods on several threads.

The rules this file keeps:

1. A group starts its messages in the order in which they arrived, at most `most` of them at once. A blocking method has
   a thread, a coroutine the node's loop.
2. Groups do not wait for each other: a coroutine of one goes on while a blocking method of another runs. Whoever wants
   that takes care of what the methods share.
3. What is in no group is handled as in a plain cell, except for an actor with blocking methods only and more than one
   of `max_concurrency`: there it is a group of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from partisan_actors.actors.actor import ASYNC, Definition, Interface, Method
from partisan_actors.actors.arguments import begin, invoke
from partisan_actors.actors.cell import ALIVE, STARTING, Cell
from partisan_actors.actors.interruptions import own_slot
from partisan_actors.actors.mailbox import Message
from partisan_actors.actors.reasons import ActorExit
from partisan_actors.actors.stepping import Stepper
from partisan_actors.actors.tracing import begin_serving
from partisan_actors.errors import ConfigError

if TYPE_CHECKING:
    from partisan_actors.actors.host import Host
    from partisan_actors.actors.options import CellOptions
    from partisan_actors.actors.threads import JobThread
    from partisan_actors.ids import ActorId
    from partisan_actors.node.router import Peer

__all__ = ["Group", "GroupedCell", "is_blocking", "make_cell"]

# Of one group, whatever its limit.
THREADS_MAX: Final = 1000
DEFAULT: Final = ""


def make_cell(system: Host, actor: ActorId, key: bytes, definition: Definition, options: CellOptions) -> Cell:
    """The cell that such an actor needs."""
    is_threaded = (options.max_concurrency or 1) > 1 and is_blocking(definition.interface)
    kind = GroupedCell if options.concurrency_groups or is_threaded else Cell
    return kind(system, actor, key, definition, options)


def is_blocking(interface: Interface) -> bool:
    """Whether all methods are: then its actors may have several threads."""
    return all(method.kind != ASYNC for method in interface.methods.values())


class _Worker:
    """A place of a group for one blocking method. It has a thread while it needs one, and then as long as it may."""

    __slots__ = ("__weakref__", "dedicated_thread", "message", "thread")

    def __init__(self) -> None:
        self.thread: JobThread | None = None
        self.dedicated_thread = False
        self.message: Message | None = None

    @property
    def is_thread_busy(self) -> bool:
        """Whether its thread has something to do."""
        return self.message is not None


class Group:
    """The messages of one group of one actor."""

    def __init__(self, cell: GroupedCell, most: int) -> None:
        self._cell = cell
        self._most = most
        self._threads_most = min(most, THREADS_MAX)
        self._running = 0
        self._is_pumping = False
        self.waiting: deque[Message] = deque()
        self.stepper = Stepper(cell.system.steps, self)
        self.workers: list[_Worker] = []
        self._idle: list[_Worker] = []

    def deliver(self, message: Message) -> None:
        """A message arrived."""
        cell = self._cell
        if cell.state == ALIVE and not self.waiting and not self._is_pumping and self._has_place(message):
            self._start(message)
        elif cell.mailbox_size >= cell.options.mailbox_max:
            cell.overflow(message)
        else:
            self.waiting.append(message)

    def pump(self) -> None:
        """Start whatever may start, in order."""
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            while self.waiting and self._cell.state == ALIVE and self._has_place(self.waiting[0]):
                self._start(self.waiting.popleft())
        finally:
            self._is_pumping = False

    @property
    def most(self) -> int:
        """How many it runs at once."""
        return self._most

    def resize(self, most: int) -> None:
        """Run at most so many at once from now on."""
        self._most, self._threads_most = most, min(most, THREADS_MAX)
        self.pump()

    def _has_place(self, message: Message) -> bool:
        if self._running >= self._most:
            return False
        return message.method.kind == ASYNC or bool(self._idle) or len(self.workers) < self._threads_most

    def _start(self, message: Message) -> None:
        self._running += 1
        if message.method.kind == ASYNC:
            self._step(message)
            return
        if self._idle:
            worker = self._idle.pop()
        else:
            worker = _Worker()
            self.workers.append(worker)
        worker.message = message
        self._cell.system.threads.lease(worker).run(partial(self._run, worker, message))

    # ---- coroutines -----------------------------------------------------------------------------------------------

    def _step(self, message: Message) -> None:
        cell = self._cell
        context = cell.new_context()
        if message.meta is not None:
            context.run(begin_serving, cell.system.recorder, message)
        if message.timing is not None:
            message.timing.begin()
        try:
            coroutine = begin(cell.system, cell, message, context)
        except BaseException as error:  # noqa: BLE001 - user code, or arguments that cannot be unpickled here
            self.ended(message, None, error)
            return
        self.stepper.run(message, coroutine, context)

    def ended(self, item: Message, value: Any, error: BaseException | None) -> None:
        """A coroutine has ended."""
        self._running -= 1
        self._cell.finished(item, value, error)
        if self.waiting:
            # Not here: this may be inside another message's step.
            self._cell.system.loop.call_soon(self.pump)

    def is_blocked(self) -> bool:
        """Never: see rule 2."""
        return False

    # ---- blocking methods -----------------------------------------------------------------------------------------

    def _run(self, worker: _Worker, message: Message) -> None:
        """On a thread."""
        cell = self._cell
        context = cell.new_context()
        if message.meta is not None:
            context.run(begin_serving, cell.system.recorder, message)
        if message.timing is not None:
            message.timing.begin()
        value, error = own_slot().run(message, context, partial(invoke, cell.system, cell, message, context))
        goes_by_loop = message.method.streams or isinstance(error, ActorExit)
        if not goes_by_loop:
            cell.system.outcome(cell, message, value, error, True)
        cell.system.post(self._ran, worker, message, value, error, goes_by_loop)

    def _ran(
        self, worker: _Worker, message: Message, value: Any, error: BaseException | None, goes_by_loop: bool
    ) -> None:
        worker.message = None
        self._running -= 1
        self._idle.append(worker)
        if goes_by_loop:
            self._cell.finished(message, value, error)
        self.pump()


class GroupedCell(Cell):
    """An actor with groups."""

    runs_alone = False
    __slots__ = ("_default", "_groups")

    def __init__(self, system: Host, actor: ActorId, key: bytes, definition: Definition, options: CellOptions) -> None:
        super().__init__(system, actor, key, definition, options)
        self._groups = {name: Group(self, most) for name, most in options.concurrency_groups.items()}
        self._default: Group | None = None
        if (options.max_concurrency or 1) > 1 and is_blocking(definition.interface):
            self._default = self._groups[DEFAULT] = Group(self, options.max_concurrency or 1)
        methods = definition.interface.methods
        # These are still stepped at once, as in any cell.
        ungrouped = (name for name in definition.coroutines if methods[name].options.concurrency_group is None)
        self._quick = self.meters.quick(frozenset(ungrouped))

    def deliver(
        self,
        peer: Peer,
        number: int | None,
        name: str,
        args: Any,
        kwargs: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
    ) -> None:
        """A call or a tell arrived."""
        method = self.definition.interface.methods.get(name)
        chosen = self._group_name(method, meta) if method is not None else None
        group = self._groups.get(chosen) if chosen is not None else self._default
        if method is None or (group is None and chosen is None):
            super().deliver(peer, number, name, args, kwargs, meta)
            return
        if meta is not None:
            meta["arrived"] = self.system.recorder.clock()
            meta["ahead"] = self.mailbox_size
        message = Message(peer, number, method, args, kwargs, meta, self.meters.of(number, name).arrived())
        if self.state not in (ALIVE, STARTING):
            self.undelivered(message, self.stopped_error())
        elif group is None:
            known = ", ".join(self.options.concurrency_groups) or "nothing, as this actor has none"
            self.refuse(message, ConfigError(f"concurrency_group of {name}", chosen, known))
        else:
            group.deliver(message)

    @property
    def default_group(self) -> Group | None:
        """Where methods of no group go, if that is a group."""
        return self._default

    def _group_name(self, method: Method, meta: dict[str, Any] | None) -> str | None:
        chosen = meta.get("group") if meta is not None else None
        return chosen if isinstance(chosen, str) else method.options.concurrency_group

    @property
    def mailbox_size(self) -> int:
        """How many messages wait."""
        return super().mailbox_size + sum(len(group.waiting) for group in self._groups.values())

    @property
    def is_thread_busy(self) -> bool:
        """Whether a thread of the actor's has something to do."""
        return super().is_thread_busy or bool(self.on_threads())

    def _pump(self) -> None:
        super()._pump()
        for group in self._groups.values():
            group.pump()

    def _stopped(self) -> None:
        for group in self._groups.values():
            for worker in group.workers:
                self.system.threads.give_back(worker)
        super()._stopped()

    # ---- what waits, and what runs --------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether there is no need to look what it does."""
        return False

    def waiting(self) -> list[Message]:
        """The messages that wait, in no order that counts."""
        return super().waiting() + [message for group in self._groups.values() for message in group.waiting]

    def take_out(self, is_wanted: Callable[[Message], bool]) -> list[Message]:
        """Take some of the waiting messages out: they are not handled."""
        taken = super().take_out(is_wanted)
        for group in self._groups.values():
            taken += [message for message in group.waiting if is_wanted(message)]
            group.waiting = deque(message for message in group.waiting if not is_wanted(message))
        return taken

    def empty_out(self) -> list[Message]:
        """The actor ends: what waits, and what runs on threads."""
        messages = super().empty_out()
        for group in self._groups.values():
            messages += group.waiting
            group.waiting.clear()
            messages += [worker.message for worker in group.workers if worker.message is not None]
        return messages

    def steppers(self) -> list[Stepper]:
        """What runs its coroutines."""
        return [*super().steppers(), *(group.stepper for group in self._groups.values())]

    def on_threads(self) -> list[Message]:
        """The messages that are handled on threads now."""
        workers = [worker for group in self._groups.values() for worker in group.workers]
        return super().on_threads() + [worker.message for worker in workers if worker.message is not None]
