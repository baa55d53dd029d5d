"""The way through the overlay: messages for nodes that cannot be reached directly go from neighbour to neighbour.

The rules this file keeps:

1. A message goes to its destination if there is a connection to it (under routing "relay": if it is a neighbour), else
   to the next hop that is known: what came from X first through N, a broadcast or a relayed message, goes to X through
   N. Without one it goes to every neighbour, bounded by RELAY_TTL and duplicate suppression, and so does what has to
   be sent again.
2. It is never sent back where it came from, and no node handles the same envelope twice.
3. Between two nodes all messages are one stream (protocols.delivery.stream), whatever their channels: they arrive in
   order and once, although nodes on the way may die. When a connection opens meanwhile, what is not acknowledged is
   sent again on it first, so that what follows on it cannot be earlier.
4. Nobody waits for ever. A stream that makes no progress for GIVE_UP_S is given up, and the calls that were sent in it
   fail with ActorUnavailable; while any of them has no answer, the other end is asked for a sign of life every
   PROBE_AFTER_S. When the other end gives up its stream, answers may be lost, and they fail as well.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from partisan_actors.errors import NoRoute, Overloaded, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.answering import Answering
from partisan_actors.node.directory import Directory
from partisan_actors.node.hops import Hops
from partisan_actors.node.router import REDIAL_AFTER_S, Buffers, Peer, Router
from partisan_actors.protocols.delivery.stream import GIVE_UP_S, QUEUE_BYTES_MAX, Incoming, Outgoing, Parcel
from partisan_actors.transport.connection import Connection
from partisan_actors.wire.channels import CONTROL
from partisan_actors.wire.codec import unpack
from partisan_actors.wire.envelope import ASKS, REPLIES, Envelope, head_of
from partisan_actors.wire.frames import Kind

__all__ = ["Relay"]

logger = logging.getLogger(__name__)

RELAY_TTL: Final = 12
RELAYED_SEEN_MAX: Final = 16_384
# Nodes that streams are kept with, and towards which a way is known. At the bound the oldest is forgotten; the other
# end of a stream hears of that when there is another one.
LINKS_MAX: Final = 16_384
# How often overdue messages are looked for, while there are any; how long an acknowledgement waits for company.
TICK_S: Final = 0.25
ACKNOWLEDGE_AFTER_S: Final = 0.02
HURRY_S: Final = 0.05
# In a cluster of more nodes than this, what belongs to the control channel is never a flood: where its way is unknown,
# it takes one at random. Protocols get over a message that is lost, and a node that is wrongly believed down says so. A
# flood for each of them, when hundreds of nodes join and many dials fail, would leave time for nothing else.
FLOODED_MAX: Final = 32
# How many nodes are asked for a sign of life at once.
LISTENING_MAX: Final = 2
PROBE_AFTER_S: Final = 2.0
# Whoever has lost its last neighbour finds another one within seconds: so long its messages wait for that.
ALONE_S: Final = 10.0

# What is about the connection it comes on makes no sense when it comes another way.
_OF_ONE_CONNECTION: Final = frozenset({Kind.RELAY, Kind.PING, Kind.PONG, Kind.IDLE})


class RelayHost(Protocol):
    """What relaying needs of its node."""

    me: NodeId
    loop: asyncio.AbstractEventLoop
    routing: str
    directory: Directory
    answering: Answering
    connection_lost_error: Callable[[Peer, str], PartisanError]

    def neighbours(self) -> Sequence[NodeId]:
        """The overlay's neighbours now."""
        ...

    def unreachable(self, node: NodeId) -> None:
        """A node could not be reached through the overlay either."""
        ...


class _Item(NamedTuple):
    """A message of a stream, as it is sent or received."""

    message: bytes
    buffers: Buffers | None
    channel: str
    trace: bytes | None
    hops: int


_SIGN_OF_LIFE: Final = _Item(b"", None, CONTROL, None, 0)


class _Link:
    """The streams to and from one other node. `asked` holds the numbers of the calls that went out in it."""

    __slots__ = ("asked", "heard_at", "incoming", "listeners", "must_acknowledge", "outgoing")

    def __init__(self, now: float, life: int) -> None:
        self.outgoing = Outgoing(life)
        self.incoming = Incoming()
        self.asked: set[int] = set()
        self.heard_at = now
        self.listeners: list[asyncio.Future[None]] = []
        self.must_acknowledge = False


