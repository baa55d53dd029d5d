"""Hostile byte streams, drawn from a `random.Random`: what a stranger may send before and after the handshake."""

from __future__ import annotations

import dataclasses
import random
import typing
import zlib
from collections.abc import Callable
from typing import Any

import msgpack

from partisan_actors.ids import NodeId
from partisan_actors.messages import message_types
from partisan_actors.protocols.broadcast import exchange, flood, handlers, plumtree
from partisan_actors.protocols.detector import swim_messages
from partisan_actors.protocols.membership import hyparview_messages
from partisan_actors.wire.compression import PACKED, PACKED_HEAD
from partisan_actors.wire.frames import (
    ACK,
    BATCH,
    CHUNK,
    END,
    FRAME_BYTES_MAX,
    HEADER,
    HELLO,
    HELLO_BYTES_MAX,
    HELLO_HEADER,
    LARGE,
    Kind,
)
from partisan_actors.wire.handshake import MAGIC, PROTOCOL_VERSION, Handshake, Identity

# What breaks parsers: bounds, signs, and what is one of them but not quite.
NUMBERS = (0, 1, -1, 2, 127, 128, 255, 2**16, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, -(2**63), 2**64 - 1)
TEXTS = ("", "a", "calls", "control", "hello", "\u0000", "x" * 300, "a/b", "127.0.0.1:1", "[::1]:0", "\U0001f600")
# The last ones are pickles, one of which would run a command.
BLOBS = (b"", b"\x00", bytes(12), bytes(16), bytes(32), b"@nobody", b"\x80\x05N.", b"cos\nsystem\n(S'true'\ntR.")
STARTS = (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"SSH-2.0-x\r\n")
# Of these modules, and not what other tests have imported: a seed means the same in every run. What puts a node out of
# the cluster is not among them: any member may send that.
MODULES = (exchange, flood, handlers, hyparview_messages, plumtree, swim_messages)
MESSAGES = [
    (tag, cls)
    for tag, cls in sorted(message_types().items())
    if cls.__module__ in {module.__name__ for module in MODULES}
]


def anything(rng: random.Random, depth: int = 3) -> Any:
    """Any value that msgpack can carry."""
    leaves: tuple[Callable[[], Any], ...] = (
        lambda: None,
        lambda: rng.random() < 0.5,
        lambda: rng.choice(NUMBERS),
        lambda: rng.choice((0.0, -0.0, float("inf"), float("nan"), 1e308)),
        lambda: rng.choice(TEXTS),
        lambda: rng.choice(BLOBS),
        lambda: rng.randbytes(rng.randrange(40)),
    )
    if depth and rng.random() < 0.3:
        some = range(rng.randrange(5))
        if rng.random() < 0.7:
            return [anything(rng, depth - 1) for _ in some]
        return {rng.choice(TEXTS): anything(rng, depth - 1) for _ in some}
    return rng.choice(leaves)()


def damaged(rng: random.Random, data: bytes) -> bytes:
    """The same with some bits flipped, a piece cut out, doubled or replaced, or not at all."""
    result = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 5))):
        if not result:
            break
        start = rng.randrange(len(result))
        end = min(len(result), start + rng.choice((1, 1, 2, 8, 64)))
        match rng.randrange(4):
            case 0:
                result[start] ^= 1 << rng.randrange(8)
            case 1:
                del result[start:end]
            case 2:
                result[start:start] = result[start:end]
            case _:
                result[start:end] = rng.randbytes(end - start)
    return bytes(result)


def _checksums(rng: random.Random) -> list[int]:
    return [0 if rng.random() < 0.9 else 1 for _ in range(2)]


