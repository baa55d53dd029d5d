"""The producer's end of a stream, without a network: how far it goes, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from partisan_actors.actors.producing import Outgoing, run_async, run_sync
from tests.unit.actors.stream_ends import Host, Wire


def outgoing(ahead: int) -> tuple[Outgoing, Any, Any]:
    host: Any = Host()
    peer: Any = Wire("consumer")
    return Outgoing(host, peer, 7, ahead, 0, "Source.count"), peer, host


async def numbers(most: int, made: list[int]) -> Any:
    async def generate() -> Any:
        for number in range(most):
            made.append(number)
            yield number

    return generate()


async def test_a_producer_asks_for_the_next_item_only_when_there_is_room() -> None:
    out, peer, _ = outgoing(ahead=3)
    made: list[int] = []
    running = asyncio.ensure_future(run_async(out, lambda: numbers(10, made)))

    for taken in range(10):
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(made) == min(taken + 3, 10)
        out.took(taken + 1)

    assert await running == 10
    assert [args[1:] for _, args in peer.take()] == [[number, number] for number in range(10)]


async def test_large_items_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partisan_actors.actors.producing.BYTES_AHEAD", 1000)
    out, _, _ = outgoing(ahead=100)

    for _ in range(3):
        assert out.has_room()
        out.give("x" * 400, is_on_loop=True)

    assert not out.has_room()
    out.took(1)
    assert out.has_room()


async def test_a_send_queue_that_is_full_holds_the_producer_and_loses_nothing() -> None:
    out, peer, _ = outgoing(ahead=10)
    peer.is_full = True
    out.give(0, is_on_loop=True)
    out.give(1, is_on_loop=True)

    assert not out.has_room()
    peer.is_full = False
    async with asyncio.timeout(30):
        while not out.has_room():
            await out.changed()

    assert [args[1] for _, args in peer.take()] == [0, 1]


async def test_a_stream_that_is_stopped_closes_its_generator() -> None:
    out, _, host = outgoing(ahead=10)
    closed = []

    def generate() -> Iterator[int]:
        try:
            yield 0
            out.stop()
            yield 1
            raise AssertionError("nobody wants it")
        finally:
            closed.append(True)

    assert run_sync(host, out, generate()) == 1
    assert closed == [True]


async def test_a_coroutine_that_waits_for_ever_ends_when_its_stream_is_stopped() -> None:
    out, _, _ = outgoing(ahead=10)
    closed = []

    async def begin() -> Any:
        async def generate() -> Any:
            try:
                yield 0
                await asyncio.Event().wait()
            finally:
                closed.append(True)

        return generate()

    running = asyncio.ensure_future(run_async(out, begin))
    for _ in range(3):
        await asyncio.sleep(0)

    out.stop()

    assert await running == 1 and closed == [True]


async def test_what_is_raised_is_announced_with_the_number_of_items_before_it() -> None:
    out, peer, host = outgoing(ahead=10)

    def generate() -> Iterator[int]:
        yield 0
        raise KeyError("the end")

    with pytest.raises(KeyError):
        run_sync(host, out, generate())

    assert peer.take() == [("item", [7, 0, 0]), ("failed_after", [7, 1])]


async def test_without_anybody_who_wants_them_items_are_dropped_and_the_generator_ends() -> None:
    host: Any = Host()
    made: list[int] = []

    assert await run_async(Outgoing(host, None, 0, 0, 0, "Source.count"), lambda: numbers(1000, made)) == 0
    assert len(made) == 1000
