"""Tests of one connection: however bytes are cut, messages arrive in order; whatever bytes come, it only closes."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import msgpack
import pytest

from partisan_actors.errors import AuthenticationError, Overloaded, PartisanError, ProtocolError
from partisan_actors.transport.connection import TURN_BYTES
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import (
    BATCH,
    CHUNK,
    CHUNK_BYTES,
    FRAME_BYTES_MAX,
    HEADER,
    HELLO,
    HELLO_BYTES_MAX,
    HELLO_HEADER,
    LARGE,
    Kind,
)
from tests.wiring import End, carry, handshake, head, open_pair

BATCHES = 250
# Of the loop: enough for the largest message of these tests.
TURNS = 100


async def turns(count: int) -> None:
    """Let the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_is_sent_in_one_turn_leaves_as_one_frame_and_arrives_in_order() -> None:
    one, other = open_pair()
    for number in range(10):
        one.connection.send(pack([Kind.TELL, number]))
    assert not one.wire.written

    await asyncio.sleep(0)

    length, kind, count, *_ = HEADER.unpack_from(one.wire.written)
    assert (kind, count, length + HEADER.size) == (BATCH, 10, len(one.wire.written))
    carry(one, other)
    assert [message for message, _ in other.messages] == [[Kind.TELL, number] for number in range(10)]


async def test_large_messages_keep_their_place_among_small_ones() -> None:
    one, other = open_pair()
    buffers = [b"x" * 100_000, bytearray(3_000_000), memoryview(b"yz")]
    one.connection.send(pack([Kind.TELL, 1]))
    one.connection.send_large(pack([Kind.TELL, 2]), buffers)
    one.connection.send(pack([Kind.TELL, 3]))
    await turns(TURNS)

    carry(one, other)
    await turns(1)

    assert [message[1] for message, _ in other.messages] == [1, 2, 3]
    assert other.messages[1][1] == [bytes(buffer) for buffer in buffers]


async def test_bytes_arrive_as_bytes_and_anything_else_as_memory_that_may_be_written_to() -> None:
    one, other = open_pair()
    kinds: list[type] = []
    other.dispatch[Kind.TELL] = lambda peer, message, buffers: kinds.extend(map(type, buffers))
    one.connection.send_large(pack([Kind.TELL]), [b"abc", bytearray(b"abc"), memoryview(b"abc")])
    await asyncio.sleep(0)

    carry(one, other)
    await asyncio.sleep(0)

    assert kinds == [bytes, bytearray, bytearray]


@pytest.mark.parametrize("seed", range(40))
async def test_however_bytes_are_cut_and_merged_the_same_messages_arrive(seed: int) -> None:
    """40 seeds of 250 batches: ten thousand of them."""
    rng = random.Random(seed)
    one, other = open_pair()
    sent: list[Any] = []
    data = b""
    for _ in range(BATCHES):
        for _ in range(rng.randint(1, 4)):
            message: list[Any] = [Kind.TELL, len(sent), *[rng.choice((None, 1.5, "text", b"bytes")) for _ in range(3)]]
            if rng.random() < 0.1:
                buffers: list[Any] = [rng.randbytes(rng.randint(1, 200)) for _ in range(rng.randint(1, 3))]
                one.connection.send_large(pack(message), buffers)
                sent.append((message, buffers))
            else:
                one.connection.send(pack(message))
                sent.append((message, None))
        one.connection.flush()
        data += one.wire.take()
        if rng.random() < 0.5:
            other.feed(data, rng, rng.choice((1, 3, 20, 1000)))
            data = b""
    other.feed(data)
    await asyncio.sleep(0)

    assert other.messages == sent
    assert not other.wire.is_closed


@pytest.mark.parametrize("seed", range(40))
async def test_a_mangled_stream_closes_the_connection_and_raises_nothing(seed: int) -> None:
    rng = random.Random(1000 + seed)
    for _ in range(25):
        one, other = open_pair(message_bytes_max=10_000)
        for number in range(10):
            if rng.random() < 0.3:
                one.connection.send_large(pack([Kind.TELL, number]), [rng.randbytes(rng.randint(1, 500))])
            else:
                one.connection.send(pack([Kind.TELL, number, "some text", [1, 2, {"a": b"b"}]]))
        one.connection.flush()
        data = bytearray(one.wire.take())
        for _ in range(rng.randint(1, 4)):
            position = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[position] ^= 1 << rng.randrange(8)
                case 1:
                    del data[position:]
                case 2:
                    data[position:position] = rng.randbytes(rng.randint(1, 20))
                case _:
                    del data[position : position + rng.randint(1, 20)]
            if not data:
                break

        other.feed(bytes(data), rng, rng.choice((1, 30, 1000)))
        await asyncio.sleep(0)

        # It is closed for a reason of ours, or waits for more; nothing else can come of it.
        assert other.close_error is None or isinstance(other.close_error, PartisanError)
        assert other.failures == []