def frame(rng: random.Random, body: bytes, kind: int, count: int = 0) -> bytes:
    """One frame, whose header lies now and then: as before the handshake if it is a HELLO, or else as after it."""
    if kind in (BATCH, LARGE, CHUNK) and rng.random() < 0.2:
        kind, body = kind | PACKED, compressed(rng, body)
    length = len(body) if rng.random() < 0.9 else rng.choice((0, 1, len(body) + 1, FRAME_BYTES_MAX + 1, 2**32 - 1))
    header, rest = (HELLO_HEADER, ()) if kind == HELLO else (HEADER, (_some(rng), *_checksums(rng)))
    if rng.random() < 0.1:
        kind = rng.choice((0, HELLO, BATCH, LARGE, CHUNK, ACK, END, 9, 255))
    if rng.random() < 0.1:
        count = rng.choice((0, 1, 2, 1000, 2**32 - 1))
    return header.pack(length, kind, count, *rest) + body


def compressed(rng: random.Random, body: bytes) -> bytes:
    """The body of a compressed frame that stands for `body`, or says so, or for a megabyte."""
    content = body if rng.random() < 0.7 else bytes(1 << 20)
    size = len(content) if rng.random() < 0.7 else rng.choice((0, 1, len(body), FRAME_BYTES_MAX, 2**32 - 1))
    made = PACKED_HEAD.pack(rng.choice((1, 1, 1, 1, 1, 1, 0, 2, 3, 9)), size) + zlib.compress(content, 1)
    return made if rng.random() < 0.7 else damaged(rng, made)


def _some(rng: random.Random) -> int:
    return 0 if rng.random() < 0.8 else rng.choice((1, 2, 1000, 2**31, 2**32 - 1))


# ---- before the handshake --------------------------------------------------------------------------------------------


def hello(rng: random.Random) -> dict[str, Any]:
    """What a node says first, with some of it replaced or missing."""
    said: dict[str, Any] = {
        "type": "hello",
        "magic": MAGIC,
        "version": PROTOCOL_VERSION,
        "me": Identity(NodeId("stranger", rng.randrange(2**40)), "", (), {"calls": 1}).plain(),
        "expected": None,
        "channel": "calls",
        "lane": 0,
        "nonce": rng.randbytes(16),
    }
    for part in (said, said["me"]):
        for key in list(part):
            if rng.random() < 0.08:
                part[key] = anything(rng)
            elif rng.random() < 0.03:
                del part[key]
    return said


def before_handshake(rng: random.Random) -> bytes:
    """A whole stream of somebody who does not know the cookie."""
    match rng.randrange(7):
        case 0:
            return rng.randbytes(rng.randrange(1, 200))
        case 1:
            return rng.choice(STARTS) + rng.randbytes(30)
        case 2:
            return frame(rng, msgpack.packb(anything(rng)), HELLO)
        case 3:
            return HELLO_HEADER.pack(rng.randrange(HELLO_BYTES_MAX + 10), HELLO, 0) + rng.randbytes(rng.randrange(60))
        case 4:
            said = {"type": rng.choice(("proof", "welcome", "challenge", "refused")), "proof": anything(rng)}
            return frame(rng, msgpack.packb(hello(rng)), HELLO) + frame(rng, msgpack.packb(said), HELLO)
        case 5:
            return damaged(rng, frame(rng, msgpack.packb(hello(rng)), HELLO)) + after_handshake(rng)
        case _:
            return frame(rng, msgpack.packb(hello(rng)), HELLO)


# ---- after the handshake ---------------------------------------------------------------------------------------------

# The fields that follow each kind, as `Kind` lists them; "any" is any value.
_FIELDS: dict[int, tuple[str, ...]] = {
    Kind.CALL: ("number", "actor", "text", "any", "any"),
    Kind.CALL_PICKLED: ("number", "actor", "text", "meta", "blob"),
    Kind.TELL: ("actor", "text", "any"),
    Kind.TELL_PICKLED: ("actor", "text", "meta", "blob"),
    Kind.CALL_META: ("number", "actor", "text", "meta", "any"),
    Kind.TELL_META: ("actor", "text", "meta", "any"),
    Kind.REPLY: ("number", "any"),
    Kind.REPLY_PICKLED: ("number", "blob"),
    Kind.REPLY_ERROR: ("number", "blob"),
    Kind.RELAY: ("any", "any", "any", "any", "any", "any", "any", "any"),
    Kind.PING: (),
    Kind.PONG: (),
    Kind.IDLE: ("number", "blob"),
}


