"""Who is told of what happens: an actor's method, a coroutine function, or a function on a thread."""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.context import current_cell
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api.methods import ActorMethod
from partisan_actors.errors import ActorStopped, NodeDown, NotYetConnected

__all__ = ["EVENTS_MAX", "Target", "method_of_running_actor", "target_of", "until_stopped"]

logger = logging.getLogger(__name__)

# How many events may wait for one slow target; the next one ends its subscription.
EVENTS_MAX: Final = 10_000


def target_of(system: ActorSystem, target: Any, method: ActorMethod[..., Any] | None) -> Target:
    """What tells `target`; `method` is the method of the running actor that it is, if it is one. Raises TypeError."""
    if method is not None or isinstance(target, ActorMethod):
        return _ToActor(method or target)
    if callable(target):
        return _ToFunction(system, target)
    raise TypeError(f"events go to a function or an actor's method, not to a {type(target).__name__}")


def method_of_running_actor(system: ActorSystem, target: Any) -> ActorMethod[..., Any] | None:
    """`self.method`, in an actor's own code, means its mailbox: nobody else runs an actor's methods."""
    cell, instance = current_cell.get(), getattr(target, "__self__", None)
    if not isinstance(cell, Cell) or type(instance) is not cell.definition.cls:
        return None
    interface, options = cell.definition.interface, cell.options
    method = interface.methods.get(getattr(target, "__name__", ""))
    if method is None:
        raise TypeError(f"{interface.class_name} has no remote method of that name to tell of events")
    location = system.location(cell.actor, interface.class_name, options.name, False, system.me)
    return ActorMethod(system, location, method)


def until_stopped(system: ActorSystem, cell: object, cancel: Callable[[], None]) -> Callable[[], None]:
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


class Target(Protocol):
    """Somebody to be told, in order; it calls `cancel` when nothing more can be told."""

    cancel: Callable[[], None]

    def tell(self, event: Any) -> None:
        """An event happened. On the node's loop."""
        ...


class _ToActor:
    """Tells a method of an actor, until the actor is known to have ended."""

    def __init__(self, method: ActorMethod[..., Any]) -> None:
        self._method = method
        self.cancel: Callable[[], None] = lambda: None

    def tell(self, event: Any) -> None:
        """An event happened."""
        try:
            if self._method._location.error is not None:
                raise self._method._location.error
            self._method.tell(event)
        except (ActorStopped, NodeDown, NotYetConnected) as error:
            logger.info("%r is told no more: %s", self._method, error)
            self.cancel()


class _ToFunction:
    """Calls a function, or a coroutine function, one event after the other, in the context of who subscribed it."""

    def __init__(self, system: ActorSystem, function: Callable[[Any], Any]) -> None:
        self._system = system
        self._function = function
        self._context = contextvars.copy_context()
        self._is_async = inspect.iscoroutinefunction(function)
        self._waiting: deque[Any] = deque()
        self._is_running = False
        self._lock = threading.Lock()
        self.cancel: Callable[[], None] = lambda: None

    def tell(self, event: Any) -> None:
        """An event happened."""
        with self._lock:
            if len(self._waiting) >= EVENTS_MAX:
                logger.error("%r has %d events waiting and is told no more", self._function, EVENTS_MAX)
                self.cancel()
                return
            self._waiting.append(event)
            if self._is_running:
                return
            self._is_running = True
        if self._is_async:
            self._system.background.start(self._run_async(), "tell of events", self._context)
        else:
            _thread_of(self._system).call(self._run)

    def _next(self) -> tuple[Any] | None:
        with self._lock:
            if self._waiting:
                return (self._waiting.popleft(),)
            self._is_running = False
            return None

    def _run(self) -> None:
        while (found := self._next()) is not None:
            try:
                self._context.run(self._function, *found)
            except Exception:
                logger.exception("%r, told of %s, raised", self._function, *found)

    async def _run_async(self) -> None:
        while (found := self._next()) is not None:
            try:
                await self._function(*found)
            except Exception:
                logger.exception("%r, told of %s, raised", self._function, *found)


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
    thread: _Thread | None = system.extensions.get("events")
    if thread is None:
        thread = system.extensions["events"] = _Thread(f"{system.me.name}-node-events")
        system.on_close.append(lambda: thread.call(None))
    return thread
