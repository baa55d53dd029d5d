"""Deadlocks between actors on whole nodes in memory: found, named, and not seen where there is none."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.nodes import nodes

gate = threading.Event()


@pa.actor
class Blocking:
    def __init__(self) -> None:
        self.others: list[Any] = []

    def know(self, *others: Any) -> None:
        self.others = list(others)

    def ask(self) -> Any:
        return pa.get(self.others[0].ask_back.remote())

    def ask_back(self) -> Any:
        return pa.get(self.others[0].ping.remote())

    def ping(self) -> int:
        return 1

    def hold(self) -> None:
        assert gate.wait(30)


@pa.actor(max_concurrency=1)
class Waiting:
    def __init__(self) -> None:
        self.others: list[Any] = []

    async def know(self, *others: Any) -> None:
        self.others = list(others)

    async def ask(self) -> Any:
        return await self.others[0].ping.remote()

    async def ask_all(self) -> Any:
        return await asyncio.gather(*(each.ping.remote() for each in self.others))

    async def ping(self) -> int:
        return 1


async def found(count: int) -> list[dict[str, Any]]:
    """What `deadlocks` says, once it says that there are so many."""
    async with asyncio.timeout(30):
        while len(rings := await asyncio.to_thread(pa.deadlocks)) != count:
            await asyncio.sleep(0.02)
    return rings


async def test_two_blocking_actors_on_two_nodes_that_ask_each_other_are_named() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            left = Blocking.options(name="left", placement=pa.NodeAffinity("a")).remote()
            right = Blocking.options(name="right", placement=pa.NodeAffinity("b")).remote()
            await asyncio.gather(left.know.remote(right), right.know.remote(left))
            assert await asyncio.to_thread(pa.deadlocks) == []
            asked = left.ask.remote()

            (ring,) = await found(1)

            calls = {(call["method"], call["node"], call["is_running"]) for call in ring["calls"]}
            assert calls == {("ask", "a", True), ("ask_back", "b", True), ("ping", "a", False)}
            for step in (
                "ask of Blocking 'left'",
                "on a waits for ask_back of Blocking 'right'",
                "ping of Blocking 'left'",
                "is queued behind ask of Blocking 'left'",
            ):
                assert step in ring["text"]
            late = left.ping.remote()
            async with asyncio.timeout(30):
                while (await found(1))[0]["waiting"] != 1:
                    await asyncio.sleep(0.02)
            pa.kill(left)
            for ref in (asked, late):
                with pytest.raises(pa.ActorStopped):
                    await ref
            await found(0)


async def test_an_actor_that_asks_itself_is_found_whether_it_blocks_or_has_no_room() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            actors = [Blocking.remote(), Waiting.remote(), Waiting.remote()]
            await asyncio.gather(*(each.know.remote(each) for each in actors))
            refs = [actors[0].ask.remote(), actors[1].ask.remote(), actors[2].ask_all.remote()]

            rings = await found(3)

            assert sorted(len(ring["calls"]) for ring in rings) == [2, 2, 2]
            for each in actors:
                pa.kill(each)
            assert all(
                isinstance(each, pa.ActorStopped) for each in await asyncio.gather(*refs, return_exceptions=True)
            )


async def test_who_waits_for_one_that_is_only_busy_is_in_no_deadlock() -> None:
    gate.clear()
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            left, right = Blocking.remote(), Blocking.remote()
            await left.know.remote(right)
            await right.know.remote(Blocking.remote())
            held, asked = right.hold.remote(), left.ask.remote()

            for _ in range(5):
                assert await asyncio.to_thread(pa.deadlocks) == []
            gate.set()

            assert await asked == 1
            await held


async def test_on_its_own_loop_it_says_what_to_do() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"), pytest.raises(RuntimeError, match="to_thread"):
            pa.deadlocks()