def message(rng: random.Random) -> Any:
    """A message that looks like one, more or less."""
    if rng.random() < 0.1:
        return anything(rng)
    if rng.random() < 0.5:
        return [Kind.CONTROL, control(rng)]
    kind = rng.choice(list(_FIELDS))
    made = [kind, *(_field(rng, name) for name in _FIELDS[kind])]
    if rng.random() < 0.2:
        made = made[: rng.randrange(len(made) + 1)]
    return made


def control(rng: random.Random) -> list[Any]:
    """A message of some protocol, with as many fields as it has, and some of them of their types."""
    tag, cls = rng.choice(MESSAGES)
    hints = typing.get_type_hints(cls)
    values = [_of_type(rng, hints[field.name]) for field in dataclasses.fields(cls)]
    return [tag if rng.random() < 0.95 else rng.choice(TEXTS), *values]


def _field(rng: random.Random, name: str) -> Any:
    if rng.random() < 0.1:
        return anything(rng)
    match name:
        case "number":
            return rng.randrange(100)
        case "actor":
            return rng.choice((bytes(12), rng.randbytes(12), b"@nobody", b"@"))
        case "text":
            return rng.choice(("status", "nodes", "tree", "__class__", "__init__", *TEXTS))
        case "meta":
            return rng.choice((None, {}, {"deadline": 1.0}, {"trace": b"x"}))
        case "blob":
            return rng.choice(BLOBS)
    return anything(rng)


def _of_type(rng: random.Random, hint: Any) -> Any:
    if rng.random() < 0.1:
        return anything(rng)
    simple: dict[Any, Callable[[], Any]] = {
        bool: lambda: rng.random() < 0.5,
        int: lambda: rng.choice((0, 1, 2, 3, *NUMBERS)),
        float: lambda: rng.choice((0.0, 0.5, 1e9, float("nan"))),
        str: lambda: rng.choice(TEXTS),
        bytes: lambda: rng.choice(BLOBS),
    }
    if hint in simple:
        return simple[hint]()
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (tuple, list, frozenset) and inner:
        return [_of_type(rng, inner[0]) for _ in range(rng.randrange(4))]
    if origin is typing.Union and inner:
        return _of_type(rng, rng.choice(inner))
    # A peer, most of all: its name, its incarnation, its addresses.
    return [rng.choice(("stranger", "victim", "x")), rng.randrange(3), ["127.0.0.1:1"]]


def after_handshake(rng: random.Random) -> bytes:
    """Some frames of somebody who knows the cookie."""
    stream = bytearray()
    for _ in range(rng.randrange(1, 4)):
        match rng.randrange(7):
            case 6:
                stream += frame(rng, b"", rng.choice((ACK, ACK, END)))
            case 0:
                sizes = [rng.choice((1, 5, -5, 100, *NUMBERS)) for _ in range(rng.randrange(3))]
                stream += frame(rng, msgpack.packb([sizes, message(rng)]), LARGE)
            case 1:
                stream += frame(rng, rng.randbytes(rng.randrange(1, 60)), CHUNK)
            case _:
                messages = [message(rng) for _ in range(rng.randrange(1, 4))]
                body = b"".join(msgpack.packb(each) for each in messages)
                stream += frame(rng, body if rng.random() < 0.6 else damaged(rng, body), BATCH, len(messages))
    return bytes(stream) if rng.random() < 0.8 else damaged(rng, bytes(stream))


def shake_hands(cookie: bytes, channels: dict[str, int], rng: random.Random, **changes: Any) -> Handshake:
    """The dialling side of a handshake of somebody who knows the cookie."""
    number = rng.randrange(1000)
    me: dict[str, Any] = {
        "node": NodeId(f"stranger{number}", rng.randrange(1, 1000)),
        "cluster": "",
        "addresses": (),
        "channels": channels,
        "observer": number % 2 == 0,  # nobody is now one and now the other: that is refused
    }
    handshake = Handshake(
        Identity(**{**me, **changes}), cookie, rng.randbytes(16), dialler=True, channel=rng.choice(sorted(channels))
    )
    handshake.sessions = rng.random() < 0.5
    return handshake
