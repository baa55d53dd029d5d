"""The envelope of a message that goes from node to node: where to and from, and its place in the stream of the two."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from partisan_actors.wire.codec import pack, unpack, unpacker
from partisan_actors.wire.frames import Kind
from partisan_actors.wire.in_turn import WRAPPERS, without_turn

__all__ = ["ASKS", "REPLIES", "Envelope", "asked_tell", "head_of", "inner_of", "meta_of", "trace_in"]

ASKS: Final = frozenset({Kind.CALL, Kind.CALL_META, Kind.CALL_PICKLED})
REPLIES: Final = frozenset({Kind.REPLY, Kind.REPLY_PICKLED, Kind.REPLY_ERROR})

# Where the map of extras stands, in the messages that have one.
_META_POSITIONS: Final = {Kind.CALL_META: 4, Kind.CALL_PICKLED: 4, Kind.TELL_META: 3, Kind.TELL_PICKLED: 3}

_ASKED_TELL: Final = b"\x93" + pack(Kind.TELL_ACKED)
# An array's header, two small ints, and three of any size: what stands before an actor's key is never longer.
_HEAD_BYTES_MAX: Final = 40


class Envelope(NamedTuple):
    """Kind.RELAY, field by field. Ids of nodes are ``[name, incarnation]``.

    `identity` tells the envelopes of one origin apart, so that no node handles one twice; a message that is sent again
    goes in another envelope. `is_flood` asks nodes in between to use every way. `number` is the message's place in the
    stream (see protocols.delivery.stream) in `epoch`; 0 stands for no message, and then the envelope is there for
    `acked` alone: the last number that its origin has of the other direction, in `acked_epoch`.
    """

    kind: int
    destination: list[Any]
    origin: list[Any]
    identity: int
    ttl: int
    hops: int
    is_flood: bool
    channel: str
    trace: bytes | None
    epoch: int
    number: int
    acked_epoch: int
    acked: int
    message: bytes

    def packed(self) -> bytes:
        """The wire form."""
        return pack(list(self))


def head_of(message: bytes) -> tuple[int, int]:
    """The kind of a packed message, and the number of the call it asks or answers; 0 for every other kind."""
    head = unpacker(_HEAD_BYTES_MAX)
    head.feed(message[:_HEAD_BYTES_MAX])
    head.read_array_header()
    kind: int = head.unpack()
    while kind in WRAPPERS:
        head.unpack()
        head.unpack()
        kind = head.unpack()
    return kind, head.unpack() if kind in ASKS or kind in REPLIES else 0


def asked_tell(number: int, told: bytes) -> bytes:
    """A packed tell as one that is to be answered, under that number.

    >>> asked_tell(7, pack([Kind.TELL, 1])) == pack([Kind.TELL_ACKED, 7, [Kind.TELL, 1]])
    True
    """
    return b"".join((_ASKED_TELL, pack(number), told))


def inner_of(plain: list[Any]) -> list[Any]:
    """What an unpacked message is about: one that is to be acknowledged holds another one, and so does such a tell."""
    if plain[0] == Kind.ACKED and plain[6]:
        plain = plain[6]
    return plain[2] if plain[0] == Kind.TELL_ACKED else plain


def meta_of(plain: list[Any]) -> dict[str, Any] | None:
    """The extras of an unpacked message: from then on a map, even where there was nothing but a trace context."""
    plain = without_turn(plain)
    position = _META_POSITIONS.get(plain[0])
    meta = plain[position] if position is not None else None
    if position is not None and type(meta) is bytes:
        meta = plain[position] = {"tc": meta}
    return meta if isinstance(meta, dict) else None


def trace_in(message: bytes) -> bytes | None:
    """The trace context that a packed call or tell carries, in wire form."""
    meta = meta_of(inner_of(unpack(message)))
    trace = meta.get("tc") if meta is not None else None
    return trace if isinstance(trace, bytes) else None
