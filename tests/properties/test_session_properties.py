"""A lane whose connections break anywhere: what is sent arrives once and in order, in both directions."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from partisan_actors.transport import session as session_module
from partisan_actors.transport.connection import Connection
from partisan_actors.transport.flusher import Flusher
from partisan_actors.transport.framing import Packer
from partisan_actors.transport.session import Session
from partisan_actors.wire.codec import pack
from partisan_actors.wire.compression import Compression
from partisan_actors.wire.frames import Kind
from partisan_actors.wire.handshake import Handshake, Resume
from tests.wiring import Wire, handshake


class Turns:
    """Stands for a loop: runs what was to be called soon when it is told to."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], Any]] = deque()

    def time(self) -> float:
        return 0.0

    def call_soon(self, call: Callable[[], Any]) -> None:
        self._calls.append(call)

    def run(self) -> None:
        while self._calls:
            self._calls.popleft()()


class Side:
    """One end of a lane, and the connection that it has at the moment."""

    def __init__(self, name: str, checksums: bool, compressed: bool = False) -> None:
        self.name = name
        self.turns = Turns()
        self.flusher = Flusher(self.turns, 4096)  # type: ignore[arg-type]  # the part of a loop that it uses
        self.dispatch = [self._received] * Kind.COUNT
        self.messages: list[Any] = []
        self.sent: list[Any] = []
        self.current: Connection | None = None
        self.wire: Any = None
        self._checksums = checksums
        self._compressed = compressed
        self.breaches: list[BaseException | None] = []

    def connect(self, *, dialler: bool, nonce: bytes) -> None:
        session = self.current.session if self.current is not None else None
        resume = Resume(session.identity, session.received) if session is not None and dialler else None
        side: Handshake = handshake(self.name, dialler=dialler, nonce=nonce, resume=resume)
        side.checksums = self._checksums
        connection = Connection(self, self.flusher, side, 1 << 30, 1 << 24)
        self.wire = Wire(connection)
        connection.connection_made(self.wire)

    def lose(self, rng: random.Random) -> None:
        """The connection breaks here, unless this side is to find out only when the other one dials."""
        assert self.current is not None
        if rng.random() < 0.7:
            self.current.connection_lost(ConnectionResetError("cut"))

    def send(self, number: int, rng: random.Random) -> None:
        assert self.current is not None
        buffers: Any = None
        if rng.random() < 0.3:
            sizes = [rng.choice((1, 100, 5000)) for _ in range(rng.randint(1, 3))]
            contents = [rng.choice((rng.randbytes(size), bytes(size))) for size in sizes]
            buffers = [rng.choice((bytes, bytearray))(content) for content in contents]
            self.current.send_large(pack([Kind.TELL, number]), buffers)
        else:
            self.current.send(pack([Kind.TELL, number]))
        self.sent.append((number, buffers and [bytes(each) for each in buffers]))

    def feed(self, data: bytes, rng: random.Random) -> None:
        protocol, rest = self.wire.protocol, memoryview(data)
        while len(rest) and not self.wire.is_closed:
            room = protocol.get_buffer(len(rest))
            count = min(len(room), len(rest), rng.choice((1, 7, 4096)))
            room[:count] = rest[:count]
            rest = rest[count:]
            protocol.buffer_updated(count)
            if rng.random() < 0.5:
                self.turns.run()

    def _received(self, peer: Any, message: list[Any], buffers: list[Any] | None = None) -> None:
        self.messages.append((message[1], buffers and [bytes(each) for each in buffers]))

    # The owner of connections.

    def admit(self, connection: Connection) -> int:
        if connection.handshake.resume is None:
            return 0
        assert self.current is not None and connection.handshake.resume.session == self.current.session.identity
        assert self.current.session.can_resume(connection.handshake.resume.received)
        connection.take_over(self.current)
        self.current = connection
        return connection.session.received

    def opened(self, connection: Connection) -> None:
        side = connection.handshake
        if self._compressed and connection.packer is None:
            connection.frame_with(Packer(Compression("zlib", 1)))
        if side.resume is None:
            self.current = connection
            return
        if side.dialler:
            assert self.current is not None
            connection.take_over(self.current)
        self.current = connection
        connection.resume(side.received_there if side.dialler else side.resume.received)

    def broke(self, connection: Connection, error: BaseException) -> bool:
        return True

    def closed(self, connection: Connection, error: BaseException | None) -> None:
        if connection is self.current:
            self.breaches.append(error)

    def failed(self, connection: Connection, error: Exception) -> None:
        raise error