@pytest.mark.parametrize("seed", range(20))
async def test_random_bytes_at_the_door_close_it(seed: int) -> None:
    rng = random.Random(seed)
    stranger = End(handshake("b", dialler=False))

    stranger.feed(rng.randbytes(rng.randint(9, 5000)), rng)

    assert isinstance(stranger.close_error, ProtocolError)
    assert not stranger.was_opened and not stranger.messages


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ((HELLO_BYTES_MAX + 1, HELLO, 0), "does not speak this protocol"),
        ((0, HELLO, 0), "does not speak this protocol"),
        ((10, BATCH, 1), "does not speak this protocol"),
    ],
)
async def test_before_the_handshake_only_small_hellos_are_read(header: tuple[int, int, int], why: str) -> None:
    stranger = End(handshake("b", dialler=False))

    stranger.feed(HELLO_HEADER.pack(*header))

    assert isinstance(stranger.close_error, ProtocolError) and why in str(stranger.close_error)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (head(FRAME_BYTES_MAX + 1, BATCH, 1), "the limit is"),
        (head(0, BATCH, 0), "the limit is"),
        (head(5, CHUNK, 0), "out of place"),
        (head(5, HELLO, 0), "out of place"),
        (head(5, 77, 0), "out of place"),
        (head(2, BATCH, 2) + pack([3]), "fewer messages"),
        (head(8, BATCH, 1) + 2 * pack([int(Kind.TELL), 1, 2]), "more messages"),
        (head(4, BATCH, 1) + b"\xc1\xc1\xc1\xc1", "malformed"),
        (head(2, BATCH, 1) + pack([99]), "malformed"),
        (head(1, BATCH, 1) + pack(None), "malformed"),
        (head(4, LARGE, 0) + pack([[], [3]]), "without sizes"),
        (head(5, LARGE, 0) + pack([[0], [3]]), "without sizes"),
        (head(1, LARGE, 0) + pack(7), "malformed"),
        (head(9, LARGE, 0) + pack([[1 << 30], [3]]), "the limit is"),
        (head(5, LARGE, 0) + pack([[5], [3]]) + head(6, CHUNK, 0), "more bytes than"),
        (head(5, LARGE, 0) + pack([[5], [3]]) + head(2, BATCH, 1), "out of place"),
    ],
)
async def test_a_frame_that_breaks_the_rules_closes_the_connection_and_says_why(data: bytes, why: str) -> None:
    _, other = open_pair()

    other.feed(data)

    assert isinstance(other.close_error, ProtocolError)
    assert why in str(other.close_error)


@pytest.mark.parametrize(
    "broken",
    [
        head(8, BATCH, 1) + 2 * pack([int(Kind.TELL), 1, 2]),  # more than it announced
        head(6, BATCH, 2) + pack([int(Kind.TELL), 1, 2]) + b"\x93\x01",  # one of them in part
        head(5, BATCH, 2) + pack([int(Kind.TELL), 1, 2]) + b"\xc1",
    ],
)
async def test_what_is_left_of_a_broken_batch_is_no_part_of_anothers(broken: bytes) -> None:
    ends = open_pair()
    flusher = ends[0].connection._flusher = ends[1].connection._flusher  # as on one node
    stranger, other = ends

    stranger.feed(broken)
    other.feed(head(4, BATCH, 1) + pack([int(Kind.TELL), 7, 8]))

    assert isinstance(stranger.close_error, ProtocolError)
    assert other.close_error is None and other.messages == [([Kind.TELL, 7, 8], None)]
    assert flusher.fed_bytes == 4


async def test_a_batch_that_comes_in_pieces_lets_those_of_others_through_in_between() -> None:
    one, other = open_pair()
    one.connection._flusher = other.connection._flusher
    batch = head(8, BATCH, 2) + pack([int(Kind.TELL), 1, 2]) + pack([int(Kind.TELL), 3, 4])

    other.feed(batch[:-2])
    one.feed(head(4, BATCH, 1) + pack([int(Kind.TELL), 5, 6]))
    other.feed(batch[-2:])

    assert one.messages == [([Kind.TELL, 5, 6], None)]
    assert other.messages == [([Kind.TELL, 1, 2], None), ([Kind.TELL, 3, 4], None)]


async def test_an_error_in_a_handler_costs_its_message_only() -> None:
    one, other = open_pair()
    wrong = AssertionError("a bug of ours")

    def handler(peer: Any, message: list[Any]) -> None:
        if message[1] == 2:
            raise wrong
        other.messages.append(message)

    other.dispatch[Kind.TELL] = handler
    for number in (1, 2, 3):
        one.connection.send(pack([Kind.TELL, number]))
    one.connection.flush()

    carry(one, other)

    assert [message[1] for message in other.messages] == [1, 3]
    assert other.failures == [wrong] and not other.wire.is_closed


async def test_who_is_refused_in_the_handshake_hears_why() -> None:
    one = End(handshake("a", dialler=True))
    other = End(handshake("b", dialler=False, cookie=b"another one"))

    carry(one, other)

    assert isinstance(one.close_error, AuthenticationError) and "cookies differ" in str(one.close_error)
    assert not one.was_opened and not other.was_opened


