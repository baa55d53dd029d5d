"""A million acknowledged messages: of those that arrived nothing is kept, of the others no more than the bound."""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

import pytest

from partisan_actors.errors import Overloaded, PartisanError, Unacknowledged
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind
from tests.nodes import TestNode, until
from tests.unit.node.test_delivery import some

UNDER_WAY = 2_000
# Lists that grow now and then, and what the loop had under way.
OBJECTS_MAX = 10_000
KEPT = 500
GIVE_UP_S = 0.5


def message(number: int) -> bytes:
    return pack([Kind.TELL, b"actor", "method", number])


def lossy(sender: TestNode, receiver: TestNode) -> Counter[str]:
    """From now on some messages arrive twice, and some acknowledgements not at all. Returns how many."""
    harmed: Counter[str] = Counter()
    on_acked, on_ack = receiver.dispatch[Kind.ACKED], sender.dispatch[Kind.ACK]

    def twice(peer: Any, acked: list[Any], buffers: Any = None) -> None:
        on_acked(peer, acked)
        if acked[4] % 50 == 0:
            harmed["twice"] += 1
            on_acked(peer, acked)

    def lost(peer: Any, ack: list[Any], buffers: Any = None) -> None:
        harmed["acknowledgements"] += 1
        if harmed["acknowledgements"] % 20:
            on_ack(peer, ack)

    receiver.dispatch[Kind.ACKED], sender.dispatch[Kind.ACK] = twice, lost
    return harmed


async def send_to_the_living(count: int) -> None:
    """Of so many messages each arrives once and in order, and what is kept of the later half of them is nothing."""
    async with some("a", "b") as (a, b):
        harmed, arrived, acknowledged, before = lossy(a, b), 0, 0, 0

        def take(peer: Any, m: list[Any], buffers: Any = None) -> None:
            nonlocal arrived
            assert m[3] == arrived, "each once, and in order"
            arrived += 1

        def count_it() -> None:
            nonlocal acknowledged
            acknowledged += 1

        b.dispatch[Kind.TELL] = take
        peer = a.peer(b)
        for number in range(count):
            if number % 100 == 0:
                await until(lambda: a.delivery.outstanding < UNDER_WAY, "acknowledgements")
            if number == count // 2:
                gc.collect()
                before = len(gc.get_objects())
            a.delivery.send(peer, message(number), acknowledged=count_it)
        await until(lambda: acknowledged == count, "all to be acknowledged")
        gc.collect()

        assert arrived == count and a.delivery.outstanding == 0
        assert harmed["twice"] >= count // 50
        (window,) = (each.window for each in b.delivery._parties[a.me].incoming.values())
        assert window.duplicates >= harmed["twice"] and not window.early()
        assert len(gc.get_objects()) - before < OBJECTS_MAX


async def send_to_the_dead(count: int) -> None:
    """Of so many messages each is refused at the bound or given up in time, and those to another node arrive."""
    bounds = {"messages_max": KEPT, "give_up_s": GIVE_UP_S}
    async with some("a", "b", "dead", **bounds) as (a, b, dead):
        dead.dispatch[Kind.ACKED] = lambda *arrived: None
        told: Counter[str] = Counter()
        peer, loop = a.peer(dead), a.loop

        def send() -> None:
            since = loop.time()

            def given_up(error: PartisanError) -> None:
                assert isinstance(error, Unacknowledged) and loop.time() - since >= GIVE_UP_S
                told["given up"] += 1

            try:
                a.delivery.send(peer, message(0), given_up=given_up)
                told["kept"] += 1
            except Overloaded:
                told["refused"] += 1

        for number in range(count):
            send()
            assert told["kept"] - told["given up"] <= KEPT
            if number % (count // 20) == 0:
                a.delivery.send(a.peer(b), message(number))
                await until(lambda number=number: b.told[-1:] == [number], "the living go on")
        await until(lambda: told["kept"] == told["given up"], "all that was kept to be given up")

        assert told["kept"] + told["refused"] == count and told["kept"] >= KEPT
        assert a.delivery.outstanding == 0 and len(b.told) == 20


async def test_of_twenty_thousand_messages_that_arrived_nothing_is_kept() -> None:
    await send_to_the_living(20_000)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_of_a_million_messages_that_arrived_nothing_is_kept() -> None:
    await send_to_the_living(1_000_000)


async def test_of_twenty_thousand_messages_to_the_dead_no_more_is_kept_than_the_bound() -> None:
    await send_to_the_dead(20_000)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_of_a_million_messages_to_the_dead_no_more_is_kept_than_the_bound() -> None:
    await send_to_the_dead(1_000_000)
