"""How to reach every other node: over a connection we have, over one dialled on demand, or through the overlay.

The rules this file keeps:

1. There is one `Peer` per life of a node. For each lane, one connection is *the* one we send on, from the moment it
   opens until it closes, so messages between one sender and one receiver stay in order, whoever dialled. When two
   nodes dial each other at once both connections stay, each serving one direction.
2. While a lane is being dialled, its messages wait in order; when it cannot be dialled they are relayed, or fail.
3. A relayed message goes to the next hop learned from broadcasts (what came from X first through N goes to X through
   N); without one it floods, bounded by TTL and duplicate suppression. It is never sent back where it came from.
4. A peer that is down refuses everything with NodeDown, and everything that waits for it fails.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgpack

from partisan_actors.errors import NodeDown, NoRoute, Overloaded, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.wire.channels import CALLS, CONTROL
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

if TYPE_CHECKING:
    from partisan_actors.transport.connection import Connection

__all__ = ["Peer", "Pending", "Router"]

RELAY_TTL: Final = 12
RELAYED_SEEN_MAX: Final = 16_384
WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
REDIAL_AFTER_S: Final = 15.0

Buffers = Sequence[Any]


class Pending(Protocol):
    """Somebody who waits for a reply from a peer."""

    def fail(self, error: PartisanError) -> None:
        """No reply will come."""
        ...


class Peer:
    """One life of one other node, and our connections to it."""

    __slots__ = (
        "addresses",
        "calls",
        "down",
        "is_held",
        "is_observer",
        "is_self",
        "lanes",
        "last_used",
        "node",
        "pending",
        "relay_until",
        "router",
        "sent_code",
        "waiting",
    )

    def __init__(self, node: NodeId, router: Router, lanes: dict[str, int]) -> None:
        self.node = node
        self.router = router
        self.lanes: dict[str, list[Connection | None]] = {name: [None] * count for name, count in lanes.items()}
        # The one lane of the calls channel, when it has only one: what a plain call looks at.
        self.calls: Connection | None = None
        self.pending: dict[int, Pending] = {}
        self.waiting: dict[tuple[str, int], deque[tuple[bytes, Buffers | None]]] = {}
        self.sent_code: set[bytes] = set()
        self.down: str | None = None
        self.is_self = False
        self.is_held = False
        self.is_observer = False
        self.relay_until = 0.0
        self.last_used = 0.0

    def __str__(self) -> str:
        return str(self.node)

    def send(self, message: bytes, channel: str = CALLS, affinity: int = 0) -> None:
        """Send one packed message; `affinity` picks the lane. Raises NodeDown and Overloaded."""
        lanes = self.lanes[channel]
        index = affinity % len(lanes)
        connection = lanes[index]
        if connection is not None:
            connection.send(message)
        else:
            self.router.send_otherwise(self, channel, index, message, None)

    def send_large(self, message: bytes, buffers: Buffers, channel: str = CALLS, affinity: int = 0) -> None:
        """Send one message with out-of-band buffers, in order with the others. Raises NodeDown and Overloaded."""
        if not buffers:
            self.send(message, channel, affinity)
            return
        lanes = self.lanes[channel]
        index = affinity % len(lanes)
        connection = lanes[index]
        if connection is not None:
            connection.send_large(message, buffers)
        else:
            self.router.send_otherwise(self, channel, index, message, buffers)

    def connections(self) -> list[Connection]:
        """Every connection we send on."""
        return [connection for lanes in self.lanes.values() for connection in lanes if connection is not None]

    @property
    def is_connected(self) -> bool:
        """Whether any lane is open."""
        return any(connection is not None for lanes in self.lanes.values() for connection in lanes)

    def fail_pending(self, error: Callable[[], PartisanError]) -> None:
        """Nothing that was asked of this peer will be answered."""
        pending, self.pending = self.pending, {}
        for waiting in pending.values():
            waiting.fail(error())


class RouterHost(Protocol):
    """What the router needs of its node."""

    me: NodeId
    loop: asyncio.AbstractEventLoop
    lanes: dict[str, int]
    routing: str
    dispatch: list[Callable[..., None]]

    def dial(self, peer: Peer, channel: str, index: int) -> None:
        """Start to open that lane; ends in `Router.opened` or `Router.dial_failed`."""
        ...

    def can_dial(self, node: NodeId) -> bool:
        """Whether any address of it is known."""
        ...

    def neighbours(self) -> Sequence[NodeId]:
        """The overlay's neighbours now."""
        ...

    def relayed(self, origin: NodeId, destination: NodeId, came_from: NodeId, next_hop: NodeId | None, ttl: int, hops: int, meta: Any) -> None:
        """A message passed through here."""
        ...


