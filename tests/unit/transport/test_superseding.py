"""Tests of monotonic channels: what is needless is not sent, the last of a burst always is, and in order."""

from __future__ import annotations

import asyncio

import pytest

from partisan_actors.errors import Overloaded
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind
from tests.wiring import End, carry, open_pair


def told(end: End) -> list[object]:
    return [message[1] for message, _ in end.messages]


async def test_of_a_burst_the_last_is_sent_and_the_others_are_counted() -> None:
    one, other = open_pair()
    for number in range(10_000):
        one.connection.send_newest("key", pack([Kind.TELL, number]), None)
    await asyncio.sleep(0)
    carry(one, other)

    assert told(other) == [9_999]
    assert one.connection.superseded == 9_999


async def test_what_was_written_stays_and_the_next_follows_it() -> None:
    one, other = open_pair()
    for number in range(20):
        one.connection.send_newest("key", pack([Kind.TELL, number]), None)
        if number % 5 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    carry(one, other)

    assert told(other) == [0, 5, 10, 15, 19]


async def test_keys_do_not_touch_each_other_nor_what_is_sent_plainly() -> None:
    one, other = open_pair()
    for number in range(3):
        one.connection.send_newest("a", pack([Kind.TELL, ["a", number]]), None)
        one.connection.send(pack([Kind.PING, number]))
        one.connection.send_newest("b", pack([Kind.TELL, ["b", number]]), [b"x" * number] if number else None)
    await asyncio.sleep(0)
    carry(one, other)

    assert told(other) == [["a", 2], 0, ["b", 2], 1, 2]


async def test_a_slow_peer_gets_the_newest_when_it_reads_again_and_the_bound_counts_only_that() -> None:
    one, other = open_pair(queue_bytes_max=1_000)
    one.connection.pause_writing()
    for number in range(100):
        one.connection.send_newest("key", pack([Kind.TELL, number, b"x" * 900]), None)
    with pytest.raises(Overloaded):
        one.connection.send_newest("another", pack([Kind.TELL, 0, b"x" * 900]), None)
    one.connection.resume_writing()
    carry(one, other)

    assert told(other) == [99]


async def test_large_messages_take_the_place_of_each_other_too() -> None:
    one, other = open_pair()
    for number in range(5):
        one.connection.send_newest("key", pack([Kind.TELL, number]), [bytes(100_000)])
    for _ in range(10):
        await asyncio.sleep(0)
    carry(one, other)
    await asyncio.sleep(0)

    assert told(other) == [4]