def carry(one: Side, other: Side, rng: random.Random, *, everything: bool = False) -> None:
    """Let some of what was written arrive, and lose none of it."""
    is_moved = True
    while is_moved:
        is_moved = False
        for sender, receiver in ((one, other), (other, one)):
            sender.turns.run()
            written = sender.wire.written
            count = len(written) if everything or rng.random() < 0.3 else rng.randint(0, len(written))
            data = bytes(written[:count])
            del written[:count]
            receiver.feed(data, rng)
            if everything:
                receiver.turns.run()
            is_moved = is_moved or (everything and bool(data))


def connect(dialler: Side, acceptor: Side, rng: random.Random, *, to_the_end: bool = True) -> None:
    for side, is_dialler in ((acceptor, False), (dialler, True)):
        side.connect(dialler=is_dialler, nonce=rng.randbytes(16))
    carry(dialler, acceptor, rng, everything=to_the_end)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    breaks=st.integers(0, 8),
    checksums=st.booleans(),
    window=st.booleans(),
    compressed=st.booleans(),
)
def test_wherever_connections_break_everything_arrives_once_and_in_order(
    seed: int, breaks: int, checksums: bool, window: bool, compressed: bool
) -> None:
    rng = random.Random(seed)
    sides = Side("a", checksums, compressed), Side("b", checksums, compressed)
    # A small window, too, so that it is full again and again; but not before an acknowledgement is due.
    before = session_module.WINDOW_COST
    session_module.WINDOW_COST = 160 * session_module.FRAME_COST if window else before
    try:
        connect(*sides, rng)
        for _ in range(breaks):
            for _ in range(rng.randint(0, 8)):
                side = rng.choice(sides)
                for _ in range(rng.choice((1, 5, 60))):
                    side.send(len(side.sent), rng)
                    if rng.random() < 0.5:
                        side.turns.run()  # or it leaves together with the next one
                carry(*sides, rng)
                for side in sides:
                    assert side.current is not None
                    assert side.current.session._cost < session_module.WINDOW_COST + 3 * session_module.FRAME_COST
            for side in rng.sample(sides, 2):
                side.lose(rng)
            dialler, acceptor = rng.sample(sides, 2)
            if dialler.current is not None and not dialler.current.is_suspended:
                dialler.current.connection_lost(None)  # who dials has noticed
            connect(dialler, acceptor, rng)
        for side in sides:
            side.send(len(side.sent), rng)
        carry(*sides, rng, everything=True)
    finally:
        session_module.WINDOW_COST = before

    assert [side.breaches for side in sides] == [[], []]
    assert sides[0].messages == sides[1].sent
    assert sides[1].messages == sides[0].sent


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 8), compressed=st.booleans())
def test_with_checksums_no_damaged_frame_is_ever_handled_and_all_arrive_in_the_end(
    seed: int, flips: int, compressed: bool
) -> None:
    rng = random.Random(seed)
    one, other = Side("a", True, compressed), Side("b", True, compressed)
    connect(one, other, rng)
    for _ in range(flips):
        for _ in range(rng.randint(1, 20)):
            one.send(len(one.sent), rng)
        one.turns.run()
        written = one.wire.written
        written[rng.randrange(len(written))] ^= 1 << rng.randrange(8)

        carry(one, other, rng, everything=True)

        assert other.current is not None and one.current is not None
        assert other.current.is_suspended
        if not one.current.is_suspended:
            one.current.connection_lost(None)
        connect(one, other, rng)
    carry(one, other, rng, everything=True)

    assert other.messages == one.sent
    assert one.breaches == other.breaches == []


@given(start=st.integers(2**32 - 20, 2**32 - 1), lost=st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_numbers_may_wrap_around(start: int, lost: list[int]) -> None:
    sender, receiver = Session(b"s", is_ours=True), Session(b"s", is_ours=False)
    sender.heard = sender._forgotten = receiver.received = start  # as after so many frames
    number, arrived = 0, []

    for tail in lost:
        for _ in range(10):
            sender.keep(b"%d" % number, 1)
            number += 1
        under_way = list(sender.missing(receiver.received))
        for frame in under_way[: len(under_way) - tail]:
            arrived.append(frame)
            receiver.take(len(frame))
        assert sender.can_resume(receiver.received)
    arrived += sender.missing(receiver.received)

    assert arrived == [b"%d" % each for each in range(number)]
