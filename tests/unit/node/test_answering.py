"""Answers go on the channels of their calls: over connections and the overlay, acknowledged, beside large ones."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.faults.messages import Fault, Passing
from partisan_actors.node.answering import OnChannel, peer_behind
from partisan_actors.node.interception import Interception
from partisan_actors.wire.channels import BULK, CALLS, CONTROL, check_channels
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import BULK_BYTES_MIN, Kind
from tests.nodes import Answer, TestNode, nodes, until
from tests.unit.node.test_relay import line

SETTINGS: dict[str, Any] = {
    "channels": check_channels({"urgent": {"priority": 50}, "lazy": {"priority": -50}, "wide": 4}),
    "keep_alive_s": 1000.0,
    "load_period_s": 1000.0,
}


def call(number: int) -> bytes:
    return pack([Kind.CALL, number, b"actor", "method"])


def heard_on(node: TestNode) -> list[tuple[int, str]]:
    """From now on, which answers arrive at a node, each with its channel."""
    heard: list[tuple[int, str]] = []
    on_reply = node.dispatch[Kind.REPLY]

    def look(peer: Any, message: list[Any], buffers: Any = None) -> None:
        heard.append((message[1], peer.channel if isinstance(peer, OnChannel) else CALLS))
        on_reply(peer, message)

    node.dispatch[Kind.REPLY] = look
    return heard


def ask(node: TestNode, other: TestNode, number: int, channel: str, *buffers: bytes) -> Answer:
    waiting = node.peer(other).pending[number] = Answer()
    node.peer(other).send_large(call(number), buffers, channel)
    return waiting


@pytest.mark.parametrize(
    ("channel", "expected"), [("urgent", "urgent"), ("wide", "wide"), (CALLS, CALLS), (BULK, CALLS), (CONTROL, CALLS)]
)
async def test_an_answer_comes_on_the_channel_of_its_call_unless_that_is_built_in(channel: str, expected: str) -> None:
    async with nodes("a", "b", **SETTINGS) as (a, b):
        heard = heard_on(a)
        answer = ask(a, b, 7, channel)
        await until(lambda: b.asked)

        b.answer_all()

        await until(answer.done)
        assert heard == [(7, expected)]


async def test_of_answers_that_are_written_in_one_turn_that_on_the_channel_of_higher_priority_comes_first() -> None:
    async with nodes("a", "b", **SETTINGS) as (a, b):
        heard = heard_on(a)
        for number, channel in ((1, "lazy"), (2, CALLS), (3, "urgent")):
            ask(a, b, number, channel)
            await until(lambda number=number: len(b.asked) == number)

        b.answer_all()

        await until(lambda: len(heard) == 3)
        assert heard == [(3, "urgent"), (2, CALLS), (1, "lazy")]


async def test_an_acknowledged_answer_comes_on_the_channel_of_its_call_too() -> None:
    async with nodes("a", "b", **SETTINGS) as (a, b):
        on_acked, channels = a.dispatch[Kind.ACKED], []

        def look(peer: Any, message: list[Any], buffers: Any = None) -> None:
            channels.append(peer.channel)
            on_acked(peer, message)

        a.dispatch[Kind.ACKED] = look
        answer = Answer()
        a.delivery.ask(a.peer(b), 7, answer, call(7), channel="urgent")
        await until(lambda: b.asked)

        b.answer_all()

        await until(answer.done)
        assert channels == ["urgent"] and answer.value == 7


async def test_an_answer_through_the_overlay_goes_on_the_channel_of_its_call_at_every_hop() -> None:
    async with line("a", "b", "c", **SETTINGS) as (a, _, c):
        heard = heard_on(a)
        answer = ask(a, c, 7, "urgent")
        await until(lambda: c.asked)

        c.answer_all()

        await until(answer.done)
        assert heard == [(7, "urgent")]


async def test_an_answer_to_what_came_beside_its_large_arguments_or_behind_others_goes_on_its_channel() -> None:
    async with nodes("a", "b", **SETTINGS) as (a, b):
        first = ask(a, b, 1, "urgent")
        await until(lambda: b.asked)
        b.answer_all()
        await until(first.done)
        heard = heard_on(a)
        b.dispatch[Kind.CALL] = lambda peer, m, buffers=None: b.asked.append((peer, m[1]))

        ask(a, b, 2, "urgent", b"x" * (2 * BULK_BYTES_MIN))
        ask(a, b, 3, "urgent")
        await until(lambda: len(b.asked) == 2)
        assert a.interleaving.split_count == 1
        b.answer_all()

        await until(lambda: (3, "urgent") in heard)
        assert heard == [(2, "urgent"), (3, "urgent")]


async def test_who_stands_for_a_peer_is_the_peer_in_all_else() -> None:
    async with nodes("a", "b", **SETTINGS) as (a, b):
        peer = a.peer(b)
        stand_in = OnChannel(peer, "urgent", 0)

        assert peer_behind(stand_in) is peer is peer_behind(peer)
        assert stand_in.pending is peer.pending and stand_in.node == b.me and str(stand_in) == str(peer)
        assert stand_in.calls is None
        ask(a, b, 1, "urgent")
        await until(lambda: b.asked)
        assert stand_in.calls is peer.lanes["urgent"][0] is not None
        assert OnChannel(peer, "wide", None).calls is None, "nobody knows which"


async def test_rules_see_on_which_channel_a_message_arrives() -> None:
    async with nodes("a", "b", **SETTINGS) as (a, b):
        seen: list[tuple[str, str]] = []

        def look(passing: Passing) -> Fault | None:
            seen.append((passing.kind, passing.channel))
            return None

        end = Interception(b, bytes.hex, lambda key: False).add(look)
        ask(a, b, 1, "lazy")
        a.peer(b).send(pack([Kind.TELL, b"actor", "method", 1]), "urgent")

        await until(lambda: b.asked and b.told)
        end()

        assert sorted(seen) == [("call", "lazy"), ("tell", "urgent")]
