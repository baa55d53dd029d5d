"""Tests of compressed frames on a connection: what is worth it, what arrives, and what a hostile one can do."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from partisan_actors.errors import PartisanError, ProtocolError
from partisan_actors.transport.framing import COMPRESSED_BYTES_MIN, NOT_TRIED_MOST, Packer
from partisan_actors.transport.session import Session, pieces_of
from partisan_actors.wire.codec import pack
from partisan_actors.wire.compression import PACKED, PACKED_HEAD, Compression, compressor
from partisan_actors.wire.frames import (
    ACK,
    BATCH,
    CHUNK,
    CHUNK_BYTES,
    FRAME_BYTES_MAX,
    HEADER,
    HELLO_HEADER,
    LARGE,
    PACKED_BYTES_MAX,
    Kind,
)
from tests.wiring import End, carry, handshake, head, open_pair

ZLIB = Compression("zlib", 1)
MEGABYTE = 1 << 20


def compressing_pair(how: Compression = ZLIB, *, checksums: bool = False, **limits: int) -> tuple[End, End]:
    sides = handshake("a", dialler=True, checksums=checksums), handshake("b", dialler=False)
    one, other = (End(side, **limits) for side in sides)
    carry(one, other)
    for end in (one, other):
        end.connection.frame_with(Packer(how))
    return one, other


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def packed_frame(kind: int, count: int, plain: bytes, says: int | None = None) -> bytes:
    body = PACKED_HEAD.pack(1, len(plain) if says is None else says) + compressor(ZLIB)(plain)
    return head(len(body), kind | PACKED, count) + body


def test_a_short_body_is_left_as_it_is() -> None:
    packer = Packer(ZLIB)

    assert packer.pack(BATCH, [bytes(COMPRESSED_BYTES_MIN - 1)], COMPRESSED_BYTES_MIN - 1) is None
    assert packer.pack(BATCH, [bytes(COMPRESSED_BYTES_MIN)], COMPRESSED_BYTES_MIN) is not None
    assert (packer.frames, packer.frames_as_they_are) == (1, 0)


def test_what_cannot_be_compressed_is_tried_ever_more_rarely_and_what_can_ends_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packer, noise = Packer(ZLIB), random.Random(1).randbytes(4000)
    tried: list[int] = []
    compress = packer._compress
    monkeypatch.setattr(packer, "_compress", lambda data: tried.append(1) or compress(data), raising=False)

    assert [packer.pack(BATCH, [noise], 4000) for _ in range(1000)] == [None] * 1000

    assert len(tried) < 25 and packer.frames_as_they_are == 1000
    while packer.pack(BATCH, [bytes(4000)], 4000) is None:
        assert packer.frames_as_they_are <= 1000 + NOT_TRIED_MOST
    assert all(packer.pack(BATCH, [bytes(4000)], 4000) for _ in range(100))


def test_a_large_message_is_tried_whatever_the_one_before_was() -> None:
    packer, noise = Packer(ZLIB), random.Random(1).randbytes(CHUNK_BYTES)
    for _ in range(200):
        assert packer.pack(CHUNK, [noise], CHUNK_BYTES) is None

    assert packer.pack(LARGE, [b"short"], 5) is None
    assert packer.pack(CHUNK, [bytes(CHUNK_BYTES)], CHUNK_BYTES) is not None


def test_a_body_in_pieces_is_compressed_as_one() -> None:
    packer = Packer(ZLIB)

    assert packer.pack(BATCH, [b"ab" * 500, b"ab" * 500], 2000) == Packer(ZLIB).pack(BATCH, [b"ab" * 1000], 2000)
    assert packer.bytes_before == 2000 and packer.bytes_after < 100


@pytest.mark.parametrize("checksums", [False, True])
@pytest.mark.parametrize("how", [ZLIB, Compression("lz4", 1), Compression("zstd", 3)], ids=str)
async def test_small_and_large_messages_arrive_in_order_in_fewer_bytes(how: Compression, checksums: bool) -> None:
    one, other = compressing_pair(how, checksums=checksums)
    sent: list[Any] = []
    wire = 0
    for number in range(40):
        sent.append(([Kind.TELL, number, "text " * 100], None))
        one.connection.send(pack(sent[-1][0]))
        if number % 4 == 0:
            buffers = [bytes(200_000), bytes([number]) * 3, b"abc" * 50_000]
            sent.append(([Kind.TELL, number], buffers))
            one.connection.send_large(pack(sent[-1][0]), buffers)
    for _ in range(400):
        await asyncio.sleep(0)
        data = one.wire.take()
        wire += len(data)
        other.feed(data)
        one.feed(other.wire.take())

    assert other.messages == sent
    assert other.close_error is None
    assert wire < 3_500_000 / 20
    assert one.connection.bytes_out < 3_500_000 / 20


@pytest.mark.parametrize("seed", range(10))
async def test_however_bytes_are_cut_the_same_messages_arrive(seed: int) -> None:
    rng = random.Random(seed)
    one, other = compressing_pair()
    sent: list[Any] = []
    for _ in range(60):
        message: list[Any] = [Kind.TELL, len(sent), rng.choice(("a" * 2000, "b", rng.randbytes(700)))]
        if rng.random() < 0.4:
            sizes = [rng.choice((1, 600, 70_000, 140_000)) for _ in range(rng.randint(1, 3))]
            buffers: Any = [rng.choice((bytes(size), rng.randbytes(size))) for size in sizes]
            one.connection.send_large(pack(message), buffers)
        else:
            buffers = None
            one.connection.send(pack(message))
        sent.append((message, buffers))
        await turns(8)
        other.feed(one.wire.take(), rng, rng.choice((50, 1000, 100_000)))
    for _ in range(400):
        await asyncio.sleep(0)
        other.feed(one.wire.take(), rng, 100_000)
        one.feed(other.wire.take())

    assert other.messages == sent


async def test_of_much_that_a_few_bytes_make_a_turn_of_the_loop_handles_a_chunk() -> None:
    one, other = compressing_pair()
    one.connection.send_large(pack([Kind.TELL, 1]), [bytes(20 * CHUNK_BYTES)])
    await turns(100)
    data = one.wire.take()
    assert len(data) < 20 * 400

    other.feed(data)
    large = other.connection._large
    assert large is not None and large.missing == 19 * CHUNK_BYTES
    await turns(1)
    assert large.missing == 18 * CHUNK_BYTES
    await turns(40)

    assert [(message[1], len(buffers[0])) for message, buffers in other.messages] == [(1, 20 * CHUNK_BYTES)]


async def test_what_comes_behind_too_much_waits_for_its_turn_and_then_comes_in_order() -> None:
    _, other = open_pair()
    data = b""
    for number in range(5):
        message = pack([Kind.TELL, number, bytes(CHUNK_BYTES)])
        data += packed_frame(BATCH, 1, message)

    for start in range(0, len(data), 7):
        other.feed(data[start : start + 7])
    await turns(20)

    assert [message[1] for message, _ in other.messages] == list(range(5))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (packed_frame(BATCH, 1, pack([3]), says=FRAME_BYTES_MAX + 1), "where at most"),
        (packed_frame(BATCH, 1, pack([3]), says=1), "another size"),
        (packed_frame(BATCH, 2, pack([3])), "fewer messages"),
        (packed_frame(BATCH, 1, b"\xc1\xc1\xc1\xc1"), "malformed"),
        (packed_frame(CHUNK, 0, b"abc"), "out of place"),
        (packed_frame(77, 0, b"abc"), "out of place"),
        (packed_frame(LARGE, 0, pack([[], [3]])), "without sizes"),
        (packed_frame(LARGE, 0, pack([[50], [3]])) + packed_frame(CHUNK, 0, bytes(51)), "where at most"),
        (packed_frame(LARGE, 0, pack([[50], [3]])) + packed_frame(BATCH, 1, pack([3])), "out of place"),
        (head(3, BATCH | PACKED, 1) + b"abc", "without content"),
        (head(0, ACK | PACKED, 0), "without content"),
        (head(FRAME_BYTES_MAX + 1, BATCH | PACKED, 1), "the limit is"),
    ],
)
async def test_a_compressed_frame_that_breaks_the_rules_closes_the_connection_and_says_why(
    data: bytes, why: str
) -> None:
    _, other = open_pair()

    other.feed(data)

    assert isinstance(other.close_error, ProtocolError)
    assert why in str(other.close_error)


async def test_nothing_is_decompressed_before_the_handshake_is_done() -> None:
    stranger = End(handshake("b", dialler=False))
    body = PACKED_HEAD.pack(1, 3) + compressor(ZLIB)(b"abc")

    stranger.feed(HELLO_HEADER.pack(len(body), 1 | PACKED, 0) + body)

    assert isinstance(stranger.close_error, ProtocolError) and "does not speak" in str(stranger.close_error)


@pytest.mark.parametrize("checksums", [False, True])
@pytest.mark.parametrize("seed", range(10))
async def test_a_mangled_stream_closes_the_connection_and_raises_nothing(seed: int, checksums: bool) -> None:
    rng = random.Random(2000 + seed)
    for _ in range(25):
        one, other = compressing_pair(checksums=checksums, message_bytes_max=100_000)
        for number in range(6):
            if rng.random() < 0.5:
                one.connection.send_large(pack([Kind.TELL, number]), [bytes(rng.randint(1, 2000))])
            else:
                one.connection.send(pack([Kind.TELL, number, "some text" * rng.randint(1, 300)]))
        one.connection.flush()
        data = bytearray(one.wire.take())
        for _ in range(rng.randint(1, 4)):
            position = rng.randrange(len(data))
            match rng.randrange(3):
                case 0:
                    data[position] ^= 1 << rng.randrange(8)
                case 1:
                    data[position:position] = rng.randbytes(rng.randint(1, 20))
                case _:
                    del data[position : position + rng.randint(1, 20)]
            data = data or bytearray(b"?")

        other.feed(bytes(data), rng, rng.choice((1, 30, 1000)))
        await turns(3)

        assert other.close_error is None or isinstance(other.close_error, (PartisanError, ConnectionError))
        assert other.failures == []


async def test_a_lane_that_goes_on_sends_again_what_it_had_compressed_and_counts_on() -> None:
    one, other = compressing_pair()
    kept: list[Any] = []
    one.connection.send(pack([Kind.TELL, 1, "a" * 5000]))
    await turns(1)
    (frame,) = one.connection.session.missing(0)
    kept.append(frame)

    frame = b"".join(pieces_of(frame))
    length, kind, *_ = HEADER.unpack_from(frame)
    assert kind == BATCH | PACKED and length == len(frame) - HEADER.size < 200
    following = End(handshake("a", dialler=True), queue_bytes_max=1 << 20).connection
    following.take_over(one.connection)

    assert following.packer is one.connection.packer and not following.is_plain
    assert isinstance(following.session, Session) and list(following.session.missing(0)) == kept
    other.feed(bytes(frame))
    assert [message[1] for message, _ in other.messages] == [1]


async def test_many_small_messages_are_compressed_a_chunk_in_a_turn_of_the_loop() -> None:
    one, other = compressing_pair()
    packer = one.connection.packer
    sizes: list[int] = []
    assert packer is not None
    compress = packer._compress

    def watched(data: Any) -> bytes:
        sizes.append(len(data))
        return compress(data)

    packer._compress = watched
    messages = [[Kind.TELL, number, "text " * 100] for number in range(1000)]
    for message in messages:
        one.connection.send(pack(message))
    one.connection.flush()

    assert sum(sizes) <= CHUNK_BYTES
    for _ in range(40):
        seen = sum(sizes)
        await asyncio.sleep(0)
        other.feed(one.wire.take())
        assert sum(sizes) - seen <= CHUNK_BYTES
    assert [message for message, _ in other.messages] == messages


async def test_a_message_too_long_to_be_compressed_in_one_go_goes_as_it_is() -> None:
    one, other = compressing_pair()
    messages = [[Kind.TELL, size, "x" * size] for size in (PACKED_BYTES_MAX - 100, PACKED_BYTES_MAX + 1, MEGABYTE)]
    for message in messages:
        one.connection.send(pack(message))
    for _ in range(20):
        await asyncio.sleep(0)
        other.feed(one.wire.take())
        one.feed(other.wire.take())

    assert [message for message, _ in other.messages] == messages
    packer = one.connection.packer
    assert packer is not None and (packer.frames, packer.frames_as_they_are) == (1, 2)


async def test_nothing_longer_than_that_is_made_of_a_compressed_frame() -> None:
    _, other = compressing_pair()

    other.feed(packed_frame(BATCH, 1, pack([Kind.TELL, "x" * MEGABYTE])))

    assert isinstance(other.close_error, ProtocolError)
    assert other.messages == []
