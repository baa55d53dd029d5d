"""The way through the overlay: messages for nodes that cannot be reached directly go from neighbour to neighbour.

The rules this file keeps:

1. A message goes to its destination if that is a neighbour, else to the next hop learned from broadcasts: what came
   from X first through N goes to X through N. Without one it floods, bounded by RELAY_TTL and duplicate suppression.
2. It is never sent back where it came from, and no node handles it twice.
3. A hop is a neighbour with a connection, open or being opened: never one that would be relayed to itself.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from partisan_actors.errors import NoRoute, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.router import REDIAL_AFTER_S, Buffers, Peer, Router
from partisan_actors.wire.codec import pack, unpack
from partisan_actors.wire.frames import Kind

__all__ = ["Relay", "trace_of"]

RELAY_TTL: Final = 12
RELAYED_SEEN_MAX: Final = 16_384

# Where the map of extras stands, in the messages that have one.
_META_POSITIONS: Final = {Kind.CALL_META: 4, Kind.CALL_PICKLED: 4, Kind.TELL_META: 3, Kind.TELL_PICKLED: 3}

# What is about the connection it comes on makes no sense when it comes another way.
_OF_ONE_CONNECTION: Final = frozenset({Kind.RELAY, Kind.PING, Kind.PONG, Kind.IDLE})


class RelayHost(Protocol):
    """What relaying needs of its node."""

    me: NodeId
    loop: asyncio.AbstractEventLoop
    routing: str
    dispatch: list[Callable[..., None]]

    def neighbours(self) -> Sequence[NodeId]:
        """The overlay's neighbours now."""
        ...

    def trace_of(self, message: bytes) -> bytes | None:
        """The trace context of a message that is sent from here, if hops are traced."""
        ...

    def relayed(
        self,
        origin: NodeId,
        destination: NodeId,
        came_from: NodeId,
        next_hop: NodeId | None,
        ttl: int,
        hops: int,
        trace: Any,
    ) -> None:
        """A message passed through here."""
        ...


class Relay:
    """Sends, passes on and receives what travels through the overlay."""

    def __init__(self, host: RelayHost, router: Router) -> None:
        self._host = host
        self._router = router
        self.next_hops: dict[NodeId, NodeId] = {}
        self.lost = 0
        self._numbers = itertools.count(1)
        self._seen: OrderedDict[tuple[str, int, int], None] = OrderedDict()

    def learn(self, origin: NodeId, sender: NodeId) -> None:
        """A broadcast of `origin` came first from the neighbour `sender`."""
        if origin != sender:
            self.next_hops[origin] = sender

    def forget(self, node: NodeId) -> None:
        """That life of that node is over: nothing goes to it or through it."""
        self.next_hops.pop(node, None)
        for destination in [to for to, hop in self.next_hops.items() if hop == node]:
            del self.next_hops[destination]

    def send(self, destination: NodeId, message: bytes, buffers: Buffers | None, channel: str) -> None:
        """Send one packed message through the overlay. Raises NoRoute when there is no neighbour to send through."""
        me = self._host.me
        trace = self._host.trace_of(message)
        envelope = [Kind.RELAY, [*destination], [*me], next(self._numbers), RELAY_TTL, 0, channel, trace, message]
        if not self._pass_on(destination, envelope, buffers, came_from=me):
            raise NoRoute(str(destination), "it cannot be dialled, and this node has no neighbour to relay through")

    def on_relay(self, sender: Peer, envelope: list[Any], buffers: Buffers | None = None) -> None:
        """A relayed message arrived: it is for us, or is passed on."""
        _, destination_fields, origin_fields, number, ttl, hops, channel, trace, message = envelope
        destination, origin = NodeId(*destination_fields), NodeId(*origin_fields)
        me = self._host.me
        if origin == me or not self._is_new((origin.name, origin.incarnation, number)):
            return
        if destination == me:
            self._receive(sender, origin, message, buffers)
            self._host.relayed(origin, destination, sender.node, None, ttl, hops + 1, trace)
            return
        if ttl <= 1:
            self.lost += 1
            return
        onward = [Kind.RELAY, destination_fields, origin_fields, number, ttl - 1, hops + 1, channel, trace, message]
        if not self._pass_on(destination, onward, buffers, came_from=sender.node):
            self.lost += 1

    def _receive(self, sender: Peer, origin: NodeId, message: bytes, buffers: Buffers | None) -> None:
        plain = unpack(message)
        if not 0 <= plain[0] < Kind.COUNT or plain[0] in _OF_ONE_CONNECTION:
            return
        peer = self._router.peer(origin)
        if peer.down is not None:
            return
        if self._host.routing == "auto" and not peer.is_connected:
            # It could not dial us, so answer the way it came until a connection opens.
            peer.relay_until = self._host.loop.time() + REDIAL_AFTER_S
        self.next_hops.setdefault(origin, sender.node)
        handler = self._host.dispatch[plain[0]]
        if buffers is None:
            handler(peer, plain)
        else:
            handler(peer, plain, buffers)

    def _pass_on(self, destination: NodeId, envelope: list[Any], buffers: Buffers | None, came_from: NodeId) -> bool:
        router, channel = self._router, envelope[6]
        neighbours = [node for node in self._host.neighbours() if router.carries(router.peer(node), channel)]
        learned = self.next_hops.get(destination)
        if destination in neighbours:
            hops = [destination]
        elif learned is not None and learned != came_from and learned in neighbours:
            hops = [learned]
        else:
            hops = [node for node in neighbours if node != came_from]
        packed = pack(envelope)
        is_sent = False
        for node in hops:
            peer = router.peer(node)
            try:
                if buffers is None:
                    peer.send(packed, channel)
                else:
                    peer.send_large(packed, buffers, channel)
            except PartisanError:
                continue
            is_sent = True
            origin = NodeId(*envelope[2])
            self._host.relayed(origin, destination, came_from, node, envelope[4], envelope[5], envelope[7])
        return is_sent

    def _is_new(self, key: tuple[str, int, int]) -> bool:
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > RELAYED_SEEN_MAX:
            self._seen.popitem(last=False)
        return True


def trace_of(message: bytes) -> bytes | None:
    """The trace context that a call or a tell carries, in wire form; None for every other message."""
    plain = unpack(message)
    position = _META_POSITIONS.get(plain[0])
    meta = plain[position] if position is not None else None
    trace = meta.get("tc") if isinstance(meta, dict) else None
    return trace if isinstance(trace, bytes) else None
