"""What becomes of a node's connections: who may open one, who is told that one is open, and of what is lost with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from partisan_actors.errors import AuthenticationError, PartisanError, ProtocolError, ResumeDeclined
from partisan_actors.ids import NodeId
from partisan_actors.node.addresses import Addresses
from partisan_actors.node.answering import Answering
from partisan_actors.node.delivery import Delivery
from partisan_actors.node.dialling import Dialling
from partisan_actors.node.directory import Directory
from partisan_actors.node.driver import Driver
from partisan_actors.node.events import Subscriptions
from partisan_actors.node.interleaving import Interleaving
from partisan_actors.node.keepalive import KeepAlive
from partisan_actors.node.presence import VERDICT_S
from partisan_actors.node.refusals import Refusals
from partisan_actors.node.router import Peer, Router
from partisan_actors.node.sessions import Sessions
from partisan_actors.node.traffic import Traffics
from partisan_actors.node.troubles import Troubles, place_of
from partisan_actors.transport.connection import Connection
from partisan_actors.wire.channels import BROADCAST, BULK, CONTROL

__all__ = ["Connections", "reason_of"]

# The channels of protocols, whose messages have no replies.
_WITHOUT_REPLIES: Final = frozenset({CONTROL, BROADCAST})


class ConnectionsHost(Protocol):
    """What this needs of its node."""

    me: NodeId
    cluster: str
    has_left: bool
    is_closing: bool
    loop: asyncio.AbstractEventLoop
    addresses: Addresses
    answering: Answering
    delivery: Delivery
    dialling: Dialling
    directory: Directory
    driver: Driver
    events: Subscriptions
    keep_alive: KeepAlive
    router: Router
    sessions: Sessions
    interleaving: Interleaving
    dispatch: list[Callable[..., None]]
    connection_lost_error: Callable[[Peer, str], PartisanError]
    refusals: Refusals
    traffics: Traffics
    troubles: Troubles


class Connections:
    """Told of every connection of one node: a `transport.connection.ConnectionOwner`."""

    def __init__(self, host: ConnectionsHost) -> None:
        self._host = host
        self.dispatch = host.dispatch

    def admit(self, connection: Connection) -> int:
        self._check_may_open(connection)
        return self._host.sessions.admit(connection)

    def _check_may_open(self, connection: Connection) -> None:
        host = self._host
        identity = connection.handshake.peer
        assert identity is not None
        if not host.cluster:
            host.cluster = identity.cluster
        known = host.router.peers.get(identity.node)
        if known is not None and known.open and known.is_observer != identity.observer:
            raise AuthenticationError(str(known.node), "of two with this id, one is an observer and the other is not")
        if identity.node == host.me:
            raise AuthenticationError(str(host.me), "a node cannot connect to itself")
        # Only the first connection of a join is this node's own to make; what else it dials was begun before it left.
        is_joining = connection.handshake.dialler and connection.handshake.channel == CONTROL
        if host.has_left and not identity.observer and not is_joining:
            raise AuthenticationError(str(host.me), "it has left its cluster, and takes nobody in until it joins again")

    def opened(self, connection: Connection) -> None:
        host = self._host
        identity = connection.handshake.peer
        assert identity is not None
        connection.dispatch = host.answering.dispatch_on(connection.handshake.channel)
        if connection.handshake.dialler:
            self._check_may_open(connection)
        # A session that begins late, on a connection that was accepted, has no peer yet: see `Sessions`, rule 3.
        if connection.handshake.resume is not None and (connection.handshake.dialler or connection.peer is not None):
            host.sessions.opened(connection)
            host.dialling.opened(connection)
            return
        peer = host.router.peer(identity.node)
        connection.peer = peer
        peer.is_observer = identity.observer
        peer.was_dialled = peer.was_dialled or connection.handshake.dialler
        if identity.addresses and not identity.observer:
            host.addresses.learn(identity.node, identity.addresses)
        host.router.learn_channels(peer, identity.channels)
        host.router.opened(peer, connection)
        host.events.connection_opened(peer, connection.handshake.channel)
        host.dialling.opened(connection)
        surplus = host.router.surplus(peer, connection)
        if surplus is not None:
            host.keep_alive.let_go(peer, surplus, host.loop.time())

    def broke(self, connection: Connection, error: BaseException) -> bool:
        return self._host.sessions.broke(connection, error)

    def closed(self, connection: Connection, error: BaseException | None) -> None:
        host = self._host
        host.dialling.closed(connection, error)
        host.sessions.closed(connection)
        peer: Peer | None = connection.peer
        if peer is None:
            host.sessions.unheard(connection)
            # Who dialled is told by `Dialling.open`, and says it as it sees fit.
            if not connection.handshake.dialler and not isinstance(error, ResumeDeclined):
                host.refusals.refused(error)
            return
        if isinstance(error, ProtocolError):
            host.refusals.broke(str(peer.node), error)
        host.traffics.closed(connection)
        bulk_lane = peer.lanes[BULK].index(connection) if connection in peer.lanes[BULK] else None
        broke = host.router.closed(peer, connection)
        host.delivery.closed(peer, connection)
        host.events.connection_closed(peer, connection.handshake.channel)
        if peer.is_observer and not peer.is_connected:
            # It cannot be dialled and never comes back: answers it did not wait for go nowhere.
            host.router.mark_down(peer.node, "the observer has gone")
            host.router.forget(peer.node)
            return
        if host.is_closing or not broke:
            return
        if bulk_lane is not None:
            host.interleaving.bulk_lost(peer, bulk_lane)
        if peer.pending and peer.down is None and connection.handshake.channel not in _WITHOUT_REPLIES:
            # Whether it was to carry the question or the answer: nobody can tell which of them are lost.
            text = reason_of(error)
            if host.directory.keeper(peer.node) is None:
                peer.fail_pending(lambda: host.connection_lost_error(peer, text))
            else:  # whose process it is will say in a moment how it ended, or it lives
                host.loop.call_later(VERDICT_S, self._without_verdict, peer, list(peer.pending), text)
        if not peer.is_connected:
            host.loop.call_soon(self._peer_lost, peer)

    def _without_verdict(self, peer: Peer, numbers: list[int], text: str) -> None:
        for number in numbers if peer.down is None else ():
            lost = peer.pending.pop(number, None)
            if lost is not None:
                lost.fail(self._host.connection_lost_error(peer, text))

    def _peer_lost(self, peer: Peer) -> None:
        if peer.is_connected or self._host.is_closing:
            return
        record = self._host.directory.find(peer.node)
        if peer.down is None and record is not None and not record.is_live:
            # It shook hands as it went, after its end was known here: who asks it something waits for nobody.
            self._host.router.mark_down(peer.node, record.why_not)
        self._host.driver.peer_down(peer.node)

    def failed(self, connection: Connection, error: Exception) -> None:
        what = f"a message from {connection.peer} was not handled"
        self._host.troubles.tell(f"message: {place_of(error)}", what, error)


def reason_of(error: BaseException | None) -> str:
    """Why a connection could not be made, or is gone, in words."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nobody listens there"
    return str(error) or type(error).__name__
