"""Recordings of what reaches actors, and runs that follow them or end in a diagnosis."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.faults import delay
from tests.integration.nodes import Nodes, nodes

FAST = {"dial_timeout_s": 0.2}


@pa.actor
class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    async def add(self, line: str) -> None:
        self.lines.append(line)

    def add_on_thread(self, line: str) -> None:
        self.lines.append(line)

    async def read(self) -> list[str]:
        return self.lines


@pa.actor
class Writer:
    async def write(self, log: Any, name: str, count: int) -> None:
        for number in range(count):
            await log.add.remote(f"{name}{number}")
            log.add_on_thread.tell(f"{name}{number}'")


async def run(cluster: Nodes, seed: int, extra: bool = False) -> list[str]:
    """Two writers on two nodes race for a log on a third, with delays that the seed draws."""
    rng = random.Random(seed)
    with cluster.at("a"):
        log = Log.options(placement=pa.NodeAffinity("a")).remote()
        writers = [Writer.options(placement=pa.NodeAffinity(node)).remote() for node in "bc"]
        with pa.faults(lambda m: delay(rng.uniform(0.0, 0.01)) if m.method.startswith("add") else None):
            calls = [each.write.remote(log, name, 10) for each, name in zip(writers, "xy", strict=True)]
            if extra:
                await log.add.remote("extra")
            await asyncio.gather(*calls)
            return list(await log.read.remote())


@pytest.mark.parametrize("routing", ["direct", "relay"])
async def test_runs_that_follow_a_recording_deliver_the_same(tmp_path: Path, routing: str) -> None:
    path = tmp_path / "run.jsonl"
    settings = {"routing": routing, "overlay": "hyparview", **FAST}
    async with nodes("a", "b", "c", **settings) as cluster:
        with cluster.at("a"), pa.record(path):
            recorded = await run(cluster, 1)
    for seed in (2, 3):
        async with nodes("a", "b", "c", **settings) as cluster:
            with cluster.at("a"), pa.replay(path):
                assert await run(cluster, seed) == recorded
            assert cluster["a"].system.extensions["faults"].interception._is_idle


async def replayed(path: Path, job: Any, patience: float = 60.0) -> tuple[Any, str]:
    """What `job()` returns under a replay, and how the runs differ."""
    result = None
    try:
        with pa.replay(path, patience=patience):
            result = await job()
    except pa.ReplayMismatch as error:
        return result, error.why
    return result, ""


async def add(*lines: str) -> list[str]:
    log = Log.remote()
    for line in lines:
        await log.add.remote(line)
    return list(await log.read.remote())


async def nothing() -> None:
    return None


async def test_a_run_that_parts_from_its_recording_says_where(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    async with nodes("a", "b", "c", **FAST) as cluster:
        with cluster.at("a"), pa.record(path):
            await run(cluster, 1)
    async with nodes("a", "b", "c", **FAST) as cluster:
        with cluster.at("a"):
            lines, why = await replayed(path, lambda: run(cluster, 2, extra=True))
            assert len(lines) == 41 and "a call of add from a to Log" in why and "is not in what is left" in why

            _, why = await replayed(path, nothing)
            assert why.startswith("the run ended before the recording. After 0 of 41 messages, the next one is")
        with cluster.at("b"), pytest.raises(pa.ConfigError, match="trace of node b"), pa.replay(path):
            pass
        with cluster.at("a"), pytest.raises(pa.ConfigError, match="patience"), pa.replay(path, patience=0):
            pass


async def test_what_never_comes_ends_the_replay_and_not_the_run(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    async with nodes("a", **FAST) as cluster:
        with cluster.at("a"), pa.record(path):
            await add("one", "two")
            with pytest.raises(pa.ConfigError, match="one at a time"), pa.record(tmp_path / "other.jsonl"):
                pass
    async with nodes("a", **FAST) as cluster:
        with cluster.at("a"):
            lines, why = await replayed(path, lambda: add("two"), patience=2.0)

    assert lines == ["two"]
    assert why.startswith("for 2 s nothing came that is next. After 0 of 3 messages, the next one is a call of add")
    assert "Held instead: a call of add from a to Log" in why
