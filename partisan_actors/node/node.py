"""A node: one life of one member of the cluster. Owns the transport, the router, the driver and the directory.

Start: listen, start the protocol stack, join through contacts, announce the record. Stop: tell the others, wait for
what is queued, close. Everything runs on one event loop; the methods marked so may be called from other threads.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from partisan_actors.errors import AuthenticationError, NotYetConnected, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.background import Background
from partisan_actors.node.config import NodeConfig, host_name
from partisan_actors.node.directory import DOWN, LEFT, PREFIX, UP, Directory, NodeRecord
from partisan_actors.node.driver import Driver
from partisan_actors.node.keepalive import KeepAlive
from partisan_actors.node.overlays import make_stack
from partisan_actors.node.router import Peer, Router
from partisan_actors.protocols.broadcast.exchange import Refused
from partisan_actors.protocols.broadcast.lww_map import Changed
from partisan_actors.protocols.machine import Deliver
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import RelayHop
from partisan_actors.transport.base import Transport
from partisan_actors.wire.channels import CALLS, CONTROL
from partisan_actors.transport.connection import Connection, Flusher
from partisan_actors.transport.tcp import TcpTransport
from partisan_actors.wire.addresses import parse_address, with_port
from partisan_actors.wire.frames import Kind
from partisan_actors.wire.handshake import Handshake, Identity

__all__ = ["Node"]

logger = logging.getLogger(__name__)

NONCE_BYTES: Final = 16
ADDRESSES_MAX: Final = 65_536
FLUSH_AT_CLOSE_S: Final = 1.0
EVENTS_MAX: Final = 1000


class Node:
    """One node. `start` before anything else; everything belongs to the loop it was started on.

    `transport`, `clock` and `rng` are arguments so that the same code runs in memory, in virtual time, from a seed.
    """

    def __init__(
        self,
        config: NodeConfig,
        loop: asyncio.AbstractEventLoop,
        *,
        transport: Transport | None = None,
        recorder: Recorder | None = None,
        incarnation: int | None = None,
    ) -> None:
        self.config = config
        self.loop = loop
        self.me = NodeId(config.name, incarnation if incarnation is not None else time.time_ns() // 1000)
        self.cluster = config.cluster
        self.lanes = {name: options.parallelism for name, options in config.channels.items()}
        self.routing = config.routing
        self.recorder = recorder or Recorder()
        self.rng = random.Random(config.seed if config.seed is not None else secrets.randbits(64))
        self.background = Background(loop)
        self.flusher = Flusher(loop)
        self.dispatch: list[Callable[..., None]] = [self._unexpected] * Kind.COUNT
        self.directory = Directory(self.me)
        self.address = ""
        self.on_entry: dict[str, Callable[[Changed], None]] = {PREFIX: self._node_entry}
        self.on_topic: dict[str, Callable[[Deliver], None]] = {}
        self.on_neighbours: list[Callable[[], None]] = []
        self.on_sweep: list[Callable[[], None]] = []
        self.describe_load: Callable[[], dict[str, Any]] = dict
        self.refused_connections = 0
        self.stopped = asyncio.Event()
        self._transport = transport or TcpTransport(loop)
        self._book: dict[NodeId, tuple[str, ...]] = {}
        self._connections: set[Connection] = set()
        self._opening: dict[Connection, asyncio.Future[Connection]] = {}
        self.router = Router(self)
        self.driver = Driver(make_stack(self.me, config, self.rng), self.router, self, self, loop)
        self.dispatch[Kind.CONTROL] = self.driver.on_control
        self.dispatch[Kind.RELAY] = self.router.on_relay
        self._keep_alive = KeepAlive(self.router, config.keep_alive_s, config.keep_alive_misses, config.idle_close_s)
        self.dispatch[Kind.PING] = self._keep_alive.on_ping
        self.dispatch[Kind.PONG] = self._keep_alive.on_pong
        self._version = 0
        self._last_written: NodeRecord | None = None
        self._is_closing = False

    # ---- life -------------------------------------------------------------------------------------------------

    async def start(self, contacts: Sequence[str] = ()) -> None:
        """Listen and join. Raises ConfigError when the address cannot be bound, NotYetConnected or
        AuthenticationError when no contact takes us in."""
        self.address = await self._transport.listen(self.config.bind, self._accept)
        self._book[self.me] = self._advertised()
        self.driver.start()
        try:
            if contacts:
                await self._join_any(contacts)
        except BaseException:
            await self.close(graceful=False)
            raise
        self.cluster = self.cluster or f"cluster-{secrets.token_hex(4)}"
        self.publish_record()
        self.background.start(self._keep_alive.run(), "keep-alive")
        self.background.start(self._publish_load(), "load")

    async def close(self, graceful: bool = True) -> None:
        """Leave the cluster and close every connection. May be called twice."""
        if self._is_closing:
            await self.stopped.wait()
            return
        self._is_closing = True
        if graceful:
            self.publish_record(state=LEFT)
            self.driver.leave()
            self.flusher.flush()
            # One turn for what the others answer, then everything queued is written before closing.
            await asyncio.sleep(0)
        self.driver.close()
        await self.background.close()
        await self._transport.close()
        for connection in list(self._connections):
            connection.close()
        deadline = self.loop.time() + FLUSH_AT_CLOSE_S
        while self._connections and self.loop.time() < deadline:
            await asyncio.sleep(0.005)
        for connection in list(self._connections):
            connection.abort(ConnectionAbortedError("this node stopped"))
        for peer in list(self.router.peers.values()):
            peer.down = peer.down or "this node has stopped"
            peer.fail_pending(lambda: NotYetConnected(str(self.me), "this node has stopped"))
        self.stopped.set()

    def _advertised(self) -> tuple[str, ...]:
        host, port = parse_address(self.address)
        if self.config.advertise:
            return tuple(with_port(address, port) for address in self.config.advertise)
        if host in ("0.0.0.0", "::"):
            return (f"{host_name()}:{port}",)
        return (self.address,)

    async def _join_any(self, contacts: Sequence[str]) -> None:
        failures: list[PartisanError] = []
        for address in contacts:
            try:
                peer = await self.connect(address)
            except (NotYetConnected, AuthenticationError) as error:
                failures.append(error)
                continue
            self.driver.join(peer.node)
            return
        raise failures[0]

    async def connect(self, address: str, expected: NodeId | None = None) -> Peer:
        """A control connection to whoever listens at `address`, or an observer's one connection, which is for calls.

        Raises NotYetConnected when nobody answers, AuthenticationError when it is not one of ours, or not `expected`.
        """
        parse_address(address)
        try:
            connection = await self._open(address, CALLS if self.config.observer else CONTROL, 0, expected)
        except AuthenticationError as error:
            raise AuthenticationError(f"{address} ({error.peer})", error.why) from error
        except (OSError, TimeoutError, PartisanError) as error:
            raise NotYetConnected(address, _reason(error)) from error
        peer: Peer = connection.peer
        return peer

    # ---- the record of this node ------------------------------------------------------------------------------

    def publish_record(self, state: int = UP) -> None:
        """Announce this node's record, if it says anything new."""
        load = self.describe_load()
        record = NodeRecord(
            node=self.me,
            addresses=self._book[self.me],
            state=state,
            overlay=self.config.overlay,
            host=host_name(),
            pid=os.getpid(),
            hosts_actors=self.config.hosts_actors,
            labels=self.config.labels,
            neighbours=tuple(sorted(node.name for node in self.neighbours())),
            **load,
        )
        if record == self._last_written:
            return
        self._last_written = record
        known = self.directory.stamps.get(self.me.name)
        self._version = max(self._version, known[1] if known and known[0] == self.me.incarnation else 0) + 1
        self.driver.write(PREFIX + self.me.name, (self.me.incarnation, self._version, state), record.plain())

    async def _publish_load(self) -> None:
        while True:
            # Spread, so that a thousand nodes started together do not speak together.
            await asyncio.sleep(self.config.load_period_s * self.rng.uniform(0.5, 1.5))
            self.publish_record()
            for sweep in self.on_sweep:
                sweep()

    def _node_entry(self, changed: Changed) -> None:
        is_false = self.directory.changed(changed.key, changed.after.stamp, changed.after.value)
        if is_false and not self._is_closing:
            # Somebody believes that this node is down: refute it with a higher version.
            self._last_written = None
            self.loop.call_soon(self.publish_record)
            return
        record = self.directory.records.get(changed.key.removeprefix(PREFIX))
        if record is None:
            return
        if record.state == UP:
            self.learn(record.node, record.addresses)
        elif record.node != self.me:
            self.router.mark_down(record.node, "it left the cluster" if record.state == LEFT else "it does not answer")

    # ---- DriverHost -------------------------------------------------------------------------------------------

    def neighbour_up(self, node: NodeId) -> None:
        self.loop.call_soon(self._neighbours_changed)

    def neighbour_down(self, node: NodeId, failed: bool) -> None:
        self.loop.call_soon(self._neighbours_changed)
        if failed and not self._is_closing:
            self.background.start(self._verify(node), f"verify {node}")

    def _neighbours_changed(self) -> None:
        for tell in self.on_neighbours:
            tell()
        if not self._is_closing:
            self.publish_record()

    def delivered(self, deliver: Deliver) -> None:
        handler = self.on_topic.get(deliver.topic)
        if handler is not None:
            handler(deliver)

    def entry_changed(self, changed: Changed) -> None:
        prefix, slash, _ = changed.key.partition("/")
        handler = self.on_entry.get(prefix + slash)
        if handler is not None:
            handler(changed)

    def entry_refused(self, refused: Refused) -> None:
        logger.error("the cluster's map is full (%d entries): %s is not announced", refused.entries_max, refused.key)

    async def _verify(self, node: NodeId) -> None:
        """A neighbour's connection broke: is it down? Ask it once more; if it does not answer, tell everybody."""
        if self.router.peer(node).is_connected:
            return
        for address in self.addresses_of(node):
            try:
                await self._open(address, CONTROL, 0, node)
            except (OSError, TimeoutError, PartisanError):
                continue
            return
        self.declare_down(node)

    def declare_down(self, node: NodeId) -> None:
        """Tell the cluster that this life of this node is over; it refutes that if it is not."""
        record = self.directory.find(node)
        stamp = self.directory.stamps.get(node.name)
        if record is None or stamp is None or record.state != UP:
            self.router.mark_down(node, "it does not answer")
            return
        logger.info("node %s is down", node)
        self.driver.write(PREFIX + node.name, (stamp[0], stamp[1], DOWN), record.plain())

    # ---- AddressBook ------------------------------------------------------------------------------------------

    def addresses_of(self, node: NodeId) -> Sequence[str]:
        return self._book.get(node, ())

    def learn(self, node: NodeId, addresses: Iterable[str]) -> None:
        if node != self.me:
            self._book[node] = tuple(addresses)
            if len(self._book) > ADDRESSES_MAX:
                self._book.pop(next(iter(self._book)))

    # ---- RouterHost -------------------------------------------------------------------------------------------

    def can_dial(self, node: NodeId) -> bool:
        return bool(self._book.get(node))

    def neighbours(self) -> Sequence[NodeId]:
        return self.driver.stack.neighbours  # type: ignore[return-value]  # peers are NodeIds on a real node

    def dial(self, peer: Peer, channel: str, index: int) -> None:
        self.background.start(self._dial(peer, channel, index), f"dial {peer.node} {channel}/{index}")

    def relayed(
        self,
        origin: NodeId,
        destination: NodeId,
        came_from: NodeId,
        next_hop: NodeId | None,
        ttl: int,
        hops: int,
        meta: Any,
    ) -> None:
        recorder = self.recorder
        if next_hop is None or origin == self.me or not recorder.hops_enabled or not isinstance(meta, bytes):
            return
        parent = TraceContext.unpack(meta)
        if parent is not None and parent.is_sampled:
            now = recorder.clock()
            context = recorder.child_of(parent)
            reason = "tree" if self.router.next_hops.get(destination) == next_hop else "no_direct_link"
            recorder.record(RelayHop(context, now, now, "calls", hops, ttl, came_from, next_hop, reason))

    # ---- connections ------------------------------------------------------------------------------------------

    async def _dial(self, peer: Peer, channel: str, index: int) -> None:
        error: Exception = ConnectionError("no address is known")
        for address in self.addresses_of(peer.node):
            if peer.lanes[channel][index] is not None:
                return  # it dialled us meanwhile
            try:
                await self._open(address, channel, index, peer.node)
                return
            except (OSError, TimeoutError, PartisanError) as failure:
                error = failure
        if peer.lanes[channel][index] is None:
            self.router.dial_failed(peer, channel, index, error)
            if not peer.is_connected:
                self.driver.peer_down(peer.node)

    async def _open(self, address: str, channel: str, index: int, expected: NodeId | None) -> Connection:
        """Dial and shake hands. Raises OSError, TimeoutError, AuthenticationError or ProtocolError."""
        handshake = Handshake(
            self._identity(), self.config.cookie, secrets.token_bytes(NONCE_BYTES), True, channel, index, expected
        )
        connection = self._make_connection(handshake)
        opening = self._opening[connection] = self.loop.create_future()
        try:
            async with asyncio.timeout(self.config.dial_timeout_s):
                await self._transport.dial(address, lambda: connection)
                return await opening
        except TimeoutError as error:
            connection.abort(error)
            raise TimeoutError(f"no answer within {self.config.dial_timeout_s:g} s") from error
        finally:
            self._opening.pop(connection, None)

    def _accept(self) -> Connection:
        return self._make_connection(
            Handshake(self._identity(), self.config.cookie, secrets.token_bytes(NONCE_BYTES), dialler=False)
        )

    def _make_connection(self, handshake: Handshake) -> Connection:
        options = self.config.channels.get(handshake.channel or CONTROL)
        queue_bytes_max = options.queue_bytes_max if options else 64 * 1024 * 1024
        connection = Connection(self, self.flusher, handshake, queue_bytes_max, self.config.message_bytes_max)
        self._connections.add(connection)
        return connection

    def _identity(self) -> Identity:
        return Identity(self.me, self.cluster, self._book.get(self.me, ()), self.lanes, self.config.observer)

    # ---- ConnectionOwner --------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        identity = connection.handshake.peer
        assert identity is not None
        if not self.cluster:
            self.cluster = identity.cluster
        if identity.node == self.me:
            raise AuthenticationError(str(self.me), "a node cannot connect to itself")
        if connection.handshake.channel == CALLS:
            connection.allow_threads()
        peer = self.router.peer(identity.node)
        connection.peer = peer
        peer.is_observer = identity.observer
        if not identity.observer:
            if identity.addresses:
                self.learn(identity.node, identity.addresses)
            was_connected = peer.is_connected
            self.router.opened(peer, connection)
            if not was_connected:
                self.loop.call_soon(self.driver.peer_up, identity.node)
        else:
            self.router.opened(peer, connection)
        opening = self._opening.get(connection)
        if opening is not None and not opening.done():
            opening.set_result(connection)

    def closed(self, connection: Connection, error: BaseException | None) -> None:
        self._connections.discard(connection)
        opening = self._opening.get(connection)
        if opening is not None and not opening.done():
            opening.set_exception(error or ConnectionResetError("closed during the handshake"))
        peer: Peer | None = connection.peer
        if peer is None:
            self.refused_connections += 1
            if isinstance(error, AuthenticationError):
                logger.warning("refused a connection: %s", error)
            return
        was_ours = self.router.closed(peer, connection)
        if peer.is_observer and not peer.is_connected:
            # It cannot be dialled and never comes back: answers it did not wait for go nowhere.
            self.router.mark_down(peer.node, "the observer has gone")
            self.router.forget(peer.node)
            return
        if self._is_closing:
            return
        if was_ours and peer.pending and peer.down is None and peer.calls is None:
            text = _reason(error)
            peer.fail_pending(lambda: self.connection_lost_error(peer, text))
        if was_ours and not peer.is_connected and connection.close_reason is not IDLE:
            self.loop.call_soon(self._peer_lost, peer)

    def connection_lost_error(self, peer: Peer, why: str) -> PartisanError:
        """What a call gets whose connection broke while the node may well be alive. Replaced by the actors' floor."""
        return NotYetConnected(str(peer.node), why)

    def _peer_lost(self, peer: Peer) -> None:
        if not peer.is_connected and not self._is_closing:
            self.driver.peer_down(peer.node)

    def failed(self, connection: Connection, error: Exception) -> None:
        logger.error("a message from %s could not be handled", connection.peer, exc_info=error)

    def _unexpected(self, peer: Peer, message: list[Any], buffers: object = None) -> None:
        logger.warning("node %s sent a message of kind %r, which this node does not take", peer.node, message[0])


# The reason of a connection that was closed because nobody used it.
IDLE: Final = ConnectionAbortedError("idle")


def _reason(error: BaseException | None) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nobody listens there"
    return str(error) or type(error).__name__
