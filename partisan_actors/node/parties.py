"""What acknowledged delivery keeps of one other node: its streams, and who stands for it where it is answered."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from partisan_actors.errors import NodeDown, PartisanError, ProtocolError
from partisan_actors.ids import NodeId
from partisan_actors.node.answering import StandIn, channel_of_answers
from partisan_actors.node.causal_labels import Heard
from partisan_actors.node.router import Buffers, Peer, Pending
from partisan_actors.protocols.delivery.retransmission import Kept, Outbox, Window
from partisan_actors.wire.channels import CALLS, LANES_MAX
from partisan_actors.wire.codec import pack, unpack
from partisan_actors.wire.frames import Kind

__all__ = ["AckedPeer", "Incoming", "Item", "Outgoing", "Party", "Stream", "log_waiting"]

logger = logging.getLogger(__name__)

# A channel, a lane of it, and a causal label or None. Messages of a stream are in order whatever connection they take;
# those of others wait for none of them.
Stream: TypeAlias = tuple[str, int, str | None]

NIL: Final = pack(None)
# Streams that one other node may have to this one, and how long the name of one is at most.
STREAMS_MAX: Final = 16_384
STREAM_BYTES_MAX: Final = 512
# A party looks for answers that nobody waits for any more when it has waited for so many, and twice as many as stayed.
ASKED_MIN: Final = 1024

# An array of seven; then base and number as whole numbers of 64 bits.
_HEAD: Final = b"\x97" + pack(Kind.ACKED)
_place: Final = struct.Struct(">BQBQ").pack
_UINT64: Final = 0xCF


class Item(Kept):
    """A message that is kept. `question` is the number of the call that it asks, or 0; `clock` is 0 without a label."""

    __slots__ = ("acknowledged", "affinity", "buffers", "clock", "given_up", "message", "question", "stamp")

    def __init__(
        self,
        size: int,
        now: float,
        message: bytes,
        buffers: Buffers | None,
        affinity: int,
        stamp: bytes,
        clock: int,
        question: int,
        acknowledged: Callable[[], None] | None,
        given_up: Callable[[PartisanError], None] | None,
    ) -> None:
        # What `Kept.__init__` does, without one call more for each message.
        self.number = self.tries = 0
        self.size = size
        self.born = self.sent_at = now
        self.is_early = False
        self.message = message
        self.buffers = buffers
        self.affinity = affinity
        self.stamp = stamp
        self.clock = clock
        self.question = question
        self.acknowledged = acknowledged
        self.given_up = given_up


class Sends(Protocol):
    """What the sending end of a stream needs of delivery."""

    now: Callable[[], float]
    # The clock and the stamp of the next message under a label. Raises Overloaded.
    stamp: Callable[[str, NodeId], tuple[int, bytes]]

    def look_after(self) -> None:
        """Something is kept that may have to be sent again."""
        ...

    def outgoing(self, party: Party, stream: Stream) -> Outgoing:
        """The sending end of that stream."""
        ...


class Outgoing:
    """The sending end of one stream. Whoever answers takes it for a connection."""

    __slots__ = ("_head", "_look_after", "_now", "_stamp", "channel", "label", "lane", "outbox", "party", "peer")

    def __init__(self, sends: Sends, party: Party, stream: Stream, outbox: Outbox[Item]) -> None:
        self.party, self.peer = party, party.peer
        self.channel, self.lane, self.label = stream
        self.outbox = outbox
        self._now, self._stamp, self._look_after = sends.now, sends.stamp, sends.look_after
        self._head = _HEAD + pack(pack(list(stream))) + pack(outbox.epoch)

    def send(self, message: bytes) -> None:
        """Send an answer. Raises NodeDown, and Overloaded as `push`."""
        if self.peer.down is not None:
            raise NodeDown(str(self.peer.node), self.peer.down)
        self.push(message, None, self.lane)

    def push(
        self,
        message: bytes,
        buffers: Buffers | None,
        affinity: int,
        question: int = 0,
        acknowledged: Callable[[], None] | None = None,
        given_up: Callable[[PartisanError], None] | None = None,
    ) -> None:
        """Send a message, whatever waits here already. Raises Overloaded as `CausalLabels.stamp`."""
        clock, stamp = (0, NIL) if self.label is None else self._stamp(self.label, self.peer.node)
        size = len(message) if not buffers else len(message) + sum(map(len, buffers))
        extras = clock, question, acknowledged, given_up
        item = Item(size, self._now(), message or NIL, buffers or None, affinity, stamp, *extras)
        self.outbox.push(item)
        try:
            self.transmit(item)
        except PartisanError as error:
            log_waiting(self, error)
        self._look_after()

    def send_from_thread(self, message: bytes) -> bool:
        """Never: it is the loop that keeps what is sent."""
        return False

    def transmit(self, item: Item | None) -> None:
        """Send a message, or, with None, the notice that there is nothing more to wait for.

        Raises what the way to the peer raises.
        """
        peer, base = self.peer, self.outbox.base
        if item is None:
            peer.send(b"".join((self._head, _place(_UINT64, base, _UINT64, 0), NIL, NIL)), self.channel, self.lane)
            return
        place = _place(_UINT64, base, _UINT64, item.number)
        packed = b"".join((self._head, place, item.stamp, item.message))
        connection = peer.direct
        kind = type(item.message)
        if kind is not bytes:
            peer.router.send_bound(peer, kind(packed), item.buffers, self.channel, item.affinity)
        elif item.buffers is not None:
            peer.send_large(packed, item.buffers, self.channel, item.affinity)
        elif connection is not None and self.channel == CALLS:
            connection.send(packed)
        else:
            peer.send(packed, self.channel, item.affinity)


class Incoming:
    """The receiving end of one stream. `key` is its name as the sender packs it."""

    __slots__ = ("_stand_in", "channel", "heard", "is_owed", "key", "label", "lane", "party", "window")

    def __init__(self, party: Party, key: bytes) -> None:
        """Raises ProtocolError, ValueError or TypeError for what is no name of a stream."""
        if len(key) > STREAM_BYTES_MAX:
            raise ProtocolError(f"a stream with a name of {len(key)} bytes, the limit is {STREAM_BYTES_MAX}")
        channel, lane, label = unpack(key)
        if type(lane) is not int or not 0 <= lane < LANES_MAX or channel not in party.peer.lanes:
            raise ProtocolError(f"an acknowledged message on lane {lane!r} of channel {channel!r}")
        if label is not None and not isinstance(label, str):
            raise ProtocolError("a stream under a causal label that is no text")
        self.party, self.key = party, key
        self.channel, self.lane, self.label = channel, lane, label
        self.window = Window()
        self.heard = Heard()
        self.is_owed = False
        self._stand_in: AckedPeer | None = None

    @property
    def stand_in(self) -> AckedPeer:
        """Who stands for the sender where it is answered: under the same label, on the same channel."""
        if self._stand_in is None:
            self._stand_in = self.party.stand_in(self.label, self.channel)
        return self._stand_in


class Party:
    """One life of another node, as far as acknowledged messages go."""

    __slots__ = ("_asked_max", "_sends", "_stand_ins", "asked", "clocks", "incoming", "outgoing", "owed", "peer")

    def __init__(self, peer: Peer, sends: Sends) -> None:
        self.peer = peer
        self.outgoing: dict[Stream, Outgoing] = {}
        self.incoming: dict[bytes, Incoming] = {}
        # Which are to be acknowledged; and the clock of each label up to which was delivered here.
        self.owed: list[Incoming] = []
        self.clocks: dict[str, int] = {}
        self.asked: dict[int, Pending] = {}
        self._asked_max = ASKED_MIN
        self._sends = sends
        self._stand_ins: dict[tuple[str, str | None], AckedPeer] = {}

    def ask(self, number: int, waiting: Pending) -> None:
        """`waiting` waits for the answer to that question."""
        asked = self.asked
        if len(asked) >= self._asked_max:
            for each in [each for each, other in asked.items() if other.done()]:
                del asked[each]
            self._asked_max = max(ASKED_MIN, 2 * len(asked))
        asked[number] = waiting

    def listen(self, key: bytes) -> Incoming:
        """The receiving end of a stream that is new. Raises as `Incoming` does, and ProtocolError at the bound."""
        if len(self.incoming) >= STREAMS_MAX:
            raise ProtocolError(f"more than {STREAMS_MAX} streams of acknowledged messages")
        incoming = self.incoming[key] = Incoming(self, key)
        return incoming

    def stand_in(self, label: str | None, channel: str) -> AckedPeer:
        """Who stands for this node where what came on that channel is answered under that label."""
        key = channel_of_answers(channel), label
        stand_in = self._stand_ins.get(key)
        if stand_in is None:
            stand_in = self._stand_ins[key] = AckedPeer(self._sends, self, *key)
        return stand_in


class AckedPeer(StandIn):
    """What is sent on it is acknowledged, causal under `label`, and on `channel` in place of the one for calls."""

    def __init__(self, sends: Sends, party: Party, channel: str, label: str | None) -> None:
        super().__init__(party.peer)
        self.channel, self.label = channel, label
        self._party = party
        self._sends = sends
        # What a plain answer looks at first: the one way that those take, if there is only one.
        self.calls = sends.outgoing(party, (channel, 0, label)) if len(self.peer.lanes[channel]) == 1 else None

    def without_label(self) -> AckedPeer:
        """The same for what need not be in causal order."""
        return self if self.label is None else self._party.stand_in(None, self.channel)

    def send(self, message: bytes, channel: str = CALLS, affinity: int = 0) -> None:
        """Send an answer. Raises NodeDown."""
        self._answer(message, None, channel, affinity)

    def send_large(self, message: bytes, buffers: Buffers, channel: str = CALLS, affinity: int = 0) -> None:
        """The same with buffers beside it."""
        self._answer(message, buffers or None, channel, affinity)

    # An answer has no order with others; here it has that of its stream.
    reply_large = send_large

    def _answer(self, message: bytes, buffers: Buffers | None, channel: str, affinity: int) -> None:
        peer = self.peer
        if peer.down is not None:
            raise NodeDown(str(peer.node), peer.down)
        channel = self.channel if channel == CALLS else channel
        stream = channel, affinity % len(peer.lanes[channel]), self.label
        self._sends.outgoing(self._party, stream).push(message, buffers, affinity)


def log_waiting(outgoing: Outgoing, error: PartisanError) -> None:
    """There is no way now, or too much waits on it: it is sent again in time."""
    logger.debug("an acknowledged message to %s waits: %s", outgoing.peer, error)
