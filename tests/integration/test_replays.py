"""Recordings of what reaches actors, and runs that follow them or end in a diagnosis."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.faults import delay
from partisan_actors.faults.trace import first_line
from partisan_actors.simulation.cluster import SimulatedCluster
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

    async def finish(self, log: Any) -> None:
        """What was told is there."""
        await log.read.remote()


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


# ---- everywhere, and in virtual time ---------------------------------------------------------------------------------

WORKERS = ["driver-w1", "driver-w2"]


async def race(count: int) -> list[str]:
    """Two writers, each on a node of its own, race for a log on one of the two."""
    log = Log.options(placement=pa.NodeAffinity(WORKERS[0])).remote()
    writers = [Writer.options(placement=pa.NodeAffinity(node)).remote() for node in WORKERS]
    await asyncio.gather(*(each.write.remote(log, name, count) for each, name in zip(writers, "xy", strict=True)))
    for each in writers:
        await each.finish.remote(log)
    return list(await log.read.remote())


@pytest.fixture(scope="module")
def real_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The recording of a run of three processes, and what came out."""
    folder = tmp_path_factory.mktemp("recorded")
    with pa.init(name="driver", workers=2):
        with pa.record(folder / "run", everywhere=True):
            result = asyncio.run(race(10))
            with pytest.raises(pa.ConfigError, match="one at a time"), pa.record(folder / "no", everywhere=True):
                pass
        with pa.record(folder / "again", everywhere=True):
            pass
    return folder / "run", result


def test_every_node_has_a_file_of_what_reached_its_actors(real_run: tuple[Path, list[str]]) -> None:
    folder, result = real_run

    lines = {path.name: path.read_text().splitlines(True) for path in folder.iterdir()}

    assert sorted(lines) == ["driver-w1.jsonl", "driver-w2.jsonl", "driver.jsonl"]
    assert lines["driver.jsonl"] == [first_line("driver")]
    assert len(result) == 40
    assert len(lines["driver-w1.jsonl"]) == 1 + 2 + len(result) + 3, "a writer's, the log's, and that it was read"
    assert [json.loads(line)["method"] for line in lines["driver-w2.jsonl"][1:]] == ["write", "finish"]


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_a_real_run_is_followed_in_virtual_time_whatever_the_seed(real_run: tuple[Path, list[str]], seed: int) -> None:
    folder, result = real_run

    with SimulatedCluster(seed, WORKERS) as cluster, cluster.replay(folder):
        assert cluster.run(race(10)) == result


def swapped(folder: Path, to: Path) -> int:
    """The recording with two neighbouring messages of the log the other way round; which they are."""
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_text(path.read_text())
    path = to / f"{WORKERS[0]}.jsonl"
    lines = path.read_text().splitlines(True)
    for number in range(1, len(lines) - 1):
        one, other = (json.loads(line) for line in lines[number : number + 2])
        if {one["method"], other["method"]} <= {"add", "add_on_thread"} and one["sender"] != other["sender"]:
            lines[number : number + 2] = [lines[number + 1], lines[number]]
            path.write_text("".join(lines))
            return sum(json.loads(line)["method"].startswith("add") for line in lines[1:number])
    raise AssertionError("nobody raced")


def test_what_the_recording_says_is_what_happens(real_run: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, result = real_run
    place = swapped(folder, tmp_path / "swapped")
    expected = [*result[:place], result[place + 1], result[place], *result[place + 2 :]]

    with SimulatedCluster(1, WORKERS) as cluster, cluster.replay(tmp_path / "swapped"):
        assert cluster.run(race(10)) == expected != result


@pytest.mark.parametrize(
    ("count", "why"),
    [(11, "and is not in what is left of the trace. After"), (9, "for 10 s nothing came that is next. After")],
)
def test_another_run_parts_from_the_recording_with_a_diagnosis(
    real_run: tuple[Path, list[str]], count: int, why: str
) -> None:
    with SimulatedCluster(1, WORKERS) as cluster:
        with pytest.raises(pa.ReplayMismatch) as parted, cluster.replay(real_run[0]):
            assert len(cluster.run(race(count))) == 4 * count, "the run goes on to its end"

        assert parted.value.trace.endswith("driver-w1.jsonl") and why in parted.value.why, parted.value
        assert cluster.run(race(3))


def test_what_never_comes_is_waited_for_in_virtual_time(real_run: tuple[Path, list[str]]) -> None:
    async def one_alone() -> list[str]:
        log = Log.options(placement=pa.NodeAffinity(WORKERS[0])).remote()
        return list(await log.read.remote())

    with SimulatedCluster(1, WORKERS) as cluster:
        with (
            pytest.raises(pa.ReplayMismatch, match="for 60 s nothing came"),
            cluster.replay(real_run[0], patience=60.0),
        ):
            cluster.run(one_alone())
        assert 60.0 <= cluster.now_s < 90.0


def test_a_node_that_crashes_follows_nothing_any_more(real_run: tuple[Path, list[str]]) -> None:
    with SimulatedCluster(1, WORKERS) as cluster:
        with pytest.raises(pa.ReplayMismatch) as parted, cluster.replay(real_run[0]):
            cluster.crash(WORKERS[1])

        assert parted.value.trace.endswith("driver-w1.jsonl") and "ended before the recording" in parted.value.why


def test_what_is_no_recording_of_those_nodes_is_refused(real_run: tuple[Path, list[str]], tmp_path: Path) -> None:
    with SimulatedCluster(1, ["n0"]) as cluster:
        with pytest.raises(pa.ConfigError, match="driver-w1"), cluster.replay(real_run[0]):
            pass
        with pytest.raises(pa.ConfigError, match="everywhere=True"), cluster.replay(tmp_path):
            pass
        with pytest.raises(pa.ConfigError, match="virtual seconds"), cluster.replay(real_run[0], patience=0):
            pass
        (tmp_path / "n0.jsonl").write_bytes(b"\xff")
        with pytest.raises(pa.ConfigError, match="a file of text"), cluster.replay(tmp_path):
            pass


@pytest.mark.slow
def test_real_nodes_follow_a_recording_of_all_of_them_too(real_run: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, result = real_run
    place = swapped(folder, tmp_path / "swapped")
    with pa.init(name="driver", workers=2):
        with pa.replay(tmp_path / "swapped", everywhere=True):
            lines = asyncio.run(race(10))
        assert (lines[place], lines[place + 1]) == (result[place + 1], result[place])
    with pa.init(name="driver", workers=2):
        with pytest.raises(pa.ReplayMismatch, match="driver-w1"), pa.replay(folder, everywhere=True):
            asyncio.run(race(9))
        with pytest.raises(pa.ConfigError, match="patience"), pa.replay(folder, patience=0, everywhere=True):
            pass
    alone = pa.init(name="driver", workers=0)
    with alone, pytest.raises(pa.ConfigError, match="a node that is up"), pa.replay(folder, everywhere=True):
        pass