class Relay:
    """Sends, passes on and receives what travels through the overlay."""

    def __init__(self, host: RelayHost, router: Router, hops: Hops) -> None:
        self._host = host
        self._router = router
        self._hops = hops
        self.next_hops: dict[NodeId, NodeId] = {}
        self.lost = 0
        self._identities = itertools.count(1)
        self._seen: OrderedDict[tuple[str, int, int], None] = OrderedDict()
        self._links: dict[NodeId, _Link] = {}
        # How often a stream was forgotten that its other end may remember.
        self._lives = 0
        # Since when there is no neighbour; None while there is one.
        self._alone_since: float | None = float("-inf")
        self._listening = asyncio.Semaphore(LISTENING_MAX)
        self._timers: dict[Callable[[], None], asyncio.TimerHandle] = {}

    # ---- what is known of the overlay ---------------------------------------------------------------------------

    def learn(self, origin: NodeId, sender: NodeId) -> None:
        """Something of `origin` came first from the neighbour `sender`."""
        if origin != sender:
            self.next_hops[origin] = sender
            if len(self.next_hops) > LINKS_MAX:
                del self.next_hops[next(iter(self.next_hops))]

    def went_down(self, node: NodeId) -> None:
        """That life of that node is over: nothing goes to it or through it."""
        self.next_hops.pop(node, None)
        if node in self._host.neighbours():  # through others nothing goes in any case
            for destination in [to for to, hop in self.next_hops.items() if hop == node]:
                del self.next_hops[destination]
        link = self._links.get(node)
        if link is not None:
            link.outgoing.give_up()
            link.asked.clear()

    def forget(self, node: NodeId) -> None:
        """Nobody knows that node any more, or has anything to do with it."""
        self.next_hops.pop(node, None)
        if self._links.pop(node, None) is not None:
            self._lives += 1

    def ways(self) -> dict[NodeId, NodeId | None]:
        """With whom this node talks through the overlay, and towards whom by which neighbour; None: by a flood."""
        return {node: self.next_hops.get(node) for node in self._links}

    def neighbours_changed(self) -> None:
        """What a former one was to pass on may be lost, and a new one may know a way: send what is not acknowledged.

        Neighbours come and go by the handful: it is sent once for those that do within HURRY_S.
        """
        if self._host.neighbours():
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = self._host.loop.time()
        if self._links:
            self._soon(self._hurry, HURRY_S)

    def _hurry(self) -> None:
        now = self._host.loop.time()
        for node, link in list(self._links.items()):
            self._post(node, link, link.outgoing.again(now, hurry=True), is_flood=True)

    def opened(self, peer: Peer, connection: Connection) -> None:
        """A lane to `peer` is about to be used: see rule 3."""
        link = self._links.get(peer.node)
        if link is None or link.outgoing.is_idle:
            return
        now = self._host.loop.time()
        again, new = link.outgoing.again(now, hurry=True), link.outgoing.take(now, whole=True)
        for parcel in (*again, *new):
            envelope = self._envelope(peer.node, link, parcel, is_flood=False)
            _send(connection, envelope.packed(), parcel.item.buffers)

    def close(self) -> None:
        """The node stops: look after nothing any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._links.clear()

    # ---- sending --------------------------------------------------------------------------------------------------

    def send(self, destination: NodeId, message: bytes, buffers: Buffers | None, channel: str) -> None:
        """Send one packed message through the overlay.

        Raises Overloaded, but never for an answer, for want of which somebody would wait for ever; and NoRoute when
        there is no neighbour to go through. When there was one within ALONE_S the message waits for the next.
        """
        is_alone = self._alone_since is not None and self._host.loop.time() - self._alone_since >= ALONE_S
        if is_alone and destination not in self._links and not self._ways(destination, (), channel, is_flood=True):
            raise NoRoute(str(destination), "it cannot be dialled, and this node has no neighbour to relay through")
        link = self._link(destination)
        trace = self._hops.trace_of(destination, message)
        size = len(message) + sum(map(len, buffers or ()))
        kind, number = head_of(message)
        if not link.outgoing.push(_Item(message, buffers, channel, trace, 0), size, must=kind in REPLIES):
            raise Overloaded(str(destination), QUEUE_BYTES_MAX)
        if kind in ASKS:
            link.asked.add(number)
        self._post(destination, link, link.outgoing.take(self._host.loop.time()), is_flood=False)
        self._soon(self._tick, TICK_S)

    async def hears(self, node: NodeId, timeout_s: float) -> bool:
        """Whether that node gives a sign of life through the overlay within `timeout_s`, when asked for one.

        It is asked the way that is known, and by every way when half of the time is over. At most LISTENING_MAX nodes
        are asked at once, and others wait: each may be a flood, and where many do not answer, the network has enough.
        """
        async with self._listening:
            return await self._ask(node, timeout_s / 2, is_flood=False) or await self._ask(
                node, timeout_s / 2, is_flood=True
            )

    async def _ask(self, node: NodeId, timeout_s: float, *, is_flood: bool) -> bool:
        link, now = self._link(node), self._host.loop.time()
        if not is_flood and node not in self.next_hops:
            return False
        heard = self._host.loop.create_future()
        link.listeners.append(heard)
        if link.outgoing.is_idle:
            link.outgoing.push(_SIGN_OF_LIFE, 0)
        self._post(node, link, [*link.outgoing.again(now, hurry=True), *link.outgoing.take(now)], is_flood=is_flood)
        self._soon(self._tick, TICK_S)
        try:
            async with asyncio.timeout(timeout_s):
                await heard
        except TimeoutError:
            return False
        return True

    def _link(self, node: NodeId) -> _Link:
        link = self._links.get(node)
        if link is None:
            link = self._links[node] = _Link(self._host.loop.time(), self._lives)
            if len(self._links) > LINKS_MAX:
                oldest, dropped = next(iter(self._links.items()))
                self._fail_asked(self._router.peer(oldest), dropped, f"{LINKS_MAX} other streams have begun since")
                self.forget(oldest)
        return link

    def _post(self, destination: NodeId, link: _Link, parcels: Sequence[Parcel], *, is_flood: bool) -> None:
        is_large = self._host.directory.live_count > FLOODED_MAX
        if is_flood and is_large and all(parcel.item.channel == CONTROL for parcel in parcels):
            is_flood = False
        for parcel in parcels:
            self._pass_on(self._envelope(destination, link, parcel, is_flood), parcel.item.buffers, self._host.me, 0)

    def _envelope(self, destination: NodeId, link: _Link, parcel: Parcel, is_flood: bool) -> Envelope:
        item: _Item = parcel.item
        link.must_acknowledge = False
        return Envelope(
            kind=Kind.RELAY,
            destination=[*destination],
            origin=[*self._host.me],
            identity=next(self._identities),
            ttl=RELAY_TTL,
            hops=0,
            is_flood=is_flood,
            channel=item.channel,
            trace=item.trace,
            epoch=link.outgoing.epoch,
            number=parcel.number,
            acked_epoch=link.incoming.epoch,
            acked=link.incoming.last,
            message=item.message,
        )

    # ---- arriving -------------------------------------------------------------------------------------------------

    def on_relay(self, sender: Peer, plain: list[Any], buffers: Buffers | None = None) -> None:
        """A relayed message arrived: it is for us, or is passed on."""
        begun_ns = self._hops.begin()
        envelope = Envelope(*plain)
        destination, origin = NodeId(*envelope.destination), NodeId(*envelope.origin)
        if origin == self._host.me or not self._is_new((*origin, envelope.identity)):
            return
        self.learn(origin, sender.node)
        if destination == self._host.me:
            self._arrived(origin, envelope, buffers)
        elif envelope.ttl > 1:
            onward = envelope._replace(ttl=envelope.ttl - 1, hops=envelope.hops + 1)
            self._pass_on(onward, buffers, sender.node, begun_ns)
        else:
            self.lost += 1

    def _arrived(self, origin: NodeId, envelope: Envelope, buffers: Buffers | None) -> None:
        peer = self._router.peer(origin)
        if peer.down is not None:
            return
        link, now = self._link(origin), self._host.loop.time()
        link.heard_at = now
        for listener in link.listeners:
            if not listener.done():
                listener.set_result(None)
        link.listeners.clear()
        if link.incoming.sees(envelope.epoch):
            self._fail_asked(peer, link, "the way back through the overlay was lost for a while")
        link.outgoing.acknowledge(envelope.acked_epoch, envelope.acked, now)
        if envelope.number:
            item = _Item(envelope.message, buffers, envelope.channel, envelope.trace, envelope.hops)
            link.must_acknowledge = True
            self._soon(self._acknowledge, ACKNOWLEDGE_AFTER_S)
            for ready in link.incoming.accept(envelope.epoch, envelope.number, item):
                self._hand_over(peer, ready)
        self._post(origin, link, link.outgoing.take(now), is_flood=False)

    def _hand_over(self, peer: Peer, item: _Item) -> None:
        if not item.message:
            return  # only a sign of life
        message = unpack(item.message)
        if not 0 <= message[0] < Kind.COUNT or message[0] in _OF_ONE_CONNECTION:
            return
        if self._host.routing == "auto" and not peer.is_connected:
            # It could not dial us, so answer the way it came until a connection opens.
            peer.relay_until = self._host.loop.time() + REDIAL_AFTER_S
        self._hops.arrived(peer.node, message, item.hops)
        try:
            handler = self._host.answering.dispatch_on(item.channel)[message[0]]
            handler(peer, message) if item.buffers is None else handler(peer, message, item.buffers)
        except Exception:  # whatever is wrong with one message, it must not cost those that follow
            logger.exception("a message that %s sent through the overlay could not be handled", peer)

    # ---- passing on -----------------------------------------------------------------------------------------------

    def _pass_on(self, envelope: Envelope, buffers: Buffers | None, came_from: NodeId, begun_ns: int) -> None:
        destination, origin = NodeId(*envelope.destination), NodeId(*envelope.origin)
        ways = self._ways(destination, (came_from, origin), envelope.channel, envelope.is_flood)
        is_control = envelope.channel == CONTROL and not envelope.is_flood
        if is_control and len(ways) > 1 and self._host.directory.live_count > FLOODED_MAX:
            ways = [ways[envelope.identity % len(ways)]]
        packed = envelope.packed()
        is_sent = False
        for node, connection in ways:
            if not _send(connection, packed, buffers):
                continue
            is_sent = True
            if origin != self._host.me:
                is_learned = node != destination and self.next_hops.get(destination) == node
                self._hops.passed_on(begun_ns, envelope, came_from, node, is_learned=is_learned)
        self.lost += not is_sent

    def _ways(
        self, destination: NodeId, excluding: Sequence[NodeId], channel: str, is_flood: bool
    ) -> list[tuple[NodeId, Connection]]:
        """Where a message goes next: see rule 1."""
        router = self._router
        neighbours = self._host.neighbours()
        if self._host.routing != "relay" or destination in neighbours:
            connection = router.open_connection(router.peer(destination), channel)
            if connection is not None:
                return [(destination, connection)]
        ways = []
        learned = self.next_hops.get(destination)
        for node in neighbours:
            connection = router.open_connection(router.peer(node), channel) if node not in excluding else None
            if connection is None:
                continue
            if node == learned and not is_flood:
                return [(node, connection)]
            ways.append((node, connection))
        return ways

    def _is_new(self, key: tuple[str, int, int]) -> bool:
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > RELAYED_SEEN_MAX:
            self._seen.popitem(last=False)
        return True

    # ---- looking after streams --------------------------------------------------------------------------------------

    def _soon(self, call: Callable[[], None], delay_s: float) -> None:
        if call not in self._timers:
            self._timers[call] = self._host.loop.call_later(delay_s, self._fire, call)

    def _fire(self, call: Callable[[], None]) -> None:
        del self._timers[call]
        call()

    def _acknowledge(self) -> None:
        for node, link in self._links.items():
            if link.must_acknowledge:
                self._post(node, link, [Parcel(0, _SIGN_OF_LIFE, 0)], is_flood=False)

    def _tick(self) -> None:
        now, is_busy = self._host.loop.time(), False
        for node, link in list(self._links.items()):
            peer, outgoing = self._router.peer(node), link.outgoing
            link.asked.intersection_update(peer.pending)
            if outgoing.is_hopeless(now):
                logger.info("%d messages for %s did not get through the overlay", outgoing.give_up(), node)
                self._fail_asked(peer, link, f"nothing got through the overlay for {GIVE_UP_S:g} s")
                self._host.unreachable(node)
            elif link.asked and outgoing.is_idle and now - link.heard_at >= PROBE_AFTER_S:
                outgoing.push(_SIGN_OF_LIFE, 0)
            self._post(node, link, outgoing.take(now), is_flood=False)
            self._post(node, link, outgoing.again(now), is_flood=True)
            is_busy = is_busy or bool(link.asked) or not outgoing.is_idle
        if is_busy:
            self._soon(self._tick, TICK_S)

    def _fail_asked(self, peer: Peer, link: _Link, why: str) -> None:
        asked, link.asked = sorted(link.asked), set()
        for number in asked:
            waiting = peer.pending.pop(number, None)
            if waiting is not None:
                waiting.fail(self._host.connection_lost_error(peer, why))


def _send(connection: Connection, packed: bytes, buffers: Buffers | None) -> bool:
    try:
        if buffers:
            connection.send_large(packed, buffers)
        else:
            connection.send(packed)
    except PartisanError:  # its queue is full: this way is as good as none
        return False
    return True
