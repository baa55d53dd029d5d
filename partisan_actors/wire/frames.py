"""The layout of a connection: length-prefixed frames, and the kinds of message inside them.

A connection begins with HELLO frames ``u32 length (little-endian) | u8 kind | u32 0 | body``, which look the same in
all versions of the protocol, so that two that do not understand each other can say so. Then it is a sequence of frames
``u32 length | u8 kind | u32 count | u32 received | u32 checksum of that | u32 checksum of all | body``. The count is
the number of messages in a BATCH, and 0 in most others: a decoder that knows how many to expect need not find out by
failing. `received` is how many frames of the session the sender has taken in, modulo 2**32, ACK and END not counted;
see `transport.session`. The checksums are CRC-32, or 0 on connections that do without; there are two so that nobody
waits for a body of the wrong length.

- HELLO      one msgpack map; only before the connection is open, at most HELLO_BYTES_MAX long
- BATCH      any number of msgpack arrays one after another, each one message; the flush of one loop turn
- LARGE      one msgpack array ``[[size, ...], message]``: a message with out-of-band buffers, which follow as CHUNKs; a
             negative size is that of a bytes object, a positive one of a buffer that the receiver may write to
- CHUNK      raw bytes of the buffers of the last LARGE, in order; no other frame that counts comes before they are
             complete
- ACK        no body: only there to say what was received; with a count of 1 because time has passed, and then it is not
             taken for traffic, or a sign of life
- END        no body: the sender closes, and nothing of this session will come on another connection

A BATCH, LARGE or CHUNK whose kind is that and PACKED is compressed (`wire.compression`); its length and its checksums
are those of what travels.

A message is a msgpack array whose first item is its kind, one of the constants of `Kind`.
"""

from __future__ import annotations

import struct
from typing import Final
from zlib import crc32

__all__ = [
    "ACK",
    "BATCH",
    "BATCH_BYTES_MAX",
    "BULK_BYTES_MIN",
    "CHUNK",
    "CHUNK_BYTES",
    "COUNTED",
    "END",
    "FRAME_BYTES_MAX",
    "HEADER",
    "HELLO",
    "HELLO_BYTES_MAX",
    "HELLO_HEADER",
    "INLINE_BYTES_MAX",
    "LARGE",
    "PACKED_BYTES_MAX",
    "Kind",
    "checksums",
    "not_ours",
]

HELLO_HEADER: Final = struct.Struct("<IBI")
HEADER: Final = struct.Struct("<IBIIII")
_CHECKED: Final = struct.Struct("<IBII")

HELLO: Final = 1
BATCH: Final = 2
LARGE: Final = 3
CHUNK: Final = 4
ACK: Final = 5
END: Final = 6
# The kinds that are numbered, kept until they are acknowledged, and sent again.
COUNTED: Final = (BATCH, LARGE, CHUNK)

HELLO_BYTES_MAX: Final = 16 * 1024
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
# A batch is handled when it is here in whole, so small messages are not collected into larger ones than this.
BATCH_BYTES_MAX: Final = 256 * 1024
# A compressed frame stands for no more: both sides do it in one go, in which the loop does nothing else. What is longer
# is one message by itself, and goes as it is.
PACKED_BYTES_MAX: Final = BATCH_BYTES_MAX
# Buffers are cut into frames of this size: as much of them as is written, and read, in one turn of a loop.
CHUNK_BYTES: Final = 64 * 1024
# A value up to this size is copied into the batch; a larger one travels as an out-of-band buffer, uncopied.
INLINE_BYTES_MAX: Final = 32 * 1024
# Buffers of so many bytes together travel on the bulk channel, and leave the lane to others.
BULK_BYTES_MIN: Final = 256 * 1024

# How TLS begins, an alert or a handshake, read as the length of a frame.
_TLS_RECORDS: Final = (0x0315, 0x0316)


def not_ours(length: int) -> str:
    """What a first frame of that length, which cannot be a HELLO, tells of whoever sent it."""
    if length & 0xFFFF in _TLS_RECORDS:
        return "the other side speaks TLS, and this node was given no certificates"
    return "the other side does not speak this protocol"


def checksums(length: int, kind: int, count: int, received: int, *body: bytes | memoryview) -> tuple[int, int]:
    """The checksums of a frame: of its header, and of header and body, which may be in pieces."""
    of_header = of_all = crc32(_CHECKED.pack(length, kind, count, received))
    for piece in body:
        of_all = crc32(piece, of_all)
    return of_header, of_all


class Kind:
    """What a message is, as small ints because every message starts with one. The fields that follow are listed.

    `actor` is the 12-byte key of an actor on the receiving node, `call` the caller's number for the reply,
    `meta` a map of optional extras (trace context, deadline), or nil; bytes are a trace context and no more.
    """

    CONTROL: Final = 0  # body: a tagged control message, see codec
    CALL: Final = 1  # call, actor, method, *scalar arguments
    CALL_PICKLED: Final = 2  # call, actor, method, meta, payload (arguments and keyword arguments)
    TELL: Final = 3  # actor, method, *scalar arguments
    TELL_PICKLED: Final = 4  # actor, method, meta, payload
    CALL_META: Final = 5  # call, actor, method, meta, *scalar arguments
    TELL_META: Final = 6  # actor, method, meta, *scalar arguments
    REPLY: Final = 7  # call, scalar value
    REPLY_PICKLED: Final = 8  # call, payload
    REPLY_ERROR: Final = 9  # call, payload of an exception
    RELAY: Final = 10  # what `envelope.Envelope` lists
    PING: Final = 11  # are you there?
    PONG: Final = 12  # yes
    IDLE: Final = 13  # phase, connection id: nobody uses this connection, may it be closed? see node.keepalive
    IN_TURN: Final = (
        14  # stream, transfer, *message: takes its turn among the others of its stream, see node.interleaving
    )
    BULK: Final = 15  # transfer; what comes with it are the buffers of the message in turn that names it
    BULK_ARRIVED: Final = 16  # transfer: it is here, or its receiver has given it up
    BULK_LOST: Final = 17  # *transfers that will not come
    ACKED: Final = 18  # stream, epoch, base, number, stamp, message or nil: to be acknowledged, see node.delivery
    ACK: Final = 19  # stream, epoch, last, early numbers, clocks delivered by label
    FORSAKEN: Final = 20  # label, clock: nothing of that label up to that clock comes any more
    TELL_ACKED: Final = 21  # call, tell: answered with nil once the tell is in the actor's mailbox
    MAPPED: Final = (
        22  # transfer, number of pieces, *message, *pieces: its buffers are shared memory, see objects.sharing
    )
    MAPPED_TAKEN: Final = 23  # transfer, whether they could be mapped
    COUNT: Final = 24
