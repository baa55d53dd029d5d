"""Topics for users: values broadcast to whoever subscribes, anywhere in the cluster.

A value is pickled once, by whoever broadcasts it, and unpickled by each subscriber where it is used: two of them never
share an object. Who subscribes decides where that is:

* a method of the running actor gets each value through the actor's mailbox, as a tell of the node itself;
* a coroutine function is awaited on the node's loop, one value after the other;
* any other function is called on a thread that the subscription has to itself, one value after the other.

At `BACKLOG_MAX` values that wait for one subscriber (an actor: at its own `mailbox_max`), the next is dropped for it,
counted and logged. What a subscriber raises is logged and counted, and nobody else is concerned.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context
from types import TracebackType
from typing import Any, Final

from partisan_actors.actors.back_pressure import CLOGGED_BYTES
from partisan_actors.actors.cell import Cell
from partisan_actors.actors.context import current_cell, current_system
from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.threads import ActorThread
from partisan_actors.errors import ConfigError, Overloaded
from partisan_actors.ids import NodeId
from partisan_actors.node.topic_spans import Published
from partisan_actors.node.topics import check_topic
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.wire.channels import BROADCAST
from partisan_actors.wire.payload import decode, encode_whole

__all__ = ["BACKLOG_MAX", "VALUE_BYTES_MAX", "Subscription", "Subscriptions"]

logger = logging.getLogger(__name__)

# A broadcast is kept by every node for a while, and goes through those that have no use for it.
VALUE_BYTES_MAX: Final = 1024 * 1024
BACKLOG_MAX: Final = 10_000
# What other threads may have broadcast before the loop has come to it.
POSTED_MAX: Final = 4096


class Subscription:
    """What `subscribe` returns: `cancel()` it, or use it as ``with``, to hear no more of its topic."""

    def __init__(self, topic: str, name: str) -> None:
        self.topic = topic
        self.dropped = 0  # values that did not fit into the backlog
        self.failed = 0  # values for which the subscriber raised, or that could not be unpickled here
        self.is_cancelled = False
        self._name = name
        self._end: Callable[[], None] = lambda: None

    def cancel(self) -> None:
        """Hear no more: values that wait are dropped; one that is being handled is finished. May be called twice."""
        if not self.is_cancelled:
            self.is_cancelled = True
            self._end()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def __repr__(self) -> str:
        return f"<subscription of {self._name} to {self.topic!r}{', cancelled' if self.is_cancelled else ''}>"

    def _overflowed(self) -> None:
        self.dropped += 1
        if self.dropped & (self.dropped - 1) == 0:  # the first, second, fourth ...: a flood must not flood the log
            logger.warning("%d values dropped for %r: %d wait already", self.dropped, self, BACKLOG_MAX)

    def _raised(self, error: BaseException) -> None:
        self.failed += 1
        logger.error("%r raised", self, exc_info=error)


class Subscriptions:
    """The broadcasts and subscriptions of one actor system. Any thread may use it."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._topics = system.node.topics
        self._context = Context()
        self._context.run(current_system.set, system)
        self._lock = threading.Lock()
        self._live: dict[Subscription, bytes | None] = {}  # with the key of the actor whose they are
        self._posted = 0  # broadcasts of other threads that the loop has not come to, and their bytes
        self._posted_bytes = 0
        self._is_slow = False  # whether a neighbour was, when that was last looked at
        system.on_cell_stopped.append(self._cell_stopped)

    # ---- broadcasting -----------------------------------------------------------------------------------------

    def broadcast(self, topic: str, value: Any, *, channel: str = BROADCAST, to_self: bool = True) -> None:
        """Send a copy of `value` to every subscriber of `topic`. Returns when it is on its way.

        Raises ConfigError for a bad topic or channel and for a value that is too large, SerializationError for one that
        cannot be sent, Overloaded on an event loop while a neighbour reads too slowly; a thread waits then.
        """
        system = self._system
        if system.closed is not None:
            raise system.closed
        check_topic(topic)
        self._topics.check_channel(channel)
        what = f"the value broadcast under {topic!r}"
        body = encode_whole(value, what)
        if len(body) > VALUE_BYTES_MAX:
            allowed = f"at most {VALUE_BYTES_MAX} bytes: put() the value, and broadcast the ref"
            raise ConfigError(f"size of {what}", len(body), allowed)
        if threading.get_ident() == system.thread_id:
            self._look(channel)  # for the threads too
            self._topics.broadcast(topic, body, channel=channel, to_self=to_self)
            return
        is_on_loop = asyncio._get_running_loop() is not None
        if is_on_loop and self._must_wait():
            system.post(self._look, channel)
            raise Overloaded("a neighbour of this node", CLOGGED_BYTES)
        with self._lock:
            self._posted += 1
            self._posted_bytes += len(body)
        # The span begins where the value is broadcast: the loop knows nothing of the code that does.
        system.post(self._send, topic, body, channel, to_self, self._topics.spans.begin())
        if not is_on_loop and self._must_wait():
            asyncio.run_coroutine_threadsafe(self._wait_unclogged(channel), system.loop).result()

    def _must_wait(self) -> bool:
        return self._is_slow or self._posted >= POSTED_MAX or self._posted_bytes > CLOGGED_BYTES

    def _send(self, topic: str, body: bytes, channel: str, to_self: bool, published: Published | None) -> None:
        with self._lock:
            self._posted -= 1
            self._posted_bytes -= len(body)
        self._topics.send(topic, body, channel, to_self, published)
        self._look(channel)

    def _look(self, channel: str) -> None:
        self._is_slow = self._topics.clogged(channel) is not None

    async def _wait_unclogged(self, channel: str) -> None:
        while (slow := self._topics.clogged(channel)) is not None:
            await slow.wait_unclogged()
        self._is_slow = False

    # ---- subscribing ------------------------------------------------------------------------------------------

    def subscribe(self, topic: str, callback: Callable[[Any], object]) -> Subscription:
        """Have `callback` called with every value that is broadcast under `topic` from now on.

        Raises ConfigError for a bad topic, for what cannot be called, and for a method of the running actor that is
        not a remote one.
        """
        check_topic(topic)
        if not callable(callback):
            raise ConfigError("callback", callback, "a function, a coroutine function, or a method of this actor")
        if self._system.closed is not None:
            raise self._system.closed
        subscription = Subscription(topic, getattr(callback, "__qualname__", None) or repr(callback))
        cell = self._cell_of(callback)
        if cell is not None:
            self._for_actor(subscription, cell, callback.__name__)
        elif inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(type(callback).__call__):
            self._for_coroutine(subscription, callback)
        else:
            self._for_function(subscription, callback)
        return subscription

    def close(self) -> None:
        """The node stops: every subscription ends."""
        with self._lock:
            live = list(self._live)
        for subscription in live:
            subscription.cancel()

    def _cell_stopped(self, cell: Cell) -> None:
        with self._lock:
            theirs = [subscription for subscription, key in self._live.items() if key == cell.key]
        for subscription in theirs:
            subscription.cancel()

    def _cell_of(self, callback: Callable[[Any], object]) -> Cell | None:
        """The running actor, if `callback` is a method of it."""
        cell = current_cell.get()
        owner = getattr(callback, "__self__", None)
        if not isinstance(cell, Cell) or not inspect.ismethod(callback) or type(owner) is not cell.definition.cls:
            return None
        if cell.instance is not None and cell.instance is not owner:  # None in the constructor
            return None
        methods = {name: each for name, each in cell.definition.interface.methods.items() if not each.streams}
        if callback.__name__ not in methods:
            raise ConfigError("callback", callback.__name__, f"a remote method: {', '.join(sorted(methods)) or 'none'}")
        return cell

    def _listen(
        self,
        subscription: Subscription,
        take: Callable[[bytes], None],
        end: Callable[[], None] = lambda: None,
        actor_key: bytes | None = None,
    ) -> None:
        def heard(origin: NodeId, body: Any) -> None:
            if type(body) is bytes and not subscription.is_cancelled:
                take(body)

        def ended() -> None:
            with self._lock:
                unsubscribe()
                self._live.pop(subscription, None)
            end()

        subscription._end = ended
        with self._lock:
            unsubscribe = self._topics.subscribe(subscription.topic, heard)
            self._live[subscription] = actor_key

    def _for_actor(self, subscription: Subscription, cell: Cell, method: str) -> None:
        me = self._system.node.router.me

        def take(body: bytes) -> None:
            trace = self._topics.spans.current
            meta = None if trace is None else {"tc": trace.pack()}
            cell.deliver(me, None, method, lambda: ((decode(body),), {}), None, meta)

        self._listen(subscription, take, actor_key=cell.key)
        if self._system.cells.get(cell.key) is not cell:
            subscription.cancel()  # the actor has ended, and what it was doing has not

    def _for_function(self, subscription: Subscription, callback: Callable[[Any], object]) -> None:
        thread = ActorThread(f"{self._system.me.name}-topic-{subscription.topic}")
        waiting: deque[tuple[bytes, TraceContext | None]] = deque()

        def run() -> None:
            body, trace = waiting.popleft()
            if subscription.is_cancelled:
                return
            if trace is not None:
                self._system.recorder.attach(trace)  # in a copy of the context, with which it goes
            try:
                callback(decode(body))
            except Exception as error:  # noqa: BLE001 - code of users: it is theirs, and stops nobody else
                subscription._raised(error)

        def take(body: bytes) -> None:
            if len(waiting) >= BACKLOG_MAX:
                subscription._overflowed()
                return
            waiting.append((body, self._topics.spans.current))
            thread.run(lambda: self._context.copy().run(run))

        self._listen(subscription, take, thread.stop)

    def _for_coroutine(self, subscription: Subscription, callback: Callable[[Any], Any]) -> None:
        waiting: deque[tuple[bytes, TraceContext | None]] = deque()
        is_running = False

        async def run() -> None:
            nonlocal is_running
            try:
                while waiting and not subscription.is_cancelled:
                    body, trace = waiting.popleft()
                    attachment = self._system.recorder.attach(trace) if trace is not None else None
                    try:
                        await callback(decode(body))
                    except Exception as error:  # noqa: BLE001 - code of users: it is theirs, and stops nobody else
                        subscription._raised(error)
                    if attachment is not None:
                        self._system.recorder.detach(attachment)
            finally:
                is_running = False

        def take(body: bytes) -> None:
            nonlocal is_running
            if len(waiting) >= BACKLOG_MAX:
                subscription._overflowed()
                return
            waiting.append((body, self._topics.spans.current))
            if not is_running:
                is_running = True
                self._system.background.start(run(), repr(subscription), self._context.copy())

        self._listen(subscription, take, waiting.clear)
