"""Topics of a node: broadcasts of users, who subscribes to them, and the channel each travels on.

What users broadcast under a topic goes through the same tree as the node's own news, under ``user/CHANNEL/TOPIC``: so
the two cannot meet, and a node that only passes it on knows which channel it belongs on. Everything is plain here
(what msgpack takes); the actors' floor broadcasts bytes that it has pickled.

A subscriber is called on the loop and must not wait. One that raises is logged, counted, and stops nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from partisan_actors.errors import ConfigError, Overloaded
from partisan_actors.ids import NodeId
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.router import Router
from partisan_actors.node.topic_spans import TRACED_PREFIX, Published, TopicSpans, traced_topic, untraced
from partisan_actors.protocols.broadcast.handler import BroadcastHandler, HandlerFailed
from partisan_actors.protocols.broadcast.handlers import ExchangeRef, Handlers
from partisan_actors.protocols.machine import Deliver
from partisan_actors.protocols.stack import STATE_PREFIX
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.transport.backlog import CLOGGED_BYTES
from partisan_actors.transport.connection import Connection
from partisan_actors.wire.channels import BROADCAST
from partisan_actors.wire.codec import pack

__all__ = ["TOPIC_LENGTH_MAX", "Topics", "check_topic", "topic_channel", "wire_topic"]

logger = logging.getLogger(__name__)

TOPIC_LENGTH_MAX: Final = 200
# Subscriptions of one node, over all topics.
SUBSCRIBERS_MAX: Final = 10_000

_USER_PREFIX: Final = "user/"

# How broadcasts come when they do not have to be asked for, by which kind of broadcast a node has.
PATHS: Final[Mapping[str, str]] = {"plumtree": "eager", "flood": "flood"}
GRAFT: Final = "graft"

# Called with the node that broadcast, and what.
Subscriber = Callable[[NodeId, Any], None]


def check_topic(topic: object) -> str:
    """`topic`, when it is one. Raises ConfigError."""
    if not isinstance(topic, str) or not 1 <= len(topic) <= TOPIC_LENGTH_MAX:
        raise ConfigError("topic", topic, f"a name of 1 to {TOPIC_LENGTH_MAX} characters")
    return topic


def topic_channel(topic: str) -> str | None:
    """The channel that broadcasts of this topic of the wire travel on; None for those of the node's own."""
    if topic.startswith((_USER_PREFIX, STATE_PREFIX, TRACED_PREFIX)):
        return topic.split("/", 2)[1]
    return None


def wire_topic(topic: str, channel: str = BROADCAST) -> str:
    """The topic of the wire under which what users broadcast under `topic` travels."""
    return f"{_USER_PREFIX}{channel}/{topic}"


class TopicsHost(Protocol):
    """What this needs of its node."""

    me: NodeId
    config: NodeConfig
    loop: asyncio.AbstractEventLoop
    lanes: dict[str, int]
    router: Router
    recorder: Recorder

    @property
    def driver(self) -> TopicsDriver:
        """Who has the stack."""
        ...

    def neighbours(self) -> Sequence[NodeId]:
        """The overlay's neighbours now."""
        ...


class TopicsDriver(Protocol):
    """What this needs of the driver."""

    @property
    def handlers(self) -> Handlers | None:
        """The handlers of users' state."""
        ...

    def broadcast(self, topic: str, payload: object) -> None:
        """Send `payload` to every other node."""
        ...

    def broadcast_state(self, topic: str, data: object) -> None:
        """Send what a handler makes of `data` to every other node."""
        ...

    def cancel_exchanges(self, **which: Any) -> None:
        """End exchanges of handlers."""
        ...


