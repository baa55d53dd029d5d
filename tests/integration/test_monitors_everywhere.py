"""Monitors and links keep their promises directly, over TLS, over three hops, and over connections that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.nodes import Nodes, until
from tests.integration.ways import WAYS, check_way, four

BREAKING = "connections that break"
EVERY_WAY = (*WAYS, BREAKING)
GREETINGS = 200
# How an actor ends, and the reason that is told.
ENDS = {"leave": "normal", "leave for a reason": "enough", "kill": "killed", "exit": "asked to"}


@pa.actor
class Worker:
    """Greets, and then ends or waits for its end."""

    async def greet(self, whom: Any, count: int) -> None:
        for number in range(count):
            whom.greeted.tell(number)

    async def greet_and_leave(self, whom: Any, count: int, reason: str) -> None:
        await self.greet(whom, count)
        pa.exit_actor(reason)


@pa.actor(trap_exit=True)
class Watcher:
    """Writes down what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    async def watch(self, actor: Any) -> None:
        pa.monitor(actor)

    async def join(self, actor: Any) -> None:
        pa.link(actor)

    async def greeted(self, number: int) -> None:
        self.told.append(number)

    async def on_down(self, down: pa.Down) -> None:
        self.told.append(down.reason)

    async def on_exit(self, signal: pa.Exit) -> None:
        self.told.append(signal.reason)

    async def seen(self) -> list[Any]:
        return self.told


@asynccontextmanager
async def nodes_on(way: str, folder: Path, **settings: Any) -> AsyncIterator[Nodes]:
    """Nodes a to d, where a reaches d in that way; where connections break, they do so all the time."""
    async with four("direct" if way == BREAKING else way, folder, **settings) as cluster:
        breaking = asyncio.ensure_future(_break(cluster)) if way == BREAKING else None
        try:
            yield cluster
        finally:
            if breaking is not None:
                breaking.cancel()


async def _break(cluster: Nodes) -> None:
    """Break what a and d have, again and again, a while after it works."""
    while True:
        for name in "ad":
            for peer in list(cluster[name].node.router.peers.values()) if name in cluster.runtimes else ():
                for connection in peer.connections():
                    connection.cut(ConnectionResetError("of the test"))
        for _ in range(20):
            await asyncio.sleep(0.001)


async def pair(cluster: Nodes) -> tuple[Any, Any]:
    """A watcher on a, and a worker on d."""
    watcher = Watcher.options(placement=pa.NodeAffinity("a")).remote()
    worker = Worker.options(placement=pa.NodeAffinity("d")).remote()
    await watcher.seen.remote()
    await worker.greet.options(ack=True).remote(watcher, 0)
    return watcher, worker


async def end(worker: Any, watcher: Any, how: str, count: int) -> None:
    """Have it greet so often, and then end."""
    if how.startswith("leave"):
        worker.greet_and_leave.options(ack=True).tell(watcher, count, ENDS[how])
        return
    await worker.greet.options(ack=True).remote(watcher, count)
    if how == "kill":
        pa.kill(worker)
    else:
        pa.exit(worker, ENDS[how])


async def told(watcher: Any, count: int) -> list[Any]:
    """What it was told, once that is so much."""
    async with asyncio.timeout(60):
        while len(seen := await watcher.seen.remote()) < count:
            await asyncio.sleep(0.005)
    return list(seen)


async def nothing_more(cluster: Nodes, watcher: Any, before: list[Any]) -> None:
    """What is under way between the nodes has arrived, and nothing of it is for the watcher."""
    for name in "ad":
        with cluster.at(name):
            for _ in range(3):
                assert await pa.rpc("d" if name == "a" else "a", _nothing, forward={"ack": True}) is None
    assert await watcher.seen.remote() == before


async def _nothing() -> None:
    return None


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize("how", ENDS)
async def test_one_down_comes_after_the_last_message_with_the_real_reason(way: str, how: str, tmp_path: Path) -> None:
    async with nodes_on(way, tmp_path) as cluster:
        watcher, worker = await pair(cluster)
        await watcher.watch.remote(worker)

        await end(worker, watcher, how, GREETINGS)
        seen = await told(watcher, GREETINGS + 1)

        assert seen == [*range(GREETINGS), ENDS[how]]
        await nothing_more(cluster, watcher, seen)
        if way != BREAKING:
            check_way(way, cluster)


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize("how", ["leave for a reason", "kill"])
async def test_one_exit_signal_of_a_link_comes_with_the_real_reason(way: str, how: str, tmp_path: Path) -> None:
    async with nodes_on(way, tmp_path) as cluster:
        watcher, worker = await pair(cluster)
        await watcher.join.remote(worker)

        await end(worker, watcher, how, 0)
        seen = await told(watcher, 1)

        assert seen == [ENDS[how]]
        await nothing_more(cluster, watcher, seen)


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_when_the_node_dies_monitor_and_link_are_told_so_once_each(way: str, tmp_path: Path) -> None:
    async with nodes_on(way, tmp_path, keep_alive_s=0.1, suspicion_s=0.5) as cluster:
        watcher, worker = await pair(cluster)
        await watcher.watch.remote(worker)
        await watcher.join.remote(worker)

        await cluster.crash("d")
        seen = await told(watcher, 2)

        assert all(each.startswith("node down") for each in seen)
        down = Worker.options(placement=pa.NodeAffinity("a")).remote()
        await watcher.watch.remote(down)
        pa.kill(down)
        assert await told(watcher, 3) == [*seen, "killed"]
        await until(lambda: "d" not in {record.node.name for record in cluster["a"].node.directory.live()})
