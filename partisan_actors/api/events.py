"""Nodes that come and go, for users: a function, a coroutine function, an actor's method, or ``async for``."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Final, TypeVar

from partisan_actors.actors.context import current_cell
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api import session
from partisan_actors.api.methods import ActorMethod
from partisan_actors.api.on_loop import on_loop
from partisan_actors.api.targets import EVENTS_MAX, method_of_running_actor, target_of, until_stopped
from partisan_actors.errors import Overloaded
from partisan_actors.node.events import DOWN, UP, NodeEvent

__all__ = ["NodeEvent", "NodeEvents", "node_events", "on_node_down", "on_node_up"]

T = TypeVar("T")

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
        self._cancel = on_loop(self._system, self._system.node.events.subscribe, self._add, (UP, DOWN), node, channel)
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


# ---- subscribing -----------------------------------------------------------------------------------------------------


def _subscribe(target: Any, kinds: Collection[str], node: str | None, channel: str | None) -> Callable[[], None]:
    system = session.system()
    method, cell = method_of_running_actor(system, target), current_cell.get()
    subscription = target_of(system, target, method)

    def begin() -> Callable[[], None]:
        subscription.cancel = cancel = system.node.events.subscribe(subscription.tell, kinds, node, channel)
        if method is None:
            return cancel
        return until_stopped(system, cell, cancel)

    cancel = on_loop(system, begin)
    return lambda: system.post(cancel)
