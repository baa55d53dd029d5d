"""Nodes that come and go, for users: a function, a coroutine function, an actor's method, or ``async for``."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, TypeVar

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.context import current_cell
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api import session
from partisan_actors.api.actor import ActorMethod
from partisan_actors.errors import ActorStopped, NodeDown, NotYetConnected, Overloaded
from partisan_actors.node.events import DOWN, UP, NodeEvent

__all__ = ["NodeEvent", "NodeEvents", "node_events", "on_node_down", "on_node_up"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

# How many events may wait for one slow reader; the next one ends its subscription with Overloaded.
EVENTS_MAX: Final = 10_000
SUBSCRIBE_TIMEOUT_S: Final = 10.0


def on_node_up(
    target: Callable[[NodeEvent], Any] | ActorMethod[..., Any], *, node: str | None = None, channel: str | None = None
) -> Callable[[], None]:
    """Tell `target` of every node that comes up from now on, or only of `node`. Returns what cancels that.

    `node` is a name, or an id (`name~incarnation`) for one life of it alone. With `channel`, it is told of the first
    connection of that channel to a node instead. `target` is called with a `NodeEvent`, once for each transition and in
    order, and is

    * a method of an actor, `handle.method`, or `self.method` in the actor itself: it comes through the mailbox, and
      ends with the actor;
    * a coroutine function: it runs on the node's loop, one event after the other;
    * any other function: it runs on a thread that all such functions share, so it may block, but not for long.

    What it raises is logged. Who has 10 000 events waiting is not told of more. Raises ConfigError for an unknown
    channel, TypeError for what cannot be called.
    """
    return _subscribe(target, (UP,), node, channel)


def on_node_down(
    target: Callable[[NodeEvent], Any] | ActorMethod[..., Any], *, node: str | None = None, channel: str | None = None
) -> Callable[[], None]:
    """Tell `target` of every node that goes down or leaves from now on, as `on_node_up` does.

    When a `node` is named that is not up now, `target` is told so at once.
    """
    return _subscribe(target, (DOWN,), node, channel)


def node_events(*, node: str | None = None, channel: str | None = None) -> NodeEvents:
    """What comes and goes from now on, for ``async for``: of all nodes, or of one that is named; see `on_node_up`.

    A named node that is not up now is told down first. Raises ConfigError for an unknown channel.
    """
    events = NodeEvents(session.system())
    events._begin(node, channel)
    return events


class NodeEvents:
    """An async iterator of `NodeEvent`s, on any loop, that ends with `close()`, its ``with`` block, or the node.

    At 10 000 events that nobody has read, it raises Overloaded after them, and ends.
    """

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._events: deque[NodeEvent] = deque()
        self._lock = threading.Lock()
        self._waiting: list[asyncio.Future[None]] = []
        self._error: Exception | None = None
        self._cancel: Callable[[], None] | None = None

    def _begin(self, node: str | None, channel: str | None) -> None:
        self._cancel = _on_loop(self._system, self._system.node.events.subscribe, self._add, (UP, DOWN), node, channel)
        self._system.on_close.append(self.close)

    def close(self) -> None:
        """End it: events that wait are still read, and then the iteration stops. From any thread; may be repeated."""
        self._end(StopAsyncIteration())

    def __enter__(self) -> NodeEvents:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> NodeEvents:
        return self

    async def __anext__(self) -> NodeEvent:
        while True:
            with self._lock:
                if self._events:
                    return self._events.popleft()
                if self._error is not None:
                    error, self._error = self._error, StopAsyncIteration()
                    raise error
                future = asyncio.get_running_loop().create_future()
                self._waiting.append(future)
            try:
                await future
            finally:
                with self._lock, contextlib.suppress(ValueError):
                    self._waiting.remove(future)

    def _add(self, event: NodeEvent) -> None:
        with self._lock:
            if self._error is not None:
                return
            is_full = len(self._events) >= EVENTS_MAX
            if not is_full:
                self._events.append(event)
            self._wake()
        if is_full:
            self._end(Overloaded("whoever reads node events", EVENTS_MAX))

    def _end(self, error: Exception) -> None:
        with self._lock:
            if self._error is not None:
                return
            self._error = error
            self._wake()
        with contextlib.suppress(ValueError):
            self._system.on_close.remove(self.close)
        if self._cancel is not None:
            self._system.post(self._cancel)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            with contextlib.suppress(RuntimeError):  # the reader's loop has ended
                future.get_loop().call_soon_threadsafe(_resolve, future)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


# ---- targets ---------------------------------------------------------------------------------------------------------


def _subscribe(target: Any, kinds: Collection[str], node: str | None, channel: str | None) -> Callable[[], None]:
    system = session.system()
    method, cell = _method_of_running_actor(system, target), current_cell.get()
    subscription: _ToActor | _ToFunction
    if method is not None or isinstance(target, ActorMethod):
        subscription = _ToActor(method or target)
    elif callable(target):
        subscription = _ToFunction(system, target)
    else:
        raise TypeError(f"node events go to a function or an actor's method, not to a {type(target).__name__}")

    def begin() -> Callable[[], None]:
        subscription.cancel = cancel = system.node.events.subscribe(subscription.tell, kinds, node, channel)
        if method is None:
            return cancel
        return _until_stopped(system, cell, cancel)

    cancel = _on_loop(system, begin)
    return lambda: system.post(cancel)


def _until_stopped(system: ActorSystem, cell: object, cancel: Callable[[], None]) -> Callable[[], None]:
    """Cancel when that actor of this node has ended. Returns what cancels before."""

    def cancel_and_forget() -> None:
        cancel()
        with contextlib.suppress(ValueError):
            system.on_cell_stopped.remove(stopped)

    def stopped(ended: Cell) -> None:
        if ended is cell:
            cancel_and_forget()

    system.on_cell_stopped.append(stopped)
    return cancel_and_forget


def _method_of_running_actor(system: ActorSystem, target: Any) -> ActorMethod[..., Any] | None:
    """`self.method`, in an actor's own code, means its mailbox: nobody else runs an actor's methods."""
    cell, instance = current_cell.get(), getattr(target, "__self__", None)
    if not isinstance(cell, Cell) or type(instance) is not cell.definition.cls:
        return None
    interface, options = cell.definition.interface, cell.options
    method = interface.methods.get(getattr(target, "__name__", ""))
    if method is None:
        raise TypeError(f"{interface.class_name} has no remote method of that name to tell of nodes")
    location = system.location(cell.actor, interface.class_name, options.name, False, system.me)
    return ActorMethod(system, location, method)


class _ToActor:
    """Tells a method of an actor, until the actor is known to have ended."""

    def __init__(self, method: ActorMethod[..., Any]) -> None:
        self._method = method
        self.cancel: Callable[[], None] = lambda: None

    def tell(self, event: NodeEvent) -> None:
        """An event happened."""
        try:
            if self._method._location.error is not None:
                raise self._method._location.error
            self._method.tell(event)
        except (ActorStopped, NodeDown, NotYetConnected) as error:
            logger.info("%r is not told of nodes any more: %s", self._method, error)
            self.cancel()


class _ToFunction:
    """Calls a function, or a coroutine function, one event after the other, in the context of who subscribed it."""

    def __init__(self, system: ActorSystem, function: Callable[[NodeEvent], Any]) -> None:
        self._system = system
        self._function = function
        self._context = contextvars.copy_context()
        self._is_async = inspect.iscoroutinefunction(function)
        self._waiting: deque[NodeEvent] = deque()
        self._is_running = False
        self._lock = threading.Lock()
        self.cancel: Callable[[], None] = lambda: None

    def tell(self, event: NodeEvent) -> None:
        """An event happened."""
        with self._lock:
            if len(self._waiting) >= EVENTS_MAX:
                logger.error("%r has %d node events waiting and is told of no more", self._function, EVENTS_MAX)
                self.cancel()
                return
            self._waiting.append(event)
            if self._is_running:
                return
            self._is_running = True
        if self._is_async:
            self._system.background.start(self._run_async(), "tell of nodes", self._context)
        else:
            _thread_of(self._system).call(self._run)

    def _next(self) -> NodeEvent | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._is_running = False
            return None

    def _run(self) -> None:
        while (event := self._next()) is not None:
            try:
                self._context.run(self._function, event)
            except Exception:
                logger.exception("%r, told that %s is %s, raised", self._function, event.id, event.kind)

    async def _run_async(self) -> None:
        while (event := self._next()) is not None:
            try:
                await self._function(event)
            except Exception:
                logger.exception("%r, told that %s is %s, raised", self._function, event.id, event.kind)


class _Thread:
    """A daemon thread for functions that may block, started with the first of them, and ended with the node."""

    def __init__(self, name: str) -> None:
        self._calls: deque[Callable[[], None] | None] = deque()
        self._ready = threading.Semaphore(0)
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def call(self, function: Callable[[], None] | None) -> None:
        """Call it on the thread, after the others; None ends the thread."""
        self._calls.append(function)
        self._ready.release()

    def _work(self) -> None:
        while self._ready.acquire() and (call := self._calls.popleft()) is not None:
            call()


def _thread_of(system: ActorSystem) -> _Thread:
    thread: _Thread | None = system.extensions.get("node events")
    if thread is None:
        thread = system.extensions["node events"] = _Thread(f"{system.me.name}-node-events")
        system.on_close.append(lambda: thread.call(None))
    return thread


def _on_loop(system: ActorSystem, call: Callable[..., T], *args: Any) -> T:
    """Call on the node's loop, and wait for what it returns or raises."""
    if threading.get_ident() == system.thread_id:
        return call(*args)
    if system.closed is not None:
        raise system.closed
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(call(*args))
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            outcome.set_exception(error)

    system.post(run)
    return outcome.result(SUBSCRIBE_TIMEOUT_S)
