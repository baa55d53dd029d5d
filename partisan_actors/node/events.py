"""Who wants to know of nodes and of channels that come and go, and the telling: once for each transition, in order.

Rules kept here:

1. Of one life of a node, or of one channel to it, a subscriber is told up and down in turn. A node that was wrongly
   taken for down is told down and up again; a life that another one has followed is told down before the other one up.
2. Subscribers are told in the order of events, each event to the earlier subscriber first, never from within the code
   that led to it; what one of them raises is logged, and concerns nobody else.
3. Who subscribed after an event is not told of it, and who cancelled before it is told is not either.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection
from typing import Final, Protocol

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.node.directory import Directory, NodeRecord
from partisan_actors.node.router import Peer
from partisan_actors.values import dataclass

__all__ = ["DOWN", "UP", "NodeEvent", "Subscriptions"]

logger = logging.getLogger(__name__)

UP: Final = "up"
DOWN: Final = "down"


@dataclass(frozen=True, slots=True)
class NodeEvent:
    """A node came or went; or, when `channel` is named, the first connection of it came, or the last one went.

    `kind` is "up" or "down", `node` the name, `id` also tells the life (`name~incarnation`; just the name when no life
    of it is known), and `why` says of a down what is known: "it left the cluster", "it does not answer", ...
    """

    kind: str
    node: str
    id: str
    why: str = ""
    channel: str | None = None


class _Subscriber:
    __slots__ = ("callback", "is_cancelled", "kinds")

    def __init__(self, callback: Callable[[NodeEvent], object], kinds: Collection[str]) -> None:
        self.callback = callback
        self.kinds = kinds
        self.is_cancelled = False


class EventsHost(Protocol):
    """What this needs of its node."""

    me: NodeId
    loop: asyncio.AbstractEventLoop
    lanes: dict[str, int]
    directory: Directory


class Subscriptions:
    """The subscribers of one node. Everything belongs to the loop's thread."""

    def __init__(self, host: EventsHost) -> None:
        self._host = host
        # By channel (None: nodes) and by the name or id of the node (None: any).
        self._subscribers: dict[tuple[str | None, str | None], dict[_Subscriber, None]] = {}
        self._open: dict[tuple[str, NodeId], int] = {}  # how many connections of that channel to that life are open
        self._telling: deque[tuple[NodeEvent, list[_Subscriber]]] = deque()
        host.directory.on_up.append(self._node_up)
        host.directory.on_down.append(self._node_down)

    def __len__(self) -> int:
        """How many subscriptions there are."""
        return sum(map(len, self._subscribers.values()))

    def subscribe(
        self,
        callback: Callable[[NodeEvent], object],
        kinds: Collection[str] = (UP, DOWN),
        node: str | None = None,
        channel: str | None = None,
    ) -> Callable[[], None]:
        """Call `callback(event)` for those events, on the loop, where it must not block. Returns what cancels it.

        `node` is a name, or an id for one life alone; None means any. Who asks for the down of one node that is not up
        now is told so at once. Raises ConfigError for a channel that this node does not have.
        """
        if channel is not None and channel not in self._host.lanes:
            raise ConfigError("channel", channel, f"one of {', '.join(self._host.lanes)}")
        subscriber = _Subscriber(callback, tuple(kinds))
        key = (channel, node)
        self._subscribers.setdefault(key, {})[subscriber] = None
        if node is not None and DOWN in kinds:
            why = self._why_absent(node, channel)
            if why is not None:
                identity = self._id_of(node)
                self._tell(NodeEvent(DOWN, node.partition("~")[0], identity, why, channel), [subscriber])

        def cancel() -> None:
            subscriber.is_cancelled = True
            group = self._subscribers.get(key, {})
            group.pop(subscriber, None)
            if not group:
                self._subscribers.pop(key, None)

        return cancel

    def connection_opened(self, peer: Peer, channel: str) -> None:
        """A connection of that channel is open. Observers, who only ask, do not count."""
        if peer.is_observer:
            return
        key = (channel, peer.node)
        self._open[key] = self._open.get(key, 0) + 1
        if self._open[key] == 1:
            self._happened(UP, peer.node, "", channel)

    def connection_closed(self, peer: Peer, channel: str) -> None:
        """A connection of that channel that was open has closed."""
        if peer.is_observer:
            return
        key = (channel, peer.node)
        self._open[key] -= 1
        if self._open[key] == 0:
            del self._open[key]
            self._happened(DOWN, peer.node, "its last connection closed", channel)

    # ---- what happens -----------------------------------------------------------------------------------------

    def _node_up(self, record: NodeRecord) -> None:
        self._happened(UP, record.node, "", None)

    def _node_down(self, record: NodeRecord, why: str) -> None:
        self._happened(DOWN, record.node, why, None)

    def _happened(self, kind: str, node: NodeId, why: str, channel: str | None) -> None:
        if node == self._host.me or not self._subscribers:
            return
        event = NodeEvent(kind, node.name, str(node), why, channel)
        groups = [self._subscribers.get((channel, name), {}) for name in (event.node, event.id, None)]
        told = [subscriber for group in groups for subscriber in group if kind in subscriber.kinds]
        if told:
            self._tell(event, told)

    def _tell(self, event: NodeEvent, told: list[_Subscriber]) -> None:
        self._telling.append((event, told))
        if len(self._telling) == 1:
            self._host.loop.call_soon(self._tell_all)

    def _tell_all(self) -> None:
        for _ in range(len(self._telling)):
            event, told = self._telling[0]
            for subscriber in told:
                if subscriber.is_cancelled:
                    continue
                try:
                    subscriber.callback(event)
                except Exception:
                    logger.exception("who wanted to know that %s is %s raised", event.id, event.kind)
            self._telling.popleft()
        if self._telling:
            self._host.loop.call_soon(self._tell_all)

    # ---- who is not there -------------------------------------------------------------------------------------

    def _why_absent(self, node: str, channel: str | None) -> str | None:
        """Why that node, or that channel to it, is not up; None when it is."""
        name = node.partition("~")[0]
        if channel is not None:
            lives = (life for known, life in self._open if known == channel)
            is_up = any(node in (life.name, str(life)) for life in lives)
            return None if is_up else "no connection of it is open"
        record = self._host.directory.records.get(name)
        if record is None or node not in (name, str(record.node)):
            return "no such life of it is known" if record is not None else "it is not known"
        return None if record.is_live else record.why_not

    def _id_of(self, node: str) -> str:
        record = self._host.directory.records.get(node)
        return node if record is None else str(record.node)
