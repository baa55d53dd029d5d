"""Two ends of one connection without a network: what one end writes, the test carries over to the other."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from partisan_actors.ids import NodeId
from partisan_actors.transport.connection import Connection
from partisan_actors.transport.flusher import Flusher
from partisan_actors.wire.frames import HEADER, Kind
from partisan_actors.wire.handshake import Handshake, Identity

COOKIE = b"a cookie of tests"


def identity(name: str, **changes: Any) -> Identity:
    """Who a node of a test says it is."""
    settings: dict[str, Any] = {
        "node": NodeId(name, 1),
        "cluster": "tests",
        "addresses": (f"{name}:1",),
        "channels": {"control": 1, "calls": 2},
    }
    return Identity(**{**settings, **changes})


def handshake(name: str, *, dialler: bool, nonce: bytes = b"", cookie: bytes = COOKIE, **changes: Any) -> Handshake:
    """One side of a handshake."""
    sides: dict[str, Any] = {"channel": "calls"} if dialler else {}
    me = changes.pop("me", None) or identity(name)
    return Handshake(me, cookie, nonce or name.encode().ljust(16, b"."), dialler, **{**sides, **changes})


def head(length: int, kind: int, count: int) -> bytes:
    """The header of a frame that says that nothing was received, without a checksum."""
    return HEADER.pack(length, kind, count, 0, 0, 0)


class Wire(asyncio.Transport):
    """A transport that keeps what is written to it."""

    def __init__(self, protocol: Any) -> None:
        super().__init__()
        self.protocol = protocol
        self.written = bytearray()
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def writelines(self, pieces: Any) -> None:
        for piece in pieces:
            self.written += piece

    def take(self) -> bytes:
        """What was written since the last time."""
        data, self.written = bytes(self.written), bytearray()
        return data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever buffered."""

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Nothing: what comes is handed over piece by piece anyway."""

    def resume_reading(self) -> None:
        """Nothing, as above."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.protocol.connection_lost(None)

    abort = close


class End:
    """One end: a connection, its owner, and the wire it writes to."""

    def __init__(self, side: Handshake, **limits: int) -> None:
        self.messages: list[Any] = []
        self.failures: list[Exception] = []
        self.close_error: BaseException | None = None
        self.was_opened = 0
        self.dispatch = [self.received] * Kind.COUNT
        bounds = {"queue_bytes_max": 1 << 20, "message_bytes_max": 1 << 24, **limits}
        self.connection = Connection(self, Flusher(asyncio.get_running_loop(), 64 * 1024), side, **bounds)
        self.wire = Wire(self.connection)
        self.connection.connection_made(self.wire)

    def received(self, peer: Any, message: list[Any], buffers: list[Any] | None = None) -> None:
        self.messages.append((message, None if buffers is None else [bytes(buffer) for buffer in buffers]))

    def admit(self, connection: Connection) -> int:
        return 0

    def opened(self, connection: Connection) -> None:
        self.was_opened += 1
        connection.peer = "the other end"

    def broke(self, connection: Connection, error: BaseException) -> bool:
        return False

    def closed(self, connection: Connection, error: BaseException | None) -> None:
        self.close_error = error

    def failed(self, connection: Connection, error: Exception) -> None:
        self.failures.append(error)

    def feed(self, data: bytes, cuts: random.Random | None = None, most: int = 64) -> None:
        """Give the connection bytes as a loop would: in one piece, or cut at random into pieces of at most `most`."""
        rest = memoryview(data)
        while len(rest) and not self.wire.is_closed:
            size = cuts.randint(1, most) if cuts is not None else len(rest)
            piece, rest = rest[:size], rest[size:]
            while len(piece) and not self.wire.is_closed:
                room = self.connection.get_buffer(len(piece))
                count = min(len(room), len(piece))
                room[:count] = piece[:count]
                piece = piece[count:]
                self.connection.buffer_updated(count)


def open_pair(**limits: int) -> tuple[End, End]:
    """Two ends whose handshake is done."""
    ends = End(handshake("a", dialler=True), **limits), End(handshake("b", dialler=False), **limits)
    carry(*ends)
    assert all(end.connection.is_open for end in ends)
    return ends


def carry(one: End, other: End) -> None:
    """Carry bytes over until neither end has more to say."""
    while one.wire.written or other.wire.written:
        other.feed(one.wire.take())
        one.feed(other.wire.take())
