"""Acknowledged delivery on a real node: what has to arrive whatever connections do, in causal order if it is so sent.

A plain message goes on its lane and is lost with it. One that is sent here is kept until the receiver's node has handed
it to whoever it is for, and sent again until then: the rules are those of `protocols.delivery`, this file has the
sockets, the clock and the callers. Its own rules:

1. A stream for each peer, channel, lane and causal label (or none), over whatever way messages take to the peer: a
   connection, or the overlay.
2. What arrives is handed on in order and once, at once, in the call-back that read it. The acknowledgement follows when
   that read is handled, one for all that came in it, on the channel that they came on.
3. A message with a stamp is handed on when its label lets it. It is acknowledged before, and settled after.
4. Answers go the way of their questions: who answers an acknowledged call is given an `AckedPeer`, on which everything
   is acknowledged, under the same label.
5. Nobody waits for ever. A message is given up in time, and whoever sent it is told; so is whoever waits for an answer
   that the other end has given up, or whose node is down.

Plain calls know nothing of this. Nothing here makes a task.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from partisan_actors.errors import NodeDown, Overloaded, PartisanError, ProtocolError, Unacknowledged
from partisan_actors.ids import NodeId
from partisan_actors.node.causal_labels import LABELS_MAX, CausalLabels
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.parties import AckedPeer, Item, Party, Stream
from partisan_actors.node.router import Buffers, Peer, Pending, Router, lane_of
from partisan_actors.protocols.delivery.causal import Delivery as Delivered
from partisan_actors.protocols.delivery.retransmission import Kept, Outbox, Window
from partisan_actors.transport.connection import Connection
from partisan_actors.wire.channels import CALLS, LANES_MAX
from partisan_actors.wire.codec import pack, unpack
from partisan_actors.wire.envelope import ASKS, REPLIES
from partisan_actors.wire.frames import Kind

__all__ = ["Delivery"]

logger = logging.getLogger(__name__)

# How often overdue messages are looked for, while there are any; oftener when they are sent again oftener.
TICK_S: Final = 0.25
# Lives of other nodes that are remembered after they went down, so that one that did not is not heard twice.
GONE_MAX: Final = 1024
# Streams that one other node may have to this one.
STREAMS_MAX: Final = 16_384

# What makes no sense in an acknowledged message: it is about a connection, or about acknowledging itself.
_REFUSED: Final = frozenset({Kind.CONTROL, Kind.RELAY, Kind.PING, Kind.PONG, Kind.IDLE, Kind.ACKED, Kind.ACK})
_QUESTIONS: Final = ASKS | {Kind.TELL_ACKED}


class DeliveryHost(Protocol):
    """What acknowledged delivery needs of its node."""

    me: NodeId
    loop: asyncio.AbstractEventLoop
    rng: random.Random
    config: NodeConfig
    dispatch: list[Callable[..., None]]


class Delivery:
    """Sends and receives what is acknowledged, for one node."""

    def __init__(self, host: DeliveryHost, router: Router) -> None:
        self._host = host
        self._router = router
        self._options = options = host.config.delivery.acks()
        self.labels = CausalLabels(host.me, host.config.delivery.causal_labels, host.config.delivery.causal())
        self._parties: dict[NodeId, Party] = {}
        self._gone: dict[NodeId, None] = {}
        self._owing: list[Party] = []
        self._epochs = itertools.count(1)
        self._timer: asyncio.TimerHandle | None = None
        self._acknowledging: asyncio.Handle | None = None
        self._tick_s = min(TICK_S, options.retransmit_s / 4)
        # Who answers a message under a label that this node does not have: called with whom to answer, the message,
        # unpacked, and the label.
        self.on_unknown_label: Callable[[AckedPeer, list[Any], str], None] = _log_unknown_label
        self.sent_again = 0
        self.given_up = 0
        self.unknown_labels = 0
        host.dispatch[Kind.ACKED] = self.on_acked
        host.dispatch[Kind.ACK] = self.on_ack
        host.dispatch[Kind.FORSAKEN] = self.on_forsaken

    # ---- sending ----------------------------------------------------------------------------------------------

    def send(
        self,
        peer: Peer,
        message: bytes,
        buffers: Buffers | None = None,
        channel: str = CALLS,
        affinity: int = 0,
        *,
        label: str | None = None,
        question: int = 0,
        acknowledged: Callable[[], None] | None = None,
        given_up: Callable[[PartisanError], None] | None = None,
        must: bool = False,
    ) -> None:
        """Send one packed message until it is acknowledged, in order with the others of its lane.

        One of the two is called when the outcome is known: `acknowledged()`, the message has been handed to whoever it
        is for, or waits there for what its label puts before it; or `given_up(error)`, with Unacknowledged or NodeDown,
        and it may or may not have been. Raises NodeDown, ConfigError for a label that this node does not have, and
        Overloaded at a bound, where nothing is sent; `must` goes beyond the bound. On this node itself it is handed
        over in the next turn of the loop.
        """
        if peer.is_self:
            peer.send_large(message, buffers or (), channel, affinity)
            if acknowledged is not None:
                self._host.loop.call_soon(acknowledged)
            return
        if peer.down is not None:
            raise NodeDown(str(peer.node), peer.down)
        party, stream = self._party(peer), (channel, affinity % len(peer.lanes[channel]), label)
        outbox = self._outbox(party, stream)
        size = len(message) + sum(map(len, buffers or ()))
        if not must and not outbox.has_room(size):
            raise Overloaded(str(peer.node), self._options.bytes_max)
        clock, stamp = self.labels.stamp(label, peer.node) if label is not None else (0, None)
        item = Item(message, buffers, affinity, stamp, label, clock, question, acknowledged, given_up)
        self._transmit(party, stream, outbox.push(item, size, self._host.loop.time()))
        self._look_after()

    def ask(self, peer: Peer, number: int, waiting: Pending, *args: Any, **options: Any) -> None:
        """Send a call as `send` does; `waiting` gets its answer, or the error for which there will be none."""
        asked = self._party(peer).asked
        asked[number] = waiting

        def give_up(error: PartisanError) -> None:
            if asked.pop(number, None) is not None:
                waiting.fail(error)

        try:
            self.send(peer, *args, question=number, given_up=give_up, **options)
        except PartisanError:
            del asked[number]
            raise

    def forget_question(self, peer: Peer, number: int) -> None:
        """Nobody waits for that answer any more."""
        self._party(peer).asked.pop(number, None)

    def questions(self) -> list[tuple[Peer, dict[int, Pending]]]:
        """Who waits for answers of whom, by the numbers of their calls."""
        return [(party.peer, party.asked) for party in self._parties.values() if party.asked]

    @property
    def outstanding(self) -> int:
        """How many messages of this node are not acknowledged."""
        return sum(len(box) for party in self._parties.values() for box in party.outboxes.values())

    def _party(self, peer: Peer) -> Party:
        party = self._parties.get(peer.node)
        if party is None or party.peer is not peer:
            party = self._parties[peer.node] = Party(peer)
        return party

    def _outbox(self, party: Party, stream: Stream) -> Outbox:
        outbox = party.outboxes.get(stream)
        if outbox is None:
            outbox = party.outboxes[stream] = Outbox(next(self._epochs), self._options, self._host.rng)
        return outbox

    def _transmit(self, party: Party, stream: Stream, kept: Kept | None) -> None:
        """Send a message, or, with None, the notice that there is nothing more to wait for."""
        channel, lane, _ = stream
        outbox = party.outboxes[stream]
        head = [Kind.ACKED, [*stream], outbox.epoch, outbox.base]
        if kept is None:
            affinity, buffers = lane, None
            packed = pack([*head, 0, None, b""])
        else:
            item: Item = kept.item
            affinity, buffers = item.affinity, item.buffers
            packed = pack([*head, kept.number, item.stamp, item.message])
        try:
            party.peer.send_large(packed, buffers or (), channel, affinity)
        except PartisanError as error:  # there is no way now, or too much waits on it: it is sent again in time
            logger.debug("an acknowledged message to %s waits: %s", party.peer, error)

    # ---- arriving ---------------------------------------------------------------------------------------------

    def on_acked(self, peer: Peer, m: list[Any], buffers: Buffers | None = None) -> None:
        """A message that is to be acknowledged arrived. Raises ProtocolError for one that makes no sense."""
        _, (channel, lane, label), epoch, base, number, stamp, message = m
        if type(lane) is not int or not 0 <= lane < LANES_MAX or channel not in peer.lanes:
            raise ProtocolError(f"an acknowledged message on lane {lane!r} of channel {channel!r}")
        if label != (stamp[0] if stamp is not None else None) and number:
            raise ProtocolError(f"a message of the label {label!r} with the stamp of another")
        party, stream = self._party(peer), (channel, lane, label)
        window = party.windows.get(stream)
        if window is None:
            if len(party.windows) >= STREAMS_MAX:
                raise ProtocolError(f"more than {STREAMS_MAX} streams of acknowledged messages")
            window = party.windows[stream] = Window()
        size = len(message) + sum(map(len, buffers or ()))
        arrived = window.accept(epoch, base, number, (stamp, message, buffers), size)
        self._owe(party, stream)
        if arrived.given_up:
            self._fail_answers(party)
        for each in arrived.ready:
            self._hand_on(party, *each)

    def _hand_on(self, party: Party, stamp: list[Any] | None, message: bytes, buffers: Buffers | None) -> None:
        if stamp is None:
            self._dispatch(party, None, message, buffers)
            return
        label = stamp[0]
        delivered = self.labels.receive(party.peer.node, stamp, (label, message, buffers), self._host.loop.time())
        if delivered is None:
            self._refuse_label(party, label, stamp[1], message)
        else:
            self._deliver(delivered)
        if self.labels.is_waiting:
            self._look_after()

    def _deliver(self, deliveries: Iterable[Delivered]) -> None:
        for each in deliveries:
            label, message, buffers = each.item
            assert isinstance(each.sender, NodeId)
            party = self._party(self._router.peer(each.sender))
            self._settle(party, label, each.clock)
            self._dispatch(party, label, message, buffers)

    def _settle(self, party: Party, label: str, clock: int) -> None:
        party.clocks[label] = max(clock, party.clocks.get(label, 0))
        if not party.owed:
            self._owe(party, next(iter(party.windows), (CALLS, 0, None)))

    def _dispatch(self, party: Party, label: str | None, message: bytes, buffers: Buffers | None) -> None:
        if not message:
            return  # only asked what it has
        try:
            plain = unpack(message)
            kind = plain[0]
            if not 0 <= kind < Kind.COUNT or kind in _REFUSED:
                raise ProtocolError(f"an acknowledged message of kind {kind}")
            peer: Any = party.peer
            if kind in REPLIES:
                waiting = party.asked.pop(plain[1], None)
                if waiting is not None:
                    peer.pending[plain[1]] = waiting
            elif kind != Kind.FORSAKEN:
                peer = self._stand_in(party, label)
            handler = self._host.dispatch[kind]
            handler(peer, plain) if buffers is None else handler(peer, plain, buffers)
        except Exception:  # whatever is wrong with one message, it must not cost those that follow
            logger.exception("an acknowledged message from %s could not be handled", party.peer)

    def _stand_in(self, party: Party, label: str | None) -> AckedPeer:
        stand_in = party.stand_ins.get(label)
        if stand_in is None:
            stand_in = party.stand_ins[label] = AckedPeer(self.send, party.peer, label)
        return stand_in

    def _refuse_label(self, party: Party, label: str, clock: int, message: bytes) -> None:
        self.unknown_labels += 1
        if len(party.clocks) < LABELS_MAX:
            self._settle(party, label, clock)  # nobody should wait for it
        if message:
            self.on_unknown_label(self._stand_in(party, None), unpack(message), label)

    # ---- acknowledging ----------------------------------------------------------------------------------------

    def _owe(self, party: Party, stream: Stream) -> None:
        if not party.owed:
            self._owing.append(party)
        party.owed[stream] = None
        if self._acknowledging is None:
            self._acknowledging = self._host.loop.call_soon(self._acknowledge)

    def _acknowledge(self) -> None:
        self._acknowledging = None
        owing, self._owing = self._owing, []
        for party in owing:
            owed, party.owed = party.owed, {}
            for stream in owed:
                window, (channel, lane, _) = party.windows.get(stream) or Window(), stream
                packed = pack([Kind.ACK, [*stream], window.epoch, window.last, window.early(), party.clocks])
                try:
                    party.peer.send(packed, channel, lane)
                except PartisanError as error:  # the message comes again, and then this does
                    logger.debug("an acknowledgement to %s is lost: %s", party.peer, error)

    def on_ack(self, peer: Peer, m: list[Any], buffers: object = None) -> None:
        """An acknowledgement arrived."""
        _, stream, epoch, last, early, clocks = m
        party = self._party(peer)
        self.labels.settled(peer.node, clocks)
        outbox = party.outboxes.get(tuple(stream))
        for item in outbox.acknowledge(epoch, last, early) if outbox is not None else ():
            if item.acknowledged is not None:
                item.acknowledged()

    def on_forsaken(self, peer: Peer, m: list[Any], buffers: object = None) -> None:
        """The sender has given up what it sent under a label up to a clock."""
        _, label, clock = m
        machine = self.labels.machine(label)
        if machine is not None:
            self._deliver(machine.forsaken(peer.node, clock))

    # ---- who is there -----------------------------------------------------------------------------------------

    def lane_opened(self, peer: Peer, connection: Connection) -> None:
        """A lane is about to be used: what may have been lost with its last connection goes first."""
        party = self._parties.get(peer.node)
        if party is not None:
            self._send_again(party, lane_of(connection)[0])

    def closed(self, peer: Peer, connection: Connection) -> None:
        """A connection closed, and what was on it may be lost."""
        party = self._parties.get(peer.node)
        if party is None:
            return
        for stream, outbox in party.outboxes.items():
            if stream[:2] == lane_of(connection) and not outbox.is_idle:
                outbox.connection_lost(self._host.loop.time())

    def went_down(self, node: NodeId) -> None:
        """That life of that node is over."""
        party = self._parties.get(node)
        if party is not None:
            error = NodeDown(str(node), "it went down before it answered")
            for outbox in party.outboxes.values():
                for item in outbox.clear():
                    if item.given_up is not None:
                        item.given_up(error)
            asked, party.asked = party.asked, {}
            for waiting in asked.values():
                waiting.fail(error)
            self._gone[node] = None
            if len(self._gone) > GONE_MAX:
                forgotten = next(iter(self._gone))
                del self._gone[forgotten]
                self._parties.pop(forgotten, None)
        # Not here: this may be inside a job, and an actor is stepped from the loop's own call-backs only.
        self._host.loop.call_soon(self._wait_no_more_for, node)

    def _wait_no_more_for(self, node: NodeId) -> None:
        self._deliver(self.labels.node_down(node))

    def close(self) -> None:
        """The node stops: look after nothing any more, and tell whoever waits."""
        for handle in (self._timer, self._acknowledging):
            if handle is not None:
                handle.cancel()
        for party in self._parties.values():
            error = Unacknowledged(str(party.peer), "this node has stopped")
            for item in [item for outbox in party.outboxes.values() for item in outbox.clear()]:
                if item.given_up is not None:
                    item.given_up(error)
            for waiting in party.asked.values():
                waiting.fail(error)
        self._parties.clear()

    # ---- looking after what is not acknowledged -----------------------------------------------------------------

    def _look_after(self) -> None:
        if self._timer is None:
            self._timer = self._host.loop.call_later(self._tick_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now, is_busy = self._host.loop.time(), False
        for party in list(self._parties.values()):
            for outbox in list(party.outboxes.values()):
                for item in outbox.expire(now):
                    self._give_up(party, item)
            self._send_again(party)
            is_busy = is_busy or any(not outbox.is_idle for outbox in party.outboxes.values())
        self._deliver(self.labels.expire(now))
        for label, node in self.labels.to_be_asked():
            self._ask_what_it_has(label, node)
        if is_busy or self.labels.is_waiting:
            self._look_after()

    def _send_again(self, party: Party, channel: str | None = None) -> None:
        now = self._host.loop.time()
        for stream, outbox in party.outboxes.items():
            if outbox.is_idle or channel not in (None, stream[0]):
                continue
            lane = party.peer.lanes[stream[0]][stream[1]]
            if lane is not None and lane.is_paused:
                continue  # it has not even left this node
            again = outbox.due(now)
            self.sent_again += len(again)
            for kept in again:
                self._transmit(party, stream, kept)
            if outbox.notice_due(now):
                self._transmit(party, stream, None)

    def _give_up(self, party: Party, item: Item) -> None:
        self.given_up += 1
        peer = party.peer
        if item.label is not None:
            machine = self.labels.machine(item.label)
            assert machine is not None, "it was sent under it"
            machine.settled(peer.node, item.clock)
            self._send_quietly(peer, pack([Kind.FORSAKEN, item.label, item.clock]))
        if item.given_up is not None:
            item.given_up(Unacknowledged(str(peer.node), f"it was tried for {self._options.give_up_s:g} s"))

    def _ask_what_it_has(self, label: str, node: NodeId) -> None:
        self._send_quietly(self._router.peer(node), b"", label)

    def _send_quietly(self, peer: Peer, message: bytes, label: str | None = None) -> None:
        try:
            self.send(peer, message, label=label)
        except PartisanError as error:
            logger.debug("%s is not told: %s", peer, error)

    def _fail_answers(self, party: Party) -> None:
        """The other end has given up something: it may have been the answer to any question that it has taken."""
        under_way = {item.question for outbox in party.outboxes.values() for item in outbox.items()}
        for number in [number for number in party.asked if number not in under_way]:
            party.asked.pop(number).fail(Unacknowledged(str(party.peer), "it could not get its answer through"))


def _log_unknown_label(peer: AckedPeer, message: Sequence[Any], label: str) -> None:
    logger.warning("node %s sent a message under the causal label %r, which this node does not have", peer, label)
