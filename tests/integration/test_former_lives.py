"""What means an actor of a node's former life means nobody in the next one, though the numbers come again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.nodes import Nodes, nodes, until

SETTINGS: dict[str, Any] = {"dial_timeout_s": 0.2, "suspicion_s": 0.5}
GONE = (pa.ActorStopped, pa.NodeDown, pa.ActorUnavailable)


@pa.actor
class Resident:
    """Knows in which life of its node it lives, and who has called it."""

    def __init__(self, life: int) -> None:
        self.life = life
        self.called: list[int] = []

    async def call(self, meant: int) -> int:
        self.called.append(meant)
        return self.life

    async def calls(self) -> list[int]:
        return self.called


@pa.actor
class Watcher:
    """Writes down whose end it was told, and why."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    async def watch(self, text: str) -> None:
        pa.monitor(pa.parse_ref(text))

    async def on_down(self, down: pa.Down) -> None:
        self.told.append((str(down.id), down.reason))

    async def seen(self) -> list[tuple[str, str]]:
        return self.told


async def seen(watcher: Any, count: int) -> list[Any]:
    async with asyncio.timeout(60):
        while len(told := await watcher.seen.remote()) < count:
            await asyncio.sleep(0.005)
    return list(told)


async def live(cluster: Nodes, life: int) -> tuple[Any, str]:
    """An actor that is born on b, in that life of it, and its text."""
    with cluster.at("b"):
        resident = Resident.options(placement=pa.NodeAffinity("b")).remote(life)
        assert await resident.call.remote(life) == life
        return resident, str(resident)


async def restart(times: int) -> None:
    async with nodes("a", "b", **SETTINGS) as cluster:
        with cluster.at("a"):
            watcher = Watcher.options(placement=pa.NodeAffinity("a")).remote()
        ids = []
        resident, text = await live(cluster, 0)
        for life in range(1, times + 1):
            former, former_text = resident, text
            ids.append(former._location.actor)
            with cluster.at("a"):
                assert await pa.parse_ref(former_text).call.remote(life - 1) == life - 1
                await watcher.watch.remote(former_text)
                await until(lambda life=life: len(cluster["a"].system.extensions["signals"].watching) == 1)
            await cluster.crash("b")
            await cluster.add("b", **SETTINGS)
            resident, text = await live(cluster, life)

            with cluster.at("a"):
                told = await seen(watcher, 2 * life - 1)
                assert told[-1][0] == str(ids[-1]) and told[-1][1].startswith("node down")
                with pytest.raises(GONE):
                    await pa.parse_ref(former_text).call.remote(life - 1)
                await watcher.watch.remote(former_text)
                told = await seen(watcher, 2 * life)
                assert told[-1][0] == str(ids[-1]) and told[-1][1].startswith(("noproc", "node down"))
            with cluster.at("b"):
                assert await resident.calls.remote() == [life], "nobody else was called"

        with cluster.at("a"):
            told = await seen(watcher, 2 * times)
            assert [which for which, _ in told] == [str(each) for each in ids for _ in range(2)], "each once"
        assert len({each.number for each in ids}) < len(ids) or times == 1, "the numbers come again"
        assert len(set(ids)) == times


async def test_over_ten_lives_of_a_node_no_reference_means_another_actor() -> None:
    await restart(10)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_over_a_thousand_lives_of_a_node_no_reference_means_another_actor() -> None:
    await restart(1000)