class Topics:
    """The topics of one node. Used on the loop, except `subscribe` and what it returns."""

    def __init__(self, host: TopicsHost) -> None:
        self._host = host
        self.spans = TopicSpans(host.recorder)
        # Replaced and never changed: a broadcast may arrive while another thread subscribes.
        self._subscribers: Mapping[str, tuple[Subscriber, ...]] = {}
        self.failed = 0  # what subscribers raised

    # ---- broadcasts -------------------------------------------------------------------------------------------

    def broadcast(self, topic: str, payload: object, *, channel: str = BROADCAST, to_self: bool = False) -> None:
        """Send `payload` to the subscribers of `topic` on every other node, and with `to_self` on this one too.

        Raises ConfigError for a bad topic or channel, TypeError or ValueError for a payload that is not plain, and
        Overloaded, with nothing sent, when a neighbour reads so slowly that CLOGGED_BYTES wait for it.
        """
        check_topic(topic)
        self.check_channel(channel)
        if type(payload) is not bytes:
            pack(payload)
        slow = self.clogged(channel)
        if slow is not None:
            raise Overloaded(str(slow.peer), CLOGGED_BYTES)
        self.send(topic, payload, channel, to_self, self.spans.begin())

    def send(
        self, topic: str, payload: object, channel: str, to_self: bool, published: Published | None = None
    ) -> None:
        """The same without looking: for whoever has, and has `published` its span."""
        context = published.context if published is not None else None
        on_wire = wire_topic(topic, channel) if context is None else traced_topic(topic, channel, context)
        self._host.driver.broadcast(on_wire, payload)
        if published is not None:
            self.spans.sent(published, topic)
        if to_self:
            # Later, as from the network: subscribers are not called from inside whatever broadcasts.
            me = self._host.me
            self._host.loop.call_soon(self._tell, topic, me, payload, context, me)

    def check_channel(self, channel: str) -> None:
        """Raises ConfigError when this node has no such channel."""
        if channel not in self._host.lanes:
            raise ConfigError("channel", channel, f"one of {', '.join(self._host.lanes)}")

    def clogged(self, channel: str) -> Connection | None:
        """A connection to a neighbour on which so much waits that broadcasts should wait too."""
        for node in self._host.neighbours():
            for connection in self._host.router.peer(node).lanes.get(channel, ()):
                if connection is not None and connection.is_clogged:
                    return connection
        return None

    # ---- subscribers ------------------------------------------------------------------------------------------

    def subscribe(self, topic: str, subscriber: Subscriber) -> Callable[[], None]:
        """Have `subscriber` called with origin and payload of every broadcast of `topic` that arrives from now on.

        Returns what ends that, which may be called twice. From any thread, one at a time. Raises ConfigError.
        """
        check_topic(topic)
        if sum(map(len, self._subscribers.values())) >= SUBSCRIBERS_MAX:
            raise ConfigError("topic", topic, f"at most {SUBSCRIBERS_MAX} subscribers on one node")

        def call(origin: NodeId, payload: Any) -> None:
            subscriber(origin, payload)

        self._subscribers = {**self._subscribers, topic: (*self._subscribers.get(topic, ()), call)}

        def unsubscribe() -> None:
            others = tuple(each for each in self._subscribers.get(topic, ()) if each is not call)
            rest = {name: some for name, some in self._subscribers.items() if name != topic}
            self._subscribers = {**rest, topic: others} if others else rest

        return unsubscribe

    def delivered(self, deliver: Deliver, origin: NodeId) -> None:
        """A broadcast arrived, of whatever topic."""
        if deliver.topic.startswith(_USER_PREFIX):
            _, _, topic = deliver.topic.removeprefix(_USER_PREFIX).partition("/")
            self._tell(topic, origin, deliver.payload, None, origin)
        elif deliver.topic.startswith(TRACED_PREFIX):
            topic, context = untraced(deliver.topic)
            sender = deliver.sender if isinstance(deliver.sender, NodeId) else origin
            path = GRAFT if deliver.is_grafted else PATHS[self._host.config.broadcast]
            self._tell(topic, origin, deliver.payload, context, sender, deliver.hops, path)

    def _tell(
        self,
        topic: str,
        origin: NodeId,
        payload: object,
        context: TraceContext | None,
        sender: NodeId,
        links: int = 0,
        path: str = "",
    ) -> None:
        subscribers = self._subscribers.get(topic, ())
        if context is None or not subscribers:
            self._tell_each(subscribers, topic, origin, payload)
            return
        with self.spans.handled(context, topic, sender, links, path) as handling:
            handling.error = self._tell_each(subscribers, topic, origin, payload)

    def _tell_each(
        self, subscribers: Iterable[Subscriber], topic: str, origin: NodeId, payload: object
    ) -> Exception | None:
        failure: Exception | None = None
        for subscriber in subscribers:
            try:
                subscriber(origin, payload)
            except Exception as error:
                # Code of users: whatever it raises stops nobody else.
                self.failed += 1
                failure = error
                logger.exception("a subscriber of topic %r raised", topic)
        return failure

    # ---- state of users ---------------------------------------------------------------------------------------

    def add_handler(self, handler: BroadcastHandler) -> Callable[[], None]:
        """Have `handler` keep the state of its topic on this node. Returns what ends that. Raises ConfigError."""
        check_topic(handler.topic)
        self.check_channel(getattr(handler, "channel", BROADCAST))
        self._handlers.add(handler)

        def remove() -> None:
            self._handlers.remove(handler.topic)

        return remove

    def broadcast_state(self, topic: str, data: object) -> None:
        """Broadcast what the handler of `topic` makes of `data`. Raises ConfigError, and what the handler raises."""
        self._host.driver.broadcast_state(topic, data)

    @property
    def exchanges(self) -> list[ExchangeRef]:
        """The exchanges of handlers under way that this node began."""
        return self._handlers.exchanges

    def cancel_exchanges(
        self, *, topic: str | None = None, peer: NodeId | None = None, number: int | None = None
    ) -> None:
        """End the exchanges of `topic`, with `peer`, and of that `number`, as far as they are given; else all."""
        self._host.driver.cancel_exchanges(topic=topic, peer=peer, number=number)

    def handler_failed(self, failed: HandlerFailed) -> None:
        """A handler raised."""
        logger.error("the broadcast handler of %r raised in %s", failed.topic, failed.method, exc_info=failed.error)

    @property
    def _handlers(self) -> Handlers:
        handlers = self._host.driver.handlers
        assert handlers is not None, "a real node's stack has handlers"
        return handlers