class Router:
    """Every peer this node knows, and the way to each."""

    def __init__(self, host: RouterHost) -> None:
        self._host = host
        self.peers: dict[NodeId, Peer] = {}
        self.next_hops: dict[NodeId, NodeId] = {}
        self.lost_relays = 0
        self._relay_ids = itertools.count(1)
        self._seen: OrderedDict[tuple[str, int, int], None] = OrderedDict()
        self.me = self._make(host.me)
        self.me.is_self = True

    def peer(self, node: NodeId) -> Peer:
        """The Peer for that life of that node."""
        return self.peers.get(node) or self._make(node)

    def _make(self, node: NodeId) -> Peer:
        peer = self.peers[node] = Peer(node, self, self._host.lanes)
        return peer

    def forget(self, node: NodeId) -> None:
        """Drop what is known of a node that is long gone."""
        self.peers.pop(node, None)
        self.next_hops.pop(node, None)

    # ---- connections ------------------------------------------------------------------------------------------

    def opened(self, peer: Peer, connection: Connection) -> None:
        """A connection to `peer` is ready, whoever dialled it."""
        channel, index = connection.handshake.channel, connection.handshake.lane
        peer.relay_until = 0.0
        if peer.lanes[channel][index] is None:
            peer.lanes[channel][index] = connection
            if channel == CALLS and len(peer.lanes[channel]) == 1:
                peer.calls = connection
            for message, buffers in peer.waiting.pop((channel, index), ()):
                if buffers is None:
                    connection.send(message)
                else:
                    connection.send_large(message, buffers)

    def closed(self, peer: Peer, connection: Connection) -> bool:
        """A connection closed. Returns whether it was one we sent on."""
        channel, index = connection.handshake.channel, connection.handshake.lane
        if peer.lanes[channel][index] is not connection:
            return False
        peer.lanes[channel][index] = None
        if peer.calls is connection:
            peer.calls = None
        return True

    def connect(self, peer: Peer) -> bool:
        """Start to open the control lane, if it is not open or being opened. Returns whether that can be tried."""
        if peer.down is not None or peer.is_self or not self._host.can_dial(peer.node):
            return False
        if peer.lanes[CONTROL][0] is None and (CONTROL, 0) not in peer.waiting:
            peer.waiting[CONTROL, 0] = deque()
            self._host.dial(peer, CONTROL, 0)
        return True

    def send_otherwise(self, peer: Peer, channel: str, index: int, message: bytes, buffers: Buffers | None) -> None:
        """There is no open connection for that lane: hand over locally, wait for a dial, or relay."""
        if peer.is_self:
            self._host.loop.call_soon(self._deliver_locally, peer, message, buffers)
            return
        if peer.down is not None:
            raise NodeDown(str(peer.node), peer.down)
        waiting = peer.waiting.get((channel, index))
        if waiting is not None:
            size = sum(len(item[0]) + sum(map(len, item[1] or ())) for item in waiting) if len(waiting) % 64 == 0 else 0
            if size > WAITING_BYTES_MAX:
                raise Overloaded(str(peer.node), WAITING_BYTES_MAX)
            waiting.append((message, buffers))
        elif self._must_relay(peer):
            self.relay(peer.node, message, buffers, channel)
        elif self._host.can_dial(peer.node):
            peer.waiting[channel, index] = deque([(message, buffers)])
            self._host.dial(peer, channel, index)
        elif self._host.routing == "direct":
            raise NoRoute(str(peer.node), "no address of it is known and routing is 'direct'")
        else:
            self.relay(peer.node, message, buffers, channel)

    def _must_relay(self, peer: Peer) -> bool:
        if self._host.routing == "direct":
            return False
        if self._host.routing == "relay":
            return peer.node not in self._host.neighbours()
        return peer.relay_until > self._host.loop.time()

    def dial_failed(self, peer: Peer, channel: str, index: int, error: Exception) -> None:
        """That lane could not be opened: what waits for it is relayed, or fails."""
        waiting = peer.waiting.pop((channel, index), ())
        if self._host.routing == "auto":
            peer.relay_until = self._host.loop.time() + REDIAL_AFTER_S
        try:
            for message, buffers in waiting:
                if peer.down is not None or self._host.routing == "direct":
                    raise NoRoute(str(peer.node), str(error))
                self.relay(peer.node, message, buffers, channel)
        except PartisanError as failure:
            # What was to be sent is lost, and nobody can tell which replies it would have brought.
            text = str(failure)
            peer.fail_pending(lambda: NoRoute(str(peer.node), text))

    def mark_down(self, node: NodeId, why: str) -> None:
        """That life of that node is over."""
        self.next_hops.pop(node, None)
        for destination in [to for to, hop in self.next_hops.items() if hop == node]:
            del self.next_hops[destination]
        peer = self.peers.get(node)
        if peer is None or peer.is_self:
            return
        peer.down = why
        peer.waiting.clear()
        for connection in peer.connections():
            connection.close()
        peer.fail_pending(lambda: NodeDown(str(node), why))

    def _deliver_locally(self, peer: Peer, message: bytes, buffers: Buffers | None) -> None:
        plain = msgpack.unpackb(message, strict_map_key=False)
        if buffers is None:
            self._host.dispatch[plain[0]](peer, plain)
        else:
            # What crosses no wire is still copied: an actor never shares memory with its caller.
            self._host.dispatch[plain[0]](peer, plain, [bytearray(buffer) for buffer in buffers])

    # ---- relay ------------------------------------------------------------------------------------------------

    def learn_next_hop(self, origin: NodeId, sender: NodeId) -> None:
        """A broadcast of `origin` came first from the neighbour `sender`."""
        if origin != sender:
            self.next_hops[origin] = sender

    def relay(self, destination: NodeId, message: bytes, buffers: Buffers | None, channel: str, meta: Any = None) -> None:
        """Send through the overlay. Raises NoRoute when there is no neighbour to send through."""
        me = self._host.me
        envelope = [Kind.RELAY, [*destination], [*me], next(self._relay_ids), RELAY_TTL, 0, channel, meta, message]
        if not self._pass_on(destination, envelope, buffers, came_from=me):
            raise NoRoute(str(destination), "it cannot be dialled, and this node has no neighbour to relay through")

    def on_relay(self, sender: Peer, envelope: list[Any], buffers: Buffers | None = None) -> None:
        """A relayed message arrived: it is for us, or is passed on."""
        _, destination_fields, origin_fields, number, ttl, hops, channel, meta, message = envelope
        destination, origin = NodeId(*destination_fields), NodeId(*origin_fields)
        me = self._host.me
        if origin == me or not self._is_new((origin.name, origin.incarnation, number)):
            return
        if destination == me:
            plain = msgpack.unpackb(message, strict_map_key=False)
            if not 0 <= plain[0] < Kind.COUNT or plain[0] == Kind.RELAY:
                return
            peer = self.peer(origin)
            if peer.down is None:
                if self._host.routing == "auto" and not peer.is_connected:
                    # It could not dial us, so answer the way it came until a connection opens.
                    peer.relay_until = self._host.loop.time() + REDIAL_AFTER_S
                self.next_hops.setdefault(origin, sender.node)
                self._host.relayed(origin, destination, sender.node, None, ttl, hops + 1, meta)
                handler = self._host.dispatch[plain[0]]
                handler(peer, plain) if buffers is None else handler(peer, plain, buffers)
            return
        if ttl <= 1:
            self.lost_relays += 1
            return
        onward = [Kind.RELAY, destination_fields, origin_fields, number, ttl - 1, hops + 1, channel, meta, message]
        if not self._pass_on(destination, onward, buffers, came_from=sender.node):
            self.lost_relays += 1

    def _pass_on(self, destination: NodeId, envelope: list[Any], buffers: Buffers | None, came_from: NodeId) -> bool:
        neighbours = self._host.neighbours()
        learned = self.next_hops.get(destination)
        if destination in neighbours:
            hops: Sequence[NodeId] = (destination,)
        elif learned is not None and learned != came_from and learned in neighbours:
            hops = (learned,)
        else:
            hops = [node for node in neighbours if node != came_from]
        packed = pack(envelope)
        sent = False
        for node in hops:
            peer = self.peer(node)
            try:
                if buffers is None:
                    peer.send(packed, envelope[6])
                else:
                    peer.send_large(packed, buffers, envelope[6])
                sent = True
            except PartisanError:
                continue
            origin = NodeId(*envelope[2])
            self._host.relayed(origin, destination, came_from, node, envelope[4], envelope[5], envelope[7])
        return sent

    def _is_new(self, key: tuple[str, int, int]) -> bool:
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > RELAYED_SEEN_MAX:
            self._seen.popitem(last=False)
        return True