async def test_at_the_bound_of_the_queue_a_slow_peer_makes_send_raise_and_what_was_queued_still_goes() -> None:
    one, other = open_pair(queue_bytes_max=100)
    one.connection.pause_writing()
    for number in range(5):
        one.connection.send(pack([Kind.TELL, number, b"x" * 14]))

    with pytest.raises(Overloaded) as error:
        one.connection.send(pack([Kind.TELL, 5, b"x" * 14]))

    assert error.value.limit == 100
    one.connection.flush()
    assert not one.wire.written
    one.connection.resume_writing()
    carry(one, other)
    assert [message[1] for message, _ in other.messages] == [0, 1, 2, 3, 4]


async def test_close_writes_what_waits_first() -> None:
    one, other = open_pair()
    one.connection.send(pack([Kind.TELL, 1]))

    one.connection.close()

    other.feed(one.wire.take())
    assert [message[1] for message, _ in other.messages] == [1]


async def test_a_frame_never_exceeds_its_limit_however_much_is_sent_at_once() -> None:
    one, other = open_pair()
    message = pack([Kind.TELL, b"x" * (FRAME_BYTES_MAX // 3)])
    for _ in range(7):
        one.connection.send(message)
    await turns(2 * len(message) * 7 // TURN_BYTES)

    lengths = []
    while data := one.wire.take():
        position = 0
        while position < len(data):
            length, kind, *_ = HEADER.unpack_from(data, position)
            assert kind == BATCH
            lengths.append(length)
            position += HEADER.size + length
        other.feed(data)
        one.feed(other.wire.take())
    assert len(lengths) > 1 and max(lengths) <= FRAME_BYTES_MAX
    assert len(other.messages) == 7


async def test_a_large_message_leaves_in_turns_of_the_loop_between_which_others_have_theirs() -> None:
    one, other = open_pair()
    one.connection.send_large(pack([Kind.TELL, 1]), [b"x" * (TURN_BYTES * 10)])
    written: list[int] = []
    one.connection.flush()
    for _ in range(12):
        written.append(len(one.wire.written))
        other.feed(one.wire.take())
        await turns(1)

    assert max(written) < 2 * TURN_BYTES
    assert sum(size > TURN_BYTES // 2 for size in written) >= 10
    assert len(other.messages) == 1


async def test_what_is_sent_while_a_large_message_leaves_comes_after_it_and_counts_towards_the_bound() -> None:
    one, other = open_pair(queue_bytes_max=1000)
    one.connection.send_large(pack([Kind.TELL, 1]), [b"x" * (TURN_BYTES * 10)])
    one.connection.flush()

    assert one.connection.is_paused
    one.connection.send(pack([Kind.TELL, 2]))
    with pytest.raises(Overloaded):
        one.connection.send(pack([Kind.TELL, b"y" * 1000]))
    one.connection.send(pack([Kind.TELL, 3]))
    await turns(TURNS)
    carry(one, other)

    assert [message[1] for message, _ in other.messages] == [1, 2, 3]
    assert not one.connection.is_paused


async def test_a_connection_that_closes_in_the_middle_of_a_large_message_writes_all_of_it_first() -> None:
    one, other = open_pair()
    buffer = bytes(range(256)) * (TURN_BYTES // 64)
    one.connection.send_large(pack([Kind.TELL, 1]), [buffer])
    one.connection.flush()
    one.connection.send(pack([Kind.TELL, 2]))

    one.connection.close()

    other.feed(one.wire.take())
    assert [message[1] for message, _ in other.messages] == [1, 2]
    assert other.messages[0][1] == [buffer]


async def test_a_reader_of_a_large_message_stops_after_each_chunk() -> None:
    one, other = open_pair()
    stops: list[int] = []
    other.wire.pause_reading = lambda: stops.append(other.connection.bytes_in)  # type: ignore[method-assign]  # a spy
    one.connection.send_large(pack([Kind.TELL, 1]), [b"x" * (CHUNK_BYTES * 5)])
    one.connection.close()

    other.feed(one.wire.take())
    await turns(1)

    assert len(stops) >= 4
    assert max(after - before for before, after in itertools.pairwise(stops)) <= CHUNK_BYTES + HEADER.size


async def test_a_large_message_is_spliced_without_being_packed_again() -> None:
    one, _ = open_pair()
    one.connection.send_large(pack([Kind.TELL, "é", {"a": 1}]), [b"12345", bytearray(7)])
    one.connection.flush()

    length, kind, *_ = HEADER.unpack_from(one.wire.written)

    assert kind == LARGE
    head = bytes(one.wire.written[HEADER.size : HEADER.size + length])
    assert msgpack.unpackb(head) == [[-5, 7], [Kind.TELL, "é", {"a": 1}]]


async def test_a_large_message_that_is_complete_is_handled_though_the_connection_breaks_at_once() -> None:
    one, other = open_pair()
    one.connection.send_large(pack([Kind.TELL, 1]), [b"x" * 100])
    one.connection.flush()
    data = one.wire.take()
    other.feed(data[:-50])
    other.feed(data[-50:])  # straight to where it belongs, so it is to be handed over in the next turn

    other.connection.connection_lost(ConnectionResetError("cut"))

    assert [message for message, _ in other.messages] == [[Kind.TELL, 1]]
