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
   is acknowledged, under the same label and on the same channel.
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
from partisan_actors.node.acknowledging import Acknowledging
from partisan_actors.node.answering import peer_behind
from partisan_actors.node.causal_labels import LABELS_MAX, CausalLabels
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.parties import AckedPeer, Incoming, Item, Outgoing, Party, Stream, log_waiting
from partisan_actors.node.router import Buffers, Peer, Pending, Router, lane_of
from partisan_actors.protocols.delivery.causal import Delivery as Delivered
from partisan_actors.protocols.delivery.retransmission import Outbox
from partisan_actors.transport.connection import Connection
from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.codec import pack, unpack
from partisan_actors.wire.envelope import ASKS, REPLIES
from partisan_actors.wire.frames import Kind

__all__ = ["Delivery"]

logger = logging.getLogger(__name__)

# How often overdue messages are looked for, while there are any; oftener when they are sent again oftener.
TICK_S: Final = 0.25
# Lives of other nodes that are remembered after they went down, so that one that did not is not heard twice.
GONE_MAX: Final = 1024

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
        self._epochs = itertools.count(1)
        self._timer: asyncio.TimerHandle | None = None
        self._acknowledging = Acknowledging(host)
        self.now: Callable[[], float] = host.loop.time
        self.stamp: Callable[[str, NodeId], tuple[int, bytes]] = self.labels.stamp
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
        acknowledged: Callable[[], None] | None = None,
        given_up: Callable[[PartisanError], None] | None = None,
    ) -> None:
        """Send one packed message until it is acknowledged, in order with the others of its lane.

        One of the two is called when the outcome is known: `acknowledged()`, the message has been handed to whoever it
        is for, or waits there for what its label puts before it; or `given_up(error)`, with Unacknowledged or NodeDown,
        and it may or may not have been. Raises NodeDown, ConfigError for a label that this node does not have, and
        Overloaded at a bound, where nothing is sent. On this node itself it is handed over in the next turn of the
        loop.
        """
        if peer.is_self:
            peer.send_large(message, buffers or (), channel, affinity)
            if acknowledged is not None:
                self._host.loop.call_soon(acknowledged)
            return
        outgoing = self._ready(peer, (channel, affinity % len(peer.lanes[channel]), label), message, buffers)
        outgoing.push(message, buffers, affinity, 0, acknowledged, given_up)

    def ask(
        self,
        peer: Peer,
        number: int,
        waiting: Pending,
        message: bytes,
        buffers: Buffers | None = None,
        channel: str = CALLS,
        affinity: int = 0,
        label: str | None = None,
    ) -> None:
        """Send a call to another node; `waiting` gets its answer, or the error for which there will be none.

        Raises as `send` does.
        """
        party = peer.acked or self._party(peer)
        outgoing = self._ready(peer, (channel, affinity % len(peer.lanes[channel]), label), message, buffers)
        party.ask(number, waiting)
        try:
            outgoing.push(message, buffers, affinity, number)
        except PartisanError:
            del party.asked[number]
            raise

    def _ready(self, peer: Peer, stream: Stream, message: bytes, buffers: Buffers | None) -> Outgoing:
        """The stream, if such a message may be sent on it. Raises NodeDown and Overloaded."""
        if peer.down is not None:
            raise NodeDown(str(peer.node), peer.down)
        party = peer.acked or self._party(peer)
        outgoing = party.outgoing.get(stream) or self.outgoing(party, stream)
        if not outgoing.outbox.has_room(len(message) + (sum(map(len, buffers)) if buffers else 0)):
            raise Overloaded(str(peer.node), self._options.bytes_max)
        return outgoing

    def forget_question(self, peer: Peer, number: int) -> None:
        """Nobody waits for that answer any more."""
        self._party(peer).asked.pop(number, None)

    def questions(self) -> list[tuple[Peer, dict[int, Pending]]]:
        """Who waits for answers of whom, by the numbers of their calls."""
        return [(party.peer, party.asked) for party in self._parties.values() if party.asked]

    @property
    def outstanding(self) -> int:
        """How many messages of this node are not acknowledged."""
        return sum(len(each.outbox) for party in self._parties.values() for each in party.outgoing.values())

    def _party(self, peer: Peer) -> Party:
        party: Party | None = peer.acked
        if party is None:
            peer = peer_behind(peer)
            party = peer.acked = self._parties[peer.node] = Party(peer, self)
        return party

    def outgoing(self, party: Party, stream: Stream) -> Outgoing:
        """The sending end of that stream."""
        outgoing = party.outgoing.get(stream)
        if outgoing is None:
            outbox: Outbox[Item] = Outbox(next(self._epochs), self._options, self._host.rng)
            outgoing = party.outgoing[stream] = Outgoing(self, party, stream, outbox)
        return outgoing

    # ---- arriving ---------------------------------------------------------------------------------------------

    def on_acked(self, peer: Peer, m: list[Any], buffers: Buffers | None = None) -> None:
        """A message that is to be acknowledged arrived. Raises ProtocolError for one that makes no sense."""
        _, key, epoch, base, number, stamp, message = m
        party = peer.acked or self._party(peer)
        incoming = party.incoming.get(key) or party.listen(key)
        if (stamp is None) != (incoming.label is None) and number:
            raise ProtocolError(f"an acknowledged message of the label {incoming.label!r} with the stamp {stamp!r}")
        if not incoming.is_owed:
            self._acknowledging.owe(incoming)
        if incoming.window.takes_next(epoch, base, number):
            if stamp is None:
                self._dispatch(incoming, message, buffers)
            else:
                self._hand_on(incoming, stamp, message, buffers)
            return
        size = len(pack(message)) + sum(map(len, buffers or ()))
        arrived = incoming.window.accept(epoch, base, number, (stamp, message, buffers), size)
        if arrived.given_up:
            self._fail_answers(party)
        for each in arrived.ready:
            self._hand_on(incoming, *each)

    def _hand_on(self, incoming: Incoming, stamp: list[Any] | None, message: Any, buffers: Buffers | None) -> None:
        label = incoming.label
        if label is None or stamp is None:
            self._dispatch(incoming, message, buffers)
            return
        machine, read, sender = self.labels.machine(label), incoming.heard.stamp(stamp), incoming.party.peer.node
        if machine is None:
            self._refuse_label(incoming, label, read.clock, message)
            return
        machine.node_up(sender)
        if machine.goes_through(sender, read):
            self._settle(incoming.party, label, read.clock)
            self._dispatch(incoming, message, buffers)
            return
        self._deliver(machine.receive(sender, read, (incoming, message, buffers), self.now()))
        if self.labels.is_waiting:
            self.look_after()

    def _deliver(self, deliveries: Iterable[Delivered]) -> None:
        for each in deliveries:
            incoming, message, buffers = each.item
            self._settle(incoming.party, incoming.label, each.clock)
            self._dispatch(incoming, message, buffers)

    def _settle(self, party: Party, label: str, clock: int) -> None:
        party.clocks[label] = max(clock, party.clocks.get(label, 0))
        if not party.owed:
            self._acknowledging.owe(next(iter(party.incoming.values())))

    def _dispatch(self, incoming: Incoming, message: Any, buffers: Buffers | None) -> None:
        if message is None:
            return  # only asked what it has
        try:
            kind = message[0]
            if not 0 <= kind < Kind.COUNT or kind in _REFUSED:
                raise ProtocolError(f"an acknowledged message of kind {kind}")
            peer: Any
            if kind in REPLIES:
                peer = incoming.party.peer
                waiting = incoming.party.asked.pop(message[1], None)
                if waiting is not None:
                    peer.pending[message[1]] = waiting
            else:
                peer = incoming.stand_in if kind != Kind.FORSAKEN else incoming.party.peer
            handler = self._host.dispatch[kind]
            handler(peer, message) if buffers is None else handler(peer, message, buffers)
        except Exception:  # whatever is wrong with one message, it must not cost those that follow
            logger.exception("an acknowledged message from %s could not be handled", incoming.party.peer)

    def _refuse_label(self, incoming: Incoming, label: str, clock: int, message: Any) -> None:
        self.unknown_labels += 1
        party = incoming.party
        if len(party.clocks) < LABELS_MAX:
            self._settle(party, label, clock)  # nobody should wait for it
        if message is not None:
            self.on_unknown_label(party.stand_in(None, incoming.channel), message, label)

    def on_ack(self, peer: Peer, m: list[Any], buffers: object = None) -> None:
        """An acknowledgement arrived."""
        _, key, epoch, last, early, clocks = m
        party = self._party(peer)
        self.labels.settled(peer.node, clocks)
        outgoing = party.outgoing.get(tuple(unpack(key)))
        for item in outgoing.outbox.acknowledge(epoch, last, early) if outgoing is not None else ():
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
        for stream, outgoing in party.outgoing.items():
            if stream[:2] == lane_of(connection) and not outgoing.outbox.is_idle:
                outgoing.outbox.connection_lost(self.now())

    def went_down(self, node: NodeId) -> None:
        """That life of that node is over."""
        party = self._parties.get(node)
        if party is not None:
            error = NodeDown(str(node), "it went down before it answered")
            for outgoing in party.outgoing.values():
                for item in outgoing.outbox.clear():
                    if item.given_up is not None:
                        item.given_up(error)
            asked, party.asked = party.asked, {}
            for waiting in asked.values():
                waiting.fail(error)
            self._gone[node] = None
            if len(self._gone) > GONE_MAX:
                forgotten = next(iter(self._gone))
                del self._gone[forgotten]
                self._drop(self._parties.pop(forgotten, None))
        # Not here: this may be inside a job, and an actor is stepped from the loop's own call-backs only.
        self._host.loop.call_soon(self._wait_no_more_for, node)

    def _wait_no_more_for(self, node: NodeId) -> None:
        self._deliver(self.labels.node_down(node))

    def close(self) -> None:
        """The node stops: look after nothing any more, and tell whoever waits."""
        self._acknowledging.close()
        if self._timer is not None:
            self._timer.cancel()
        for party in self._parties.values():
            error = Unacknowledged(str(party.peer), "this node has stopped")
            for item in [item for each in party.outgoing.values() for item in each.outbox.clear()]:
                if item.given_up is not None:
                    item.given_up(error)
            for waiting in party.asked.values():
                waiting.fail(error)
            self._drop(party)
        self._parties.clear()

    def _drop(self, party: Party | None) -> None:
        if party is not None and party.peer.acked is party:
            party.peer.acked = None

    # ---- looking after what is not acknowledged -----------------------------------------------------------------

    def look_after(self) -> None:
        """Something is kept, or waits, that may have to be looked after."""
        if self._timer is None:
            self._timer = self._host.loop.call_later(self._tick_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now, is_busy = self.now(), False
        for party in list(self._parties.values()):
            for outgoing in list(party.outgoing.values()):
                for item in outgoing.outbox.expire(now):
                    self._give_up(outgoing, item)
            self._send_again(party)
            is_busy = is_busy or any(not outgoing.outbox.is_idle for outgoing in party.outgoing.values())
        self._deliver(self.labels.expire(now))
        for label, node in self.labels.to_be_asked():
            self._ask_what_it_has(label, node)
        if is_busy or self.labels.is_waiting:
            self.look_after()

    def _send_again(self, party: Party, channel: str | None = None) -> None:
        now = self.now()
        for stream, outgoing in party.outgoing.items():
            outbox = outgoing.outbox
            if outbox.is_idle or channel not in (None, stream[0]):
                continue
            lane = party.peer.lanes[stream[0]][stream[1]]
            if lane is not None and lane.is_paused:
                continue  # it has not even left this node
            again: list[Item | None] = [*outbox.due(now)]
            self.sent_again += len(again)
            if outbox.notice_due(now):
                again.append(None)
            try:
                for kept in again:
                    outgoing.transmit(kept)
            except PartisanError as error:
                log_waiting(outgoing, error)

    def _give_up(self, outgoing: Outgoing, item: Item) -> None:
        self.given_up += 1
        party = outgoing.party
        error = Unacknowledged(str(party.peer), f"it was tried for {self._options.give_up_s:g} s")
        if outgoing.label is not None:
            machine = self.labels.machine(outgoing.label)
            assert machine is not None, "it was sent under it"
            machine.settled(party.peer.node, item.clock)
            self._send_quietly(party.peer, pack([Kind.FORSAKEN, outgoing.label, item.clock]))
        if item.given_up is not None:
            item.given_up(error)
        waiting = party.asked.pop(item.question, None)
        if waiting is not None:
            waiting.fail(error)

    def _ask_what_it_has(self, label: str, node: NodeId) -> None:
        self._send_quietly(self._router.peer(node), b"", label)

    def _send_quietly(self, peer: Peer, message: bytes, label: str | None = None) -> None:
        try:
            self.send(peer, message, label=label)
        except PartisanError as error:
            logger.debug("%s is not told: %s", peer, error)

    def _fail_answers(self, party: Party) -> None:
        """The other end has given up something: it may have been the answer to any question that it has taken."""
        under_way = {item.question for each in party.outgoing.values() for item in each.outbox.items()}
        for number in [number for number in party.asked if number not in under_way]:
            party.asked.pop(number).fail(Unacknowledged(str(party.peer), "it could not get its answer through"))


def _log_unknown_label(peer: AckedPeer, message: Sequence[Any], label: str) -> None:
    logger.warning("node %s sent a message under the causal label %r, which this node does not have", peer, label)
