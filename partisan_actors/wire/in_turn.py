"""Messages in turn: a message behind the number of its stream and that of the transfer its buffers come with."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

__all__ = ["IN_TURN_FIELDS", "WRAPPERS", "in_turn", "spliced", "stream_of", "without_turn"]

# What stands before the fields of the message itself: kind, stream, transfer.
IN_TURN_FIELDS: Final = 3
# The kinds that stand before the fields of another message, with two more fields each.
WRAPPERS: Final = frozenset({Kind.IN_TURN, Kind.MAPPED})


def in_turn(message: bytes, stream: int, transfer: int) -> bytes:
    """The packed message as one in turn; its own fields are not packed again.

    >>> in_turn(pack([Kind.TELL, 7]), 5, 1) == pack([Kind.IN_TURN, 5, 1, Kind.TELL, 7])
    True
    """
    return spliced([Kind.IN_TURN, stream, transfer], message)


def spliced(before: Sequence[Any], message: bytes, after: Sequence[Any] = ()) -> bytes:
    """A packed message with further fields before and behind its own, which are not packed again."""
    first = message[0]
    if first & 0xF0 == 0x90:
        count, start = first & 0x0F, 1
    elif first == 0xDC:
        count, start = int.from_bytes(message[1:3], "big"), 3
    else:
        count, start = int.from_bytes(message[1:5], "big"), 5
    head = _array_header(count + len(before) + len(after))
    return b"".join((head, *map(pack, before), message[start:], *map(pack, after)))


def without_turn(plain: list[Any]) -> list[Any]:
    """An unpacked message as it was before `in_turn` and `mapped`; any other message as it is.

    The pieces of one that is mapped stay behind its own fields.
    """
    while plain[0] in WRAPPERS:
        plain = plain[IN_TURN_FIELDS:]
    return plain


def stream_of(channel: str, affinity: int) -> int:
    """The number of the stream that messages of that affinity make on a channel.

    Two streams may share a number, one time in four thousand millions; then they wait for each other.
    """
    return affinity if channel == CALLS else affinity ^ _number_of(channel)


@cache
def _number_of(channel: str) -> int:
    return zlib.crc32(channel.encode())


def _array_header(count: int) -> bytes:
    if count < 16:
        return bytes((0x90 | count,))
    if count < 1 << 16:
        return b"\xdc" + count.to_bytes(2, "big")
    return b"\xdd" + count.to_bytes(4, "big")
