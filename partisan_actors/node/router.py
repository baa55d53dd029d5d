"""How to reach every other node: over a connection we have, over one dialled on demand, or through the overlay.

The rules this file keeps:

1. There is one `Peer` per life of a node. For each lane, one connection is *the* one we send on, from the moment it
   opens until it closes or is let go, so messages between one sender and one receiver stay in order, whoever dialled.
   When two nodes dial each other at once both connections stay, each serving one direction. One that broke stays, too,
   while `sessions` looks for another one to take its place.
2. While a lane is being dialled, or its connection is being let go, its messages wait in order. When it cannot be
   dialled they are relayed, or fail.
3. A peer that is down refuses everything with NodeDown, and everything that waits for it fails. Only what the overlay
   itself says may have it dialled again: that is how a node comes back which was cut off, and not down.

`relay` is the way through the overlay, `keepalive` decides which connections are let go.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from partisan_actors.errors import NodeDown, NoRoute, Overloaded, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.protocols.delivery.turns import Arrivals, Departures
from partisan_actors.wire.channels import BROADCAST, CALLS, CONTROL
from partisan_actors.wire.codec import unpack
from partisan_actors.wire.in_turn import in_turn, stream_of

if TYPE_CHECKING:
    from partisan_actors.transport.connection import Connection

__all__ = ["REDIAL_AFTER_S", "Buffers", "Peer", "Pending", "Router", "lane_of"]

WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
REDIAL_AFTER_S: Final = 15.0

Buffers = Sequence[Any]


class Pending(Protocol):
    """Somebody who waits for a reply from a peer."""

    def done(self) -> bool:
        """Whether the outcome is known."""
        ...

    def succeed(self, value: Any) -> None:
        """The reply is here."""
        ...

    def fail(self, error: BaseException) -> None:
        """The reply is an error, or none will come."""
        ...


class Peer:
    """One life of one other node, and our connections to it."""

    __slots__ = (
        "arrivals",
        "calls",
        "departures",
        "direct",
        "down",
        "is_held",
        "is_observer",
        "is_self",
        "lanes",
        "leaving",
        "node",
        "open",
        "pending",
        "relay_until",
        "router",
        "sent_code",
        "waiting",
        "was_dialled",
    )

    def __init__(self, node: NodeId, router: Router, lanes: dict[str, int]) -> None:
        self.node = node
        self.router = router
        self.lanes: dict[str, list[Connection | None]] = {name: [None] * count for name, count in lanes.items()}
        # The one lane of the calls channel, when it has only one: what a plain call looks at.
        self.calls: Connection | None = None
        # The same, but None while something large is under way: then it matters who sends what to whom.
        self.direct: Connection | None = None
        self.departures: Departures | None = None
        self.arrivals: Arrivals | None = None
        # Every open connection, those we only receive on too, the oldest first; and those being let go, each with the
        # time at which patience ends.
        self.open: list[Connection] = []
        self.leaving: dict[Connection, float] = {}
        self.pending: dict[int, Pending] = {}
        self.waiting: dict[tuple[str, int], deque[tuple[bytes, Buffers | None]]] = {}
        self.sent_code: set[bytes] = set()
        self.down: str | None = None
        self.is_self = False
        self.is_held = False
        self.is_observer = False
        # Whether this node has ever got through to it, and not only the other way round.
        self.was_dialled = False
        self.relay_until = 0.0

    def __str__(self) -> str:
        return str(self.node)

    def send(self, message: bytes, channel: str = CALLS, affinity: int = 0) -> None:
        """Send one packed message; `affinity` picks the lane. Raises NodeDown and Overloaded."""
        if self.departures is not None:
            message = self._in_its_turn(message, channel, affinity)
        self.send_on(channel, self.lane_index(channel, affinity), message, None)

    def send_large(self, message: bytes, buffers: Buffers, channel: str = CALLS, affinity: int = 0) -> None:
        """Send one message with out-of-band buffers, in order with the others. Raises NodeDown and Overloaded."""
        if buffers and self.router.send_apart(self, message, buffers, channel, affinity):
            return
        if self.departures is not None:
            message = self._in_its_turn(message, channel, affinity)
        self.send_on(channel, self.lane_index(channel, affinity), message, buffers or None)

    def reply_large(self, message: bytes, buffers: Buffers, channel: str, affinity: int) -> None:
        """Send one message with out-of-band buffers that has no order with others. Raises NodeDown and Overloaded."""
        channel = self.router.channel_without_order(self, buffers, channel)
        self.send_on(channel, self.lane_index(channel, affinity), message, buffers)

    def send_on(self, channel: str, index: int, message: bytes, buffers: Buffers | None) -> None:
        """Send on that very lane. Raises NodeDown and Overloaded."""
        connection = self.lanes[channel][index]
        if connection is None:
            self.router.send_otherwise(self, channel, index, message, buffers)
        elif buffers is None:
            connection.send(message)
        else:
            connection.send_large(message, buffers)

    def lane_index(self, channel: str, affinity: int) -> int:
        """The lane of `channel` that messages of that affinity take."""
        return affinity % len(self.lanes[channel])

    def _in_its_turn(self, message: bytes, channel: str, affinity: int) -> bytes:
        assert self.departures is not None
        stream = stream_of(channel, affinity)
        return in_turn(message, stream, 0) if stream in self.departures.streams else message

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

    def relay(self, destination: NodeId, message: bytes, buffers: Buffers | None, channel: str) -> None:
        """Send through the overlay. Raises NoRoute."""
        ...

    def connected(self, peer: Peer) -> None:
        """There is a connection to send on again, where there was none."""
        ...

    def went_down(self, node: NodeId) -> None:
        """That life of that node is over."""
        ...

    def lane_opened(self, peer: Peer, connection: Connection) -> None:
        """A lane will be sent on from now on, first of all what this call sends."""
        ...


class Router:
    """Every peer this node knows, and the way to each."""

    def __init__(self, host: RouterHost) -> None:
        self._host = host
        # How large messages leave the lanes to others: see `interleaving`.
        self.send_apart: Callable[[Peer, bytes, Buffers, str, int], bool] = lambda *message: False
        self.channel_without_order: Callable[[Peer, Buffers, str], str] = lambda peer, buffers, channel: channel
        self.peers: dict[NodeId, Peer] = {}
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

    # ---- connections ------------------------------------------------------------------------------------------

    def opened(self, peer: Peer, connection: Connection) -> None:
        """A connection to `peer` is ready, whoever dialled it."""
        peer.open.append(connection)
        peer.relay_until = 0.0
        peer.down = None  # whoever shakes hands is alive; it will say so to everybody when it hears what is believed
        channel, index = lane_of(connection)
        if peer.lanes[channel][index] is None and not self._is_leaving(peer, channel, index):
            self._use(peer, channel, index, connection)

    def closed(self, peer: Peer, connection: Connection) -> bool:
        """A connection closed. Returns whether it broke while it was in use, and was not let go."""
        peer.open.remove(connection)
        channel, index = lane_of(connection)
        was_leaving = peer.leaving.pop(connection, None) is not None
        if peer.lanes[channel][index] is connection:
            self._take_off(peer, channel, index)
            other = self._other(peer, channel, index)
            if other is not None:
                self._use(peer, channel, index, other)
        elif was_leaving:
            self._go_on(peer, channel, index)
        return not was_leaving

    def replaced(self, peer: Peer, old: Connection, new: Connection) -> None:
        """`new` goes on with the session of `old`, in its place."""
        peer.open[peer.open.index(old)] = new
        if old in peer.leaving:
            peer.leaving[new] = peer.leaving.pop(old)
        channel, index = lane_of(old)
        if peer.lanes[channel][index] is old:
            peer.lanes[channel][index] = new
        if peer.calls is old:
            peer.calls = new

    def let_go(self, peer: Peer, connection: Connection, patience_ends: float) -> None:
        """Send nothing more on `connection`, which is about to be closed; what is sent on its lane waits meanwhile."""
        peer.leaving[connection] = patience_ends
        channel, index = lane_of(connection)
        if peer.lanes[channel][index] is connection:
            self._take_off(peer, channel, index)
            peer.waiting[channel, index] = deque()

    def keep(self, peer: Peer, connection: Connection) -> None:
        """`connection` stays after all."""
        if peer.leaving.pop(connection, None) is not None:
            self._go_on(peer, *lane_of(connection))

    def _use(self, peer: Peer, channel: str, index: int, connection: Connection) -> None:
        was_connected = peer.is_connected
        peer.lanes[channel][index] = connection
        if channel == CALLS and len(peer.lanes[channel]) == 1:
            peer.calls = connection
            peer.direct = None if peer.departures is not None and peer.departures.streams else connection
        self._host.lane_opened(peer, connection)
        connection.send_waiting(peer.waiting.pop((channel, index), ()))
        if not was_connected:
            self._host.connected(peer)

    def _take_off(self, peer: Peer, channel: str, index: int) -> None:
        if peer.calls is peer.lanes[channel][index]:
            peer.calls = peer.direct = None
        peer.lanes[channel][index] = None

    def _is_leaving(self, peer: Peer, channel: str, index: int) -> bool:
        return any(lane_of(connection) == (channel, index) for connection in peer.leaving)

    def _other(self, peer: Peer, channel: str, index: int) -> Connection | None:
        """A connection that the lane may use, if there is one already."""
        fitting = (each for each in peer.open if lane_of(each) == (channel, index) and each not in peer.leaving)
        return next(fitting, None)

    def _go_on(self, peer: Peer, channel: str, index: int) -> None:
        """Nobody can tell any more which messages of the lane came first, so it may have another connection."""
        if peer.lanes[channel][index] is not None or self._is_leaving(peer, channel, index):
            return
        other = self._other(peer, channel, index)
        waiting = peer.waiting.get((channel, index))
        if other is not None:
            self._use(peer, channel, index, other)
        elif waiting or (waiting is not None and peer.is_held and channel == CONTROL):
            self._host.dial(peer, channel, index)
        else:
            peer.waiting.pop((channel, index), None)

    def can_dial(self, peer: Peer) -> bool:
        """Whether a connection to that peer could be made, as far as is known here."""
        return not peer.is_self and self._host.can_dial(peer.node)

    def can_use(self, peer: Peer, channel: str) -> bool:
        """Whether a connection of that channel is open, or being opened, or may be dialled."""
        if peer.lanes[channel][0] is not None or (channel, 0) in peer.waiting:
            return True
        return peer.down is None and not self._must_relay(peer, channel) and self.can_dial(peer)

    def connect(self, peer: Peer) -> bool:
        """Start to open the control lane, if it is not open or being opened. Returns whether that can be tried."""
        if not self.can_dial(peer):
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
        if peer.down is not None and channel != CONTROL:
            raise NodeDown(str(peer.node), peer.down)
        waiting = peer.waiting.get((channel, index))
        if waiting is not None:
            size = sum(len(item[0]) + sum(map(len, item[1] or ())) for item in waiting) if len(waiting) % 64 == 0 else 0
            if size > WAITING_BYTES_MAX:
                raise Overloaded(str(peer.node), WAITING_BYTES_MAX)
            waiting.append((message, buffers))
        elif self._must_relay(peer, channel):
            if channel == BROADCAST:
                _send_aside(peer, message)
                return
            self._host.relay(peer.node, message, buffers, channel)
        elif self._host.can_dial(peer.node):
            peer.waiting[channel, index] = deque([(message, buffers)])
            self._host.dial(peer, channel, index)
        elif self._host.routing == "direct":
            raise NoRoute(str(peer.node), "no address of it is known and routing is 'direct'")
        else:
            self._host.relay(peer.node, message, buffers, channel)

    def _must_relay(self, peer: Peer, channel: str) -> bool:
        if self._host.routing == "direct" or channel == CONTROL:
            # The overlay dials first, or nobody would ever become a neighbour, and nobody who was cut off come back.
            return False
        if self._host.routing == "relay":
            return peer.node not in self._host.neighbours()
        return peer.relay_until > self._host.loop.time()

    def open_connection(self, peer: Peer, channel: str) -> Connection | None:
        """A connection to `peer` that can be sent on now: of that channel, or any while that one is being opened.

        None when there is no connection at all.
        """
        lanes = peer.lanes.get(channel, (None,))
        if lanes[0] is not None:
            return lanes[0]
        connection = next(iter(peer.connections()), None)
        is_new = channel in peer.lanes and (channel, 0) not in peer.waiting
        if connection is not None and is_new and not self._must_relay(peer, channel) and self.can_dial(peer):
            peer.waiting[channel, 0] = deque()
            self._host.dial(peer, channel, 0)
        return connection

    def dial_failed(self, peer: Peer, channel: str, index: int, error: Exception) -> bool:
        """That lane could not be opened: what waits for it is relayed, or fails. Returns whether it was relayed."""
        waiting = peer.waiting.pop((channel, index), ())
        if self._host.routing == "auto":
            peer.relay_until = self._host.loop.time() + REDIAL_AFTER_S
        if channel == BROADCAST:
            for message, _ in waiting:
                _send_aside(peer, message)
            return False
        try:
            for message, buffers in waiting:
                if peer.down is not None or self._host.routing == "direct":
                    raise NoRoute(str(peer.node), str(error))
                self._host.relay(peer.node, message, buffers, channel)
        except PartisanError as failure:
            # What was to be sent is lost, and nobody can tell which replies it would have brought.
            text = str(failure)
            peer.fail_pending(lambda: NoRoute(str(peer.node), text))
            return False
        return bool(waiting)

    def mark_down(self, node: NodeId, why: str) -> None:
        """That life of that node is over."""
        self._host.went_down(node)
        peer = self.peers.get(node)
        if peer is None or peer.is_self:
            return
        peer.down = why
        peer.waiting.clear()
        for connection in list(peer.open):
            channel, index = lane_of(connection)
            if peer.lanes[channel][index] is connection:
                self._take_off(peer, channel, index)
            if connection.is_paused:
                connection.abort(ConnectionAbortedError(why))  # to whom nobody reads, nothing can be written first
            else:
                connection.close()
        peer.fail_pending(lambda: NodeDown(str(node), why))

    def mark_up(self, node: NodeId) -> None:
        """That life of that node was believed to be over, and is not."""
        peer = self.peers.get(node)
        if peer is not None:
            peer.down = None

    def _deliver_locally(self, peer: Peer, message: bytes, buffers: Buffers | None) -> None:
        plain = unpack(message)
        if buffers is None:
            self._host.dispatch[plain[0]](peer, plain)
        else:
            # What crosses no wire is still copied: an actor never shares memory with its caller.
            self._host.dispatch[plain[0]](peer, plain, [bytearray(buffer) for buffer in buffers])


def _send_aside(peer: Peer, message: bytes) -> None:
    """Send a message of a broadcast protocol on another lane than its own, or drop it: they repair what is lost.

    Relayed, it would be a flood for each link of each broadcast, and bring down a cluster that is merely busy.
    """
    connection = next(iter(peer.connections()), None)
    if connection is not None:
        connection.send(message)


def lane_of(connection: Connection) -> tuple[str, int]:
    """The channel and the lane that a connection was dialled for."""
    return connection.handshake.channel, connection.handshake.lane
