"""The consumer's end of a stream, without a network: order, loss, and what comes after an end."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest

from partisan_actors.actors.consuming import ENDED, Incoming, Streams
from partisan_actors.actors.inbound import _load
from partisan_actors.actors.producing import Outgoing
from partisan_actors.actors.replies import Reply
from partisan_actors.errors import ActorUnavailable, TaskCancelled
from partisan_actors.wire.codec import unpack
from partisan_actors.wire.frames import Kind
from tests.unit.actors.stream_ends import Host, Wire


def incoming(ahead: int = 4) -> tuple[Incoming, Any, Streams]:
    host: Any = Host()
    peer: Any = Wire("producer")
    streams = Streams(host)
    made = Incoming(streams, "Source.count", ahead, lambda: Reply(host.loop))
    made.where = lambda: peer
    made.begin(7)
    return made, peer, streams


def values(stream: Incoming) -> list[Any]:
    """Everything that can be taken now."""
    found = []
    while (ref := stream.take()) not in (None, ENDED):
        found.append(ref.exception() or ref.result())
    return found


async def test_items_that_overtake_each_other_are_taken_in_order() -> None:
    stream, peer, streams = incoming()
    order = list(range(1, 50))
    random.Random(1).shuffle(order)

    for index in [*order, 0]:
        assert stream.take() is None
        streams.deliver(peer, None, "item", [7, index, index * 10])

    assert [each or 0 for each in values(stream)] == [index * 10 for index in range(50)]
    assert stream.take() is None


async def test_the_end_waits_for_items_that_are_under_way() -> None:
    stream, peer, streams = incoming()
    streams.deliver(peer, None, "item", [7, 1, "b"])
    stream.ended(2, None)

    assert not stream.is_finished and stream.take() is None and 7 in peer.pending
    streams.deliver(peer, None, "item", [7, 0, "a"])

    assert values(stream) == ["a", "b"]
    assert stream.take() is ENDED and stream.outcome.result() is None
    assert not streams.count and not peer.pending


async def test_a_connection_that_breaks_after_the_reply_ends_what_it_has_lost() -> None:
    stream, peer, streams = incoming()
    streams.deliver(peer, None, "item", [7, 1, "b"])
    stream.ended(3, None)
    error = ActorUnavailable("an actor", "the connection broke")

    peer.pending[7].fail(error)

    assert values(stream) == [error] and stream.is_finished


async def test_an_error_comes_behind_every_item_that_was_given_before_it() -> None:
    stream, peer, streams = incoming()
    streams.deliver(peer, None, "failed_after", [7, 2])
    error = ValueError("the end")
    stream.ended(None, error)
    for index in (1, 0):
        assert not stream.is_finished
        streams.deliver(peer, None, "item", [7, index, f"item {index}"])

    assert values(stream) == ["item 0", "item 1", error]
    assert stream.outcome.exception() is error


async def test_the_producer_is_told_what_was_taken_before_it_has_to_wait() -> None:
    stream, peer, streams = incoming(ahead=8)
    for index in range(8):
        streams.deliver(peer, None, "item", [7, index, index])

    for _ in range(8):
        stream.take()

    assert peer.take() == [("took", [7, count]) for count in (2, 4, 6, 8)]


async def test_another_attempt_goes_on_where_the_first_one_was_lost() -> None:
    stream, first, streams = incoming(ahead=1)
    second: Any = Wire("another")
    for index in range(3):
        streams.deliver(first, None, "item", [7, index, f"item {index}"])
    assert len(values(stream)) == 3
    first.take()

    stream.begin(9)
    streams.deliver(first, None, "item", [7, 3, "late"])
    for index in range(5):
        streams.deliver(second, None, "item", [9, index, f"item {index}"])

    assert first.take() == [("stop", [7]), ("stop", [7])]
    assert second.take()[:3] == [("took", [9, 1]), ("took", [9, 2]), ("took", [9, 3])]
    assert values(stream) == ["item 3", "item 4"]


async def test_a_stream_that_is_dropped_tells_its_producer_or_cancels_its_call() -> None:
    stream, peer, streams = incoming()
    streams.deliver(peer, None, "item", [7, 0, 0])
    unheard, _, _ = incoming()
    cancelled = []
    unheard.cancel = lambda: cancelled.append(True)

    stream.dropped()
    unheard.dropped()

    assert peer.take() == [("stop", [7])] and cancelled == [True]
    assert isinstance(stream.outcome.exception(), TaskCancelled)
    assert not streams.count


async def test_the_reply_to_a_call_whose_stream_is_dropped_is_still_awaited() -> None:
    stream, peer, streams = incoming()
    reply = peer.pending[7] = Reply[Any](streams.host.loop)
    streams.deliver(peer, None, "item", [7, 0, 0])

    stream.dropped()

    assert peer.pending == {7: reply}


async def test_what_waits_for_the_end_of_a_stream_waits_for_its_reply_and_its_last_item_or_for_nothing() -> None:
    stream, peer, streams = incoming()
    over: list[str] = []
    stream.ended(1, None)
    stream.when_over(lambda: over.append("then"))
    assert not over
    streams.deliver(peer, None, "item", [7, 0, "a"])
    stream.when_over(lambda: over.append("at once"))

    assert over == ["then", "at once"]


@pytest.mark.parametrize("value", [1, "text", (1, 2), bytes(100_000), ["x" * 100_000], bytearray(100_000)])
async def test_the_bytes_of_an_item_are_those_that_its_producer_counts(value: Any) -> None:
    stream, peer, streams = incoming()
    stream.count_bytes()
    host: Any = streams.host
    out, sent = Outgoing(host, peer, 7, 4, 0, "Source.count"), []
    host.post = lambda send, encoded: sent.append(encoded)

    out.give(value, is_on_loop=False)
    ((message, buffers),) = sent
    kind, _, what, *rest = unpack(message)
    if kind == Kind.TELL:
        streams.deliver(peer, None, what, rest)
    else:
        streams.deliver(peer, None, what, partial(_load, rest[1], buffers), None, rest[0])

    assert stream.came_items == 1 and stream.came_bytes == out.sent_bytes > 0
    assert values(stream) == [value]


async def test_items_of_a_stream_that_nobody_knows_stop_whoever_sends_them() -> None:
    _, peer, streams = incoming()

    streams.deliver(peer, None, "item", [8, 0, 0])

    assert peer.take() == [("stop", [8])]
