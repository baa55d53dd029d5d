"""How to reach every other node: over a connection we have, over one dialled on demand, or through the overlay.

The rules this file keeps:

1. There is one `Peer` per life of a node. For each lane, one connection is *the* one we send on, from the moment it
   opens until it closes or is let go, so messages between one sender and one receiver stay in order, whoever dialled.
   One that broke stays, too, while `sessions` looks for another one to take its place. When two nodes dial each other
   at once, the one of the lesser id lets go of what the other one has dialled: in the end there are as many connections
   as the channel has lanes, and all are dialled when the first one is needed.
2. While a lane is being dialled, or its connection is being let go, its messages wait in order. When it cannot be
   dialled they are relayed, or fail.
3. A peer that is down refuses everything with NodeDown, and everything that waits for it fails. Only what the overlay
   itself says may have it dialled again: that is how a node comes back which was cut off, and not down.

`relay` is the way through the overlay, `keepalive` decides which connections are let go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from partisan_actors.errors import AuthenticationError, NodeDown, NoRoute, Overloaded, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.peer import Buffers, Peer, Pending
from partisan_actors.transport.superseding import Waiting
from partisan_actors.wire.channels import BROADCAST, CALLS, CONTROL
from partisan_actors.wire.codec import unpack
from partisan_actors.wire.envelope import head_of

if TYPE_CHECKING:
    from partisan_actors.transport.connection import Connection

__all__ = ["REDIAL_AFTER_S", "Buffers", "DirectOnly", "Peer", "Pending", "Router", "Transitive", "lane_of"]

WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
REDIAL_AFTER_S: Final = 15.0


class DirectOnly(bytes):
    """A packed message that must not be relayed, whatever the routing of its node."""


class Transitive(bytes):
    """A packed message that may be relayed, whatever the routing of its node."""


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

    def forgotten(self, node: NodeId) -> None:
        """Nobody has anything to do with that node any more."""
        ...

    def lane_opened(self, peer: Peer, connection: Connection) -> None:
        """A lane will be sent on from now on, first of all what this call sends."""
        ...


class Router:
    """Every peer this node knows, and the way to each."""

    def __init__(self, host: RouterHost) -> None:
        self._host = host
        # See `peer.Ways`; `interleaving` sets these.
        self.send_apart: Callable[[Peer, bytes, Buffers, str, int], bool] = lambda *message: False
        self.channel_without_order: Callable[[Peer, Buffers, str], str] = lambda peer, buffers, channel: channel
        # How what nodes of one host share stays where it is: see `objects.sharing`, which sets this.
        self.share: Callable[[Peer, bytes, Buffers, str, int, bool], bool] = lambda *message: False
        self.without_fallback: frozenset[str] = frozenset()
        self.peers: dict[NodeId, Peer] = {}
        # Those of them to which any connection is open: in a large cluster a few of many.
        self.open_peers: dict[Peer, None] = {}
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
        if self.peers.pop(node, None) is not None:
            self._host.forgotten(node)

    def learn_channels(self, peer: Peer, lanes: Mapping[str, int]) -> None:
        """So many lanes of each channel `peer` has: what waits for one that it lacks goes another way, or fails."""
        peer.usable = {name: lanes.get(name, 0) for name, ours in peer.lanes.items() if lanes.get(name, 0) < len(ours)}
        for channel, index in list(peer.waiting):
            if index < peer.usable.get(channel, index + 1):
                continue
            for message, buffers in peer.waiting.pop((channel, index)):
                try:
                    peer.send_on(*peer.lane_for(channel, index), message, buffers)
                except PartisanError as error:
                    peer.fail_pending(partial(NoRoute, str(peer.node), str(error)))

    # ---- connections ------------------------------------------------------------------------------------------

    def opened(self, peer: Peer, connection: Connection) -> None:
        """A connection to `peer` is ready, whoever dialled it."""
        peer.open.append(connection)
        self.open_peers[peer] = None
        peer.relay_until = 0.0
        peer.down = None  # whoever shakes hands is alive; it will say so to everybody when it hears what is believed
        channel, index = lane_of(connection)
        if peer.lanes[channel][index] is None and not self._is_leaving(peer, channel, index):
            self._use(peer, channel, index, connection)

    def closed(self, peer: Peer, connection: Connection) -> bool:
        """A connection closed. Returns whether it broke while it was in use, and was not let go."""
        peer.open.remove(connection)
        if not peer.open:
            self.open_peers.pop(peer, None)
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
        if peer.direct is old:
            peer.direct = new

    def let_go(self, peer: Peer, connection: Connection, patience_ends: float) -> None:
        """Send nothing more on `connection`, which is about to be closed; what is sent on its lane waits meanwhile."""
        peer.leaving[connection] = patience_ends
        channel, index = lane_of(connection)
        if peer.lanes[channel][index] is connection:
            self._take_off(peer, channel, index)
            peer.waiting[channel, index] = Waiting()

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
        connection.send_waiting(peer.waiting.pop((channel, index), Waiting()))
        if not was_connected:
            self._host.connected(peer)

    def _take_off(self, peer: Peer, channel: str, index: int) -> None:
        if peer.calls is peer.lanes[channel][index]:
            peer.calls = peer.direct = None
        peer.lanes[channel][index] = None

    def _is_leaving(self, peer: Peer, channel: str, index: int) -> bool:
        return any(lane_of(connection) == (channel, index) for connection in peer.leaving)

    def _other(self, peer: Peer, channel: str, index: int, but: Connection | None = None) -> Connection | None:
        """A connection that the lane may use, if there is one already, and not `but`."""
        for each in peer.open:
            if lane_of(each) == (channel, index) and each is not but and each not in peer.leaving:
                return each
        return None

    def has_other(self, peer: Peer, connection: Connection) -> bool:
        """Whether the lane of `connection` could do without it."""
        return self._other(peer, *lane_of(connection), but=connection) is not None

    def surplus(self, peer: Peer, connection: Connection) -> Connection | None:
        """The connection that this node has to let go of now that `connection` is open, if there is one: see rule 1."""
        if self.me.node > peer.node or connection in peer.leaving or not self.has_other(peer, connection):
            return None
        same = [each for each in peer.open if lane_of(each) == lane_of(connection) and each not in peer.leaving]
        theirs = [each for each in same if not each.session.is_ours]
        return theirs[0] if len(theirs) < len(same) and theirs else None

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
            peer.waiting[CONTROL, 0] = Waiting()
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
        elif self._must_relay(peer, channel, message):
            if channel == BROADCAST:
                _send_aside(peer, message)
                return
            self._host.relay(peer.node, bytes(message), buffers, channel)
        elif self._may_dial(peer, message):
            peer.waiting[channel, index] = Waiting([(message, buffers)])
            self._dial(peer, channel, index)
        elif self._routing_of(message) == "direct":
            raise NoRoute(str(peer.node), "no address of it is known, or may be used, and nobody may pass it on")
        else:
            self._host.relay(peer.node, bytes(message), buffers, channel)

    def send_bound(self, peer: Peer, message: bytes, buffers: Buffers | None, channel: str, affinity: int) -> None:
        """Send a DirectOnly or Transitive message as `Peer.send_large` does.

        Raises as that does, and NoRoute for a DirectOnly one to which there is no connection, nor can be.
        """
        _, index = way = peer.lane_for(channel, affinity)
        if peer.is_self or peer.lanes[way[0]][index] is not None:
            peer.send_large(bytes(message), buffers or (), channel, affinity)
        else:
            self.send_otherwise(peer, *way, message, buffers)

    def _routing_of(self, message: bytes) -> str:
        if type(message) is DirectOnly:
            return "direct"
        return "auto" if type(message) is Transitive and self._host.routing == "direct" else self._host.routing

    def _may_dial(self, peer: Peer, message: bytes) -> bool:
        is_left_to_overlay = type(message) is DirectOnly and self._host.routing == "relay"
        return not is_left_to_overlay and self._host.can_dial(peer.node)

    def _must_relay(self, peer: Peer, channel: str, message: bytes = b"") -> bool:
        if self._routing_of(message) == "direct" or channel == CONTROL:
            # The overlay dials first, or nobody would ever become a neighbour, and nobody who was cut off come back.
            return False
        if self._host.routing == "relay":
            return peer.node not in self._host.neighbours()
        return peer.relay_until > self._host.loop.time()

    def open_connection(self, peer: Peer, channel: str) -> Connection | None:
        """A connection to `peer` that can be sent on now: of that channel, or any while that one is being opened.

        None when there is no connection at all.
        """
        channel = CALLS if peer.usable.get(channel) == 0 else channel
        lanes = peer.lanes.get(channel, (None,))
        if lanes[0] is not None:
            return lanes[0]
        connection = next(iter(peer.connections()), None)
        is_new = channel in peer.lanes and (channel, 0) not in peer.waiting
        if connection is not None and is_new and not self._must_relay(peer, channel) and self.can_dial(peer):
            peer.waiting[channel, 0] = Waiting()
            self._dial(peer, channel, 0)
        return connection

    def _dial(self, peer: Peer, channel: str, index: int) -> None:
        """Have that lane opened, for which something may wait, and the channel's others, which will be needed soon."""
        self._host.dial(peer, channel, index)
        for other, connection in enumerate(peer.lanes[channel][: peer.usable.get(channel)]):
            key = channel, other
            if connection is None and key not in peer.waiting and not self._is_leaving(peer, channel, other):
                peer.waiting[key] = Waiting()
                self._host.dial(peer, channel, other)

    def dial_failed(self, peer: Peer, channel: str, index: int, error: Exception) -> bool:
        """That lane could not be opened: what waits for it is relayed, or fails. Returns whether it was relayed."""
        waiting = peer.waiting.pop((channel, index), Waiting())
        # Who answers that it has no such lane can be reached, and not on that one.
        if self._host.routing == "auto" and not isinstance(error, AuthenticationError):
            peer.relay_until = self._host.loop.time() + REDIAL_AFTER_S
        if channel == BROADCAST:
            for message, _ in waiting:
                _send_aside(peer, message)
            return False
        try:
            for message, buffers in waiting:
                if type(message) is DirectOnly:
                    _refuse(peer, message, error)
                    continue
                if peer.down is not None or self._routing_of(message) == "direct":
                    raise NoRoute(str(peer.node), str(error))
                self._host.relay(peer.node, bytes(message), buffers, channel)
        except PartisanError as failure:
            # What was to be sent is lost, and nobody can tell which replies it would have brought.
            text = str(failure)
            peer.fail_pending(lambda: NoRoute(str(peer.node), text))
            return False
        return bool(waiting)

    def hurry_broadcasts(self) -> None:
        """Send what waits for lanes of the broadcast channel over others: this node goes before those are open."""
        for peer in self.peers.values():
            for key in [key for key in peer.waiting if key[0] == BROADCAST]:
                for message, _ in peer.waiting.pop(key):
                    _send_aside(peer, message)

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


def _refuse(peer: Peer, message: bytes, error: Exception) -> None:
    """A message that was to go directly cannot. If it asks something, whoever asked is told; others hear nothing."""
    _, number = head_of(message)
    waiting = peer.pending.pop(number, None)
    if waiting is not None:
        waiting.fail(NoRoute(str(peer.node), f"it cannot be dialled, and nobody may pass it on: {error}"))


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
