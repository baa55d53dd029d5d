"""Tests of large messages beside small ones, between whole nodes over memory."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from partisan_actors.errors import NodeDown, Overloaded
from partisan_actors.node import interleaving
from partisan_actors.protocols.delivery import turns
from partisan_actors.wire.channels import BULK, CALLS, check_channels
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import BULK_BYTES_MIN, Kind
from tests.nodes import TestNode, nodes, quiet, until

LARGE = b"x" * (4 * BULK_BYTES_MIN)
HERE, ELSEWHERE = 1, 2  # affinities: streams on the same lane


def listen(node: TestNode) -> list[tuple[Any, int]]:
    """What tells arrive: their values, and how many bytes beside them."""
    heard: list[tuple[Any, int]] = []

    def on_tell(peer: object, message: list[Any], buffers: Any = ()) -> None:
        heard.append((message[3], sum(map(len, buffers))))

    node.dispatch[Kind.TELL] = on_tell
    return heard


def tell(value: Any) -> bytes:
    return pack([Kind.TELL, b"actor", "method", value])


async def test_small_messages_of_others_pass_a_large_one_by_and_those_behind_it_wait() -> None:
    async with nodes("a", "b") as (a, b):
        heard = listen(b)
        a.tell(b, "hello")
        await until(lambda: heard)
        peer = a.peer(b)

        peer.send_large(tell("large"), [LARGE], CALLS, HERE)
        peer.send(tell("behind"), CALLS, HERE)
        peer.send(tell("elsewhere"), CALLS, ELSEWHERE)
        await until(lambda: len(heard) == 4)

        assert heard == [("hello", 0), ("elsewhere", 0), ("large", len(LARGE)), ("behind", 0)]
        assert a.interleaving.split_count == 1
        await until(lambda: peer.direct is not None)
        assert peer.direct is peer.calls
        assert peer.departures is not None and not peer.departures.streams


async def test_plain_calls_look_at_nothing_else_unless_something_large_is_under_way() -> None:
    async with nodes("a", "b") as (a, b):
        listen(b)
        a.tell(b, "hello")
        await until(lambda: a.peer(b).calls)
        peer = a.peer(b)
        assert peer.direct is peer.calls

        peer.send_large(tell("medium"), [b"x" * (BULK_BYTES_MIN - 1)], CALLS, HERE)
        assert peer.direct is peer.calls
        peer.send_large(tell("large"), [LARGE], CALLS, HERE)
        assert peer.direct is None


async def test_a_channel_that_does_not_interleave_keeps_large_ones_in_their_place() -> None:
    channels = check_channels({"calls": {"interleave": False}})
    async with nodes("a", "b", channels=channels) as (a, b):
        heard = listen(b)
        a.tell(b, "hello")
        await until(lambda: heard)

        a.peer(b).send_large(tell("large"), [LARGE], CALLS, HERE)
        a.peer(b).send(tell("elsewhere"), CALLS, ELSEWHERE)
        await until(lambda: len(heard) == 3)

        assert heard[1:] == [("large", len(LARGE)), ("elsewhere", 0)]
        assert a.peer(b).lanes[BULK] == [None]


async def test_what_is_relayed_stays_whole_and_in_its_place() -> None:
    async with nodes("a", "b", "c", routing="relay") as (a, b, c):
        for one, other in ((a, b), (b, c)):
            await one.connect(other.address, other.me)
        await until(lambda: b.peer(a).is_connected and c.peer(b).is_connected)
        for node, near in ((a, [b.me]), (b, [a.me, c.me]), (c, [b.me])):
            node.neighbours = lambda near=near: near  # type: ignore[method-assign,misc]  # the overlay's say
        heard = listen(c)

        a.peer(c).send_large(tell("large"), [LARGE], CALLS, HERE)
        a.peer(c).send(tell("elsewhere"), CALLS, ELSEWHERE)
        await until(lambda: len(heard) == 2)

        assert heard == [("large", len(LARGE)), ("elsewhere", 0)]
        assert a.interleaving.split_count == 0


async def test_when_the_bulk_connection_breaks_the_receiver_hears_it_and_the_others_go_on() -> None:
    async with nodes("a", "b") as (a, b):
        heard = listen(b)
        lost: list[Any] = []
        b.interleaving.message_lost = lambda peer, message, why: lost.append((message[3], why))
        a.tell(b, "hello")
        await until(lambda: heard)
        a.peer(b).send_large(tell("first"), [LARGE], CALLS, HERE)
        await until(lambda: len(heard) == 2)
        bulk = a.peer(b).lanes[BULK][0]
        assert bulk is not None

        a.peer(b).send_large(tell("lost"), [LARGE], CALLS, HERE)
        a.peer(b).send(tell("behind"), CALLS, HERE)
        bulk.abort(ConnectionAbortedError("a test"))
        await until(lambda: len(heard) == 3)

        assert heard[2] == ("behind", 0)
        assert [value for value, _ in lost] == ["lost"] and "broke" in lost[0][1]
        assert a.peer(b).direct is a.peer(b).calls
        a.peer(b).send_large(tell("again"), [LARGE], CALLS, HERE)
        await until(lambda: len(heard) == 4)
        assert heard[3] == ("again", len(LARGE))


async def test_large_ones_of_several_senders_use_all_bulk_lanes_and_one_that_breaks_takes_only_its_own() -> None:
    channels = check_channels({"bulk": {"parallelism": 2}})
    async with nodes("a", "b", channels=channels) as (a, b):
        heard = listen(b)
        lost: list[Any] = []
        b.interleaving.message_lost = lambda peer, message, why: lost.append(message[3])
        a.tell(b, "hello")
        await until(lambda: heard)
        a.peer(b).send_large(tell("first"), [LARGE], CALLS, HERE)
        a.peer(b).send_large(tell("second"), [LARGE], CALLS, ELSEWHERE)
        await until(lambda: len(heard) == 3)
        lanes = a.peer(b).lanes[BULK]
        assert all(lane is not None and lane.bytes_out > len(LARGE) for lane in lanes)

        a.peer(b).send_large(tell("lost"), [LARGE], CALLS, HERE)
        a.peer(b).send_large(tell("kept"), [LARGE], CALLS, ELSEWHERE)
        broken = lanes[HERE % 2]
        assert broken is not None
        broken.abort(ConnectionAbortedError("a test"))
        await until(lambda: len(heard) == 4 and lost)

        assert heard[3] == ("kept", len(LARGE)) and lost == ["lost"]
        await until(lambda: a.peer(b).direct is a.peer(b).calls)


async def test_what_never_comes_is_given_up_when_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE_S", 0.05)
    monkeypatch.setattr(interleaving, "TICK_S", 0.01)
    async with nodes("a", "b") as (a, b):
        heard = listen(b)
        lost: list[Any] = []
        b.interleaving.message_lost = lambda peer, message, why: lost.append(message[3])
        a.tell(b, "hello")
        await until(lambda: heard)
        b.dispatch[Kind.BULK] = lambda peer, message, buffers=None: None  # it is lost without a word

        a.peer(b).send_large(tell("lost"), [LARGE], CALLS, HERE)
        a.peer(b).send(tell("behind"), CALLS, HERE)
        await until(lambda: len(heard) == 2)

        assert heard[1] == ("behind", 0) and lost == ["lost"]
        assert b.interleaving.lost_count == 1
        await until(lambda: a.peer(b).direct is a.peer(b).calls)


async def test_when_the_sender_goes_down_what_only_waited_for_its_turn_is_delivered() -> None:
    async with nodes("a", "b") as (a, b):
        heard = listen(b)
        a.tell(b, "hello")
        await until(lambda: heard)
        b.dispatch[Kind.BULK] = lambda peer, message, buffers=None: None
        a.peer(b).send_large(tell("lost"), [LARGE], CALLS, HERE)
        a.peer(b).send(tell("behind"), CALLS, HERE)
        await until(lambda: b.peer(a).arrivals and b.peer(a).arrivals.held_count == 2)

        b.router.mark_down(a.me, "a test")

        assert heard[1:] == [("behind", 0)]
        assert b.peer(a).arrivals is None


async def test_a_full_bulk_queue_refuses_the_message_and_tells_the_receiver_not_to_wait() -> None:
    channels = check_channels({"bulk": {"queue_bytes_max": 2 * len(LARGE)}})
    async with nodes("a", "b", channels=channels) as (a, b):
        heard = listen(b)
        a.tell(b, "hello")
        await until(lambda: heard)
        a.peer(b).send_large(tell(0), [LARGE], CALLS, HERE)
        await until(lambda: len(heard) == 2)
        bulk = a.peer(b).lanes[BULK][0]
        assert bulk is not None
        bulk.pause_writing()

        sent = 0
        with suppress(Overloaded):
            for _ in range(10):
                a.peer(b).send_large(tell(sent + 1), [LARGE], CALLS, HERE)
                sent += 1
        a.peer(b).send(tell("behind"), CALLS, HERE)
        bulk.resume_writing()
        await until(lambda: heard[-1][0] == "behind")

        assert 0 < sent < 10
        assert [value for value, _ in heard[1:]] == [*range(sent + 1), "behind"]


async def test_a_peer_that_is_down_refuses_large_messages_too() -> None:
    async with nodes("a", "b") as (a, b):
        heard = listen(b)
        a.tell(b, "hello")
        await until(lambda: heard)
        a.router.mark_down(b.me, "a test")
        await quiet()

        with pytest.raises(NodeDown):
            a.peer(b).send_large(tell("large"), [LARGE], CALLS, HERE)


async def test_garbage_in_turn_closes_the_connection_it_came_on() -> None:
    async with nodes("a", "b") as (a, b):
        heard = listen(b)
        a.tell(b, "hello")
        await until(lambda: heard)

        for garbage in ([Kind.IN_TURN], [Kind.IN_TURN, 1, 0, Kind.IN_TURN, 1, 0], [Kind.IN_TURN, "1", 0, Kind.TELL]):
            before = b.broken_connections
            a.peer(b).send_on(CALLS, 0, pack(garbage), None)
            await until(lambda before=before: b.broken_connections == before + 1)
            await until(lambda: not a.peer(b).is_connected, "the other side to know, too")
            a.tell(b, "again")
            await until(lambda: heard[-1] == ("again", 0) and heard.pop())
