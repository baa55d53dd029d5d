"""A node: one life of one member of the cluster. Owns the transport, the router, the driver and the directory.

Start: listen, start the protocol stack, join through contacts, announce the record. Stop: tell the others, wait for
what is queued, close. Everything runs on one event loop; the methods marked so may be called from other threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from partisan_actors.errors import AuthenticationError, NotYetConnected, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.addresses import Addresses
from partisan_actors.node.answering import Answering
from partisan_actors.node.background import Background
from partisan_actors.node.binding import advertised
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.connections import Connections, reason_of
from partisan_actors.node.delivery import Delivery
from partisan_actors.node.detection import Detection
from partisan_actors.node.dialling import DIAL_ERRORS, Dialling
from partisan_actors.node.directory import LEFT, PREFIX, Directory
from partisan_actors.node.directory import UP as STATE_UP
from partisan_actors.node.door import open_door
from partisan_actors.node.driver import Driver
from partisan_actors.node.events import DOWN, UP, NodeEvent, Subscriptions
from partisan_actors.node.former_lives import FormerLives
from partisan_actors.node.hops import Hops
from partisan_actors.node.interleaving import Interleaving
from partisan_actors.node.keepalive import KeepAlive
from partisan_actors.node.membership import Membership
from partisan_actors.node.overlay_spans import OverlaySpans
from partisan_actors.node.overlays import make_stack
from partisan_actors.node.presence import Presence
from partisan_actors.node.refusals import Refusals
from partisan_actors.node.rejoining import incarnation_after, recall, remember
from partisan_actors.node.relay import Relay
from partisan_actors.node.repair import Repair
from partisan_actors.node.router import Buffers, Peer, Router
from partisan_actors.node.saved_members import SavedMembers
from partisan_actors.node.sessions import Sessions
from partisan_actors.node.strangers import Strangers
from partisan_actors.node.topics import Topics
from partisan_actors.node.traffic import Traffics
from partisan_actors.node.troubles import Troubles
from partisan_actors.node.world import World
from partisan_actors.protocols.broadcast.exchange import EXCHANGE_TOPIC, Refused
from partisan_actors.protocols.broadcast.handler import HandlerFailed
from partisan_actors.protocols.broadcast.lww_map import Changed, Update
from partisan_actors.protocols.machine import Deliver, StrategyFault
from partisan_actors.telemetry.event_feed import EventFeed
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.transport.base import Transport
from partisan_actors.transport.connection import Connection
from partisan_actors.transport.flusher import Flusher
from partisan_actors.wire.addresses import parse_address
from partisan_actors.wire.channels import BUILT_IN, BULK, CALLS, CONTROL
from partisan_actors.wire.frames import Kind
from partisan_actors.wire.handshake import Identity

__all__ = ["Node", "Transport"]

logger = logging.getLogger(__name__)


class Node:
    """One node. `start` before anything else; everything belongs to the loop it was started on.

    The loop, the transport, the `World` and the seed (in `config`) are arguments, so that the same code runs in
    memory, in virtual time, and twice alike.
    """

    def __init__(
        self,
        config: NodeConfig,
        loop: asyncio.AbstractEventLoop,
        *,
        transport: Transport | None = None,
        recorder: Recorder | None = None,
        incarnation: int | None = None,
        world: World | None = None,
    ) -> None:
        self.config, self.loop = config, loop
        self.world = world = world or World()
        self.feed = EventFeed(config.name, world.wall_clock_ns)
        self.troubles = Troubles(partial(self.feed.tell, "node.trouble", config.name))
        self._members_file = SavedMembers(config.data_dir, config.name) if config.data_dir else None
        self._saved = saved = recall(self._members_file, config, self.troubles)
        life = incarnation if incarnation is not None else incarnation_after(saved, world.wall_clock_ns())
        self.me = NodeId(config.name, life)
        self.cluster = config.cluster or (saved.cluster if saved is not None else "")
        self.lanes = {name: options.parallelism for name, options in config.channels.items()}
        self.routing = config.routing
        self.recorder = recorder if recorder is not None else Recorder()
        self.rng = random.Random(config.seed if config.seed is not None else world.token_bytes(8))
        self.background = Background(loop)
        self.flusher = Flusher(loop)
        self.dispatch: list[Callable[..., None]] = [self._unexpected] * Kind.COUNT
        self.answering, self.directory = Answering(self.dispatch, self.lanes), Directory(self.me)
        self.events = Subscriptions(self)
        self.addresses = Addresses(self.me)
        self.address = ""
        # Who wants to know of entries of the replicated map, by how their keys begin: called with key, stamp, value.
        self.on_entry: dict[str, Callable[[str, tuple[int, ...], Any], None]] = {}
        self.on_neighbours: list[Callable[[], None]] = []
        self.on_sweep: list[Callable[[], None]] = []
        # Who wants to know that others believed this node to be down, and acted on it.
        self.on_given_up: list[Callable[[], None]] = []
        self.describe_load: Callable[[], dict[str, Any]] = dict
        # What a call gets whose connection broke while the node may well be alive. The actors' floor words it.
        self.connection_lost_error: Callable[[Peer, str], PartisanError] = _connection_lost
        self.refusals = Refusals()
        self.stopped = asyncio.Event()
        self.is_closing = self.is_leaving = False
        # Whether this node has left its cluster, and joined none since.
        self.has_left = False
        # Who wants to know that this node leaves, and why: told before it forgets the others.
        self.on_left: list[Callable[[str], None]] = []
        door, self.credentials = open_door(config, loop, transport, self.troubles)
        make = (self.flusher, Connections(self), self._identity, world.token_bytes, self.credentials)
        self.dialling = Dialling(config, loop, door, *make)
        self.router = Router(self)
        self.sessions, self.traffics = Sessions(self), Traffics(self.router)
        self.interleaving = Interleaving(self, self.router, config.channels, config.observer)
        self.topics = Topics(self)
        self.relays = Relay(self, self.router, Hops(self.recorder))
        self.delivery = Delivery(self, self.router)
        stack = make_stack(self.me, config, self.rng, self._is_known)
        self.driver = Driver(stack, self.router, self, self.addresses, loop, OverlaySpans(self.recorder, stack))
        self.addresses.on_former_life = FormerLives(self.router, self.driver, loop).named
        self._presence = Presence(self)
        self.membership = Membership(self, self._presence)
        self.join_refused, self.evicted = self.membership.refused, self.membership.evicted
        self._rejoining = remember(self, self._members_file, self._saved, self.membership.enter)
        self._repair = Repair(self, self.driver.join, self._presence.look_into)
        self.keep_alive = KeepAlive(self.router, config, loop, self.directory.is_doubtful)
        self.detection = Detection(self, self._presence)
        self.on_accused = self.detection.accused
        self.on_record = self.detection.record_changed
        self.on_sweep += [self._repair.sweep, Strangers(self.router, self.directory, loop).sweep]
        self.on_entry[PREFIX] = self._presence.entry_changed
        self._take_messages()

    @property
    def refused_connections(self) -> int:
        """How many connections were closed before the other side had proven itself."""
        return self.refusals.count(after_handshake=False)

    @property
    def broken_connections(self) -> int:
        """How many were closed after that, because the other side broke the protocol."""
        return self.refusals.count(after_handshake=True)

    def _take_messages(self) -> None:
        self.dispatch[Kind.CONTROL] = self.driver.on_control
        self.dispatch[Kind.RELAY] = self.relays.on_relay
        self.dispatch[Kind.PING] = self.keep_alive.on_ping
        self.dispatch[Kind.PONG] = self.keep_alive.on_pong
        self.dispatch[Kind.IDLE] = self.keep_alive.on_idle

    # ---- life -------------------------------------------------------------------------------------------------

    async def start(self, contacts: Sequence[str] = ()) -> None:
        """Listen and join: through `contacts`, or else through the members that were saved, of whom none need answer.

        Raises ConfigError when the address cannot be bound, NotYetConnected or AuthenticationError when no contact
        takes us in.
        """
        bound = await self.dialling.listen()
        self.address = bound[0]
        self.addresses.advertise(advertised(bound, self.config.advertise))
        self.driver.start()
        try:
            if contacts:
                await self.membership.join_any(contacts)
            elif self._rejoining is not None and not await self._rejoining.at_start():
                self.background.start(self._rejoining.search(), "rejoin")
        except BaseException:
            await self.close(graceful=False)
            raise
        self.cluster = self.cluster or f"cluster-{self.world.token_bytes(4).hex()}"
        if contacts:
            self._presence.introduce()
        else:
            self._presence.publish()
        self.detection.start()
        self.background.start(self.keep_alive.run(), "keep-alive")
        self.background.start(self._presence.keep_current(), "load")
        self.background.start(self._repair.run(), "repair")
        if self._rejoining is not None:
            self.background.start(self._rejoining.run(), "save the members")

    async def close(self, graceful: bool = True, why: str = "") -> None:
        """Leave the cluster, for the reason `why` if there is one, and close every connection. May be called twice."""
        if self.is_closing:
            await self.stopped.wait()
            return
        self.is_closing = True
        if graceful:
            self._presence.publish(state=LEFT, why=why)
            self.driver.leave()
            self.router.hurry_broadcasts()
            self.flusher.flush()
            # One turn for what the others answer, then everything queued is written before closing.
            await asyncio.sleep(0)
        for part in (self.driver, self._presence, self._repair, self.relays, self.interleaving, self.delivery):
            part.close()
        await self.background.close()
        await self.dialling.close()
        for peer in list(self.router.peers.values()):
            peer.down = peer.down or "this node has stopped"
            peer.fail_pending(lambda: NotYetConnected(str(self.me), "this node has stopped"))
        self.stopped.set()

    async def connect(self, address: str, expected: NodeId | None = None, answer_s: float | None = None) -> Peer:
        """A control connection to whoever listens at `address`, or an observer's one connection, which is for calls.

        Raises NotYetConnected when nobody answers, AuthenticationError when it is not one of ours, or not `expected`.
        """
        parse_address(address)
        channel = CALLS if self.config.observer else CONTROL
        try:
            connection = await self.dialling.open(address, channel, 0, expected, answer_s)
        except AuthenticationError as error:
            raise AuthenticationError(f"{address} ({error.peer})", error.why) from error
        except DIAL_ERRORS as error:
            raise NotYetConnected(address, reason_of(error)) from error
        peer: Peer = connection.peer
        return peer

    def introduce(self) -> None:
        """Write this node's record now: somebody is to be told of it who is not its neighbour yet."""
        self._presence.introduce_anyway()

    def declare_down(self, node: NodeId, why: str) -> None:
        """Tell the cluster that the life of a process of this node is over, and why."""
        self._presence.declare_down(node, why)

    def on_up(
        self, node: str | None, callback: Callable[[NodeEvent], object], channel: str | None = None
    ) -> Callable[[], None]:
        """Call `callback(event)` whenever that node comes up, or the first connection of `channel` to it.

        `node` is a name, an id for one life alone, or None for any. Returns what cancels it; see `Subscriptions`.
        """
        return self.events.subscribe(callback, (UP,), node, channel)

    def on_down(
        self, node: str | None, callback: Callable[[NodeEvent], object], channel: str | None = None
    ) -> Callable[[], None]:
        """The same for when it goes down, or the last connection; at once for one node that is not there now."""
        return self.events.subscribe(callback, (DOWN,), node, channel)

    def broadcast(self, topic: str, payload: object) -> None:
        """Send plain `payload` to the subscribers of `topic` on every other node. See `Topics.broadcast`."""
        self.topics.broadcast(topic, payload)

    def subscribe(self, topic: str, subscriber: Callable[[NodeId, Any], None]) -> Callable[[], None]:
        """Have `subscriber(origin, payload)` called on the loop for every broadcast of `topic`; returns what ends that.

        See `Topics.subscribe`.
        """
        return self.topics.subscribe(topic, subscriber)

    # ---- DriverHost -------------------------------------------------------------------------------------------

    def neighbour_up(self, node: NodeId) -> None:
        self.detection.neighbour_up(node)
        self.loop.call_soon(self._neighbours_changed)

    def neighbour_down(self, node: NodeId, failed: bool) -> None:
        self.detection.neighbour_down(node)
        self._presence.lost(node)
        self.loop.call_soon(self._neighbours_changed)
        if self.is_closing:
            return
        if failed:
            self._presence.suspect(node)
        else:
            self._presence.part(node)

    def announce(self) -> None:
        """Something is new about this node: tell the others, when its turn comes."""
        if not self.is_closing:
            self._presence.renew()

    def _neighbours_changed(self) -> None:
        for tell in self.on_neighbours:
            tell()
        if not self.is_closing:
            self.relays.neighbours_changed()
            self._presence.renew()

    def delivered(self, deliver: Deliver) -> None:
        self.relays.learn(_node(deliver.origin), _node(deliver.sender))
        if deliver.topic == EXCHANGE_TOPIC and isinstance(deliver.payload, (list, tuple)):
            self.gathered(_node(deliver.sender), deliver.payload)
        self.topics.delivered(deliver, _node(deliver.origin))

    def handler_failed(self, failed: HandlerFailed) -> None:
        self.topics.handler_failed(failed)

    def strategy_fault(self, fault: StrategyFault) -> None:
        self.troubles.tell(f"{fault.strategy} {fault.kind}", str(fault), fault.error)

    def gathered(self, sender: NodeId, updates: Iterable[object]) -> None:
        """The way to whoever gathered and broadcast a node's record is the way to that node, too."""
        for update in updates:
            # What else stands in a node's record, others may have written, who are elsewhere.
            if isinstance(update, Update) and update.key.startswith(PREFIX) and update.stamp[2:] == (STATE_UP,):
                node = NodeId(update.key.removeprefix(PREFIX), update.stamp[0])
                if node != self.me:
                    self.relays.learn(node, sender)

    def entry_changed(self, changed: Changed) -> None:
        prefix, slash, _ = changed.key.partition("/")
        handler = self.on_entry.get(prefix + slash)
        if handler is not None:
            handler(changed.key, changed.after.stamp, changed.after.value)

    def entry_refused(self, refused: Refused) -> None:
        logger.error("the cluster's map is full (%d entries): %s is not announced", refused.entries_max, refused.key)

    def _is_known(self, node: object) -> bool:
        """Whether the overlay may try to reach that node: over what is open, by dialling, or through others."""
        assert isinstance(node, NodeId)
        peer = self.router.peers.get(node)
        connected = peer is not None and peer.is_connected
        # Of a life that is over the overlay is told that it is, when it names it.
        is_over = self.addresses.later_life(node) is not None
        return connected or is_over or self.can_dial(node) or self.directory.find(node) is not None

    def write(self, key: str, stamp: tuple[int, ...], value: object, *, gather: bool = False) -> None:
        """Write to the replicated map. `gather`: others may hear of it a little later, together with other news."""
        self.driver.write(key, stamp, value, gather=gather)

    # ---- RouterHost -------------------------------------------------------------------------------------------

    def can_dial(self, node: NodeId) -> bool:
        return bool(self.addresses.addresses_of(node))

    def neighbours(self) -> Sequence[NodeId]:
        return self.driver.stack.neighbours  # type: ignore[return-value]  # peers are NodeIds on a real node

    def dial(self, peer: Peer, channel: str, index: int) -> None:
        self.background.start(self._dial(peer, channel, index), f"dial {peer.node} {channel}/{index}")

    async def _dial(self, peer: Peer, channel: str, index: int) -> None:
        error: Exception = ConnectionError("no address is known")
        for address in self.addresses.addresses_of(peer.node):
            if peer.lanes[channel][index] is not None:
                return  # it dialled us meanwhile
            try:
                await self.dialling.open(address, channel, index, peer.node)
                return
            except DIAL_ERRORS as failure:
                error = failure
            if isinstance(error, AuthenticationError) and channel not in BUILT_IN and not peer.is_connected:
                # It may lack the channel. On a connection for calls it says which it has, and what waits moves there.
                with contextlib.suppress(*DIAL_ERRORS):
                    await self.dialling.open(address, CALLS, 0, peer.node)
                    return
        if peer.lanes[channel][index] is None:
            was_relayed = self.router.dial_failed(peer, channel, index, error)
            if channel == BULK and not was_relayed:
                self.interleaving.bulk_lost(peer, index)
            if not peer.is_connected and not was_relayed:
                self.driver.peer_down(peer.node)
            if isinstance(error, ConnectionRefusedError):
                self._presence.refused(peer.node)

    def relay(self, destination: NodeId, message: bytes, buffers: Buffers | None, channel: str) -> None:
        self.relays.send(destination, message, buffers, channel)

    def connected(self, peer: Peer) -> None:
        if not peer.is_observer:
            self.keep_alive.connected(peer)
            self.loop.call_soon(self.driver.peer_up, peer.node)

    def went_down(self, node: NodeId) -> None:
        self.driver.stack.gone(node)
        self.relays.went_down(node)
        self.interleaving.forget(node)
        self.delivery.went_down(node)

    def forgotten(self, node: NodeId) -> None:
        self.relays.forget(node)

    def first_connection(self, peer: Peer, channel: str, lane: int) -> Connection | None:
        """The connection that messages for `peer` go on first, as far as is known: to it, or to who passes them on."""
        direct = peer.lanes[channel][lane]
        next_hop = self.relays.next_hops.get(peer.node) if direct is None else None
        return direct if next_hop is None else next(iter(self.router.peer(next_hop).connections()), None)

    def lane_opened(self, peer: Peer, connection: Connection) -> None:
        self.relays.opened(peer, connection)
        self.delivery.lane_opened(peer, connection)

    # ---- RelayHost --------------------------------------------------------------------------------------------

    def unreachable(self, node: NodeId) -> None:
        if not self.router.peer(node).is_connected:
            self.driver.peer_down(node)

    def _identity(self) -> Identity:
        addresses = tuple(self.addresses.addresses_of(self.me))
        return Identity(self.me, self.cluster, addresses, self.lanes, self.config.observer)

    def _unexpected(self, peer: Peer, message: list[Any], buffers: object = None) -> None:
        logger.warning("node %s sent a message of kind %r, which this node does not take", peer.node, message[0])


def _connection_lost(peer: Peer, why: str) -> PartisanError:
    return NotYetConnected(str(peer.node), why)


def _node(peer: object) -> NodeId:
    assert isinstance(peer, NodeId), "on a real node, the machines' peers are node ids"
    return peer
