"""A node that is drained: what it refuses, what it finishes, what moves, and what ends."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.actors.context import current_system
from partisan_actors.tasks import draining
from partisan_actors.tasks.draining import ask_to_drain
from tests.integration.nodes import Nodes, nodes, until
from tests.integration.programs import wait_until


def here() -> str:
    system = current_system.get()
    assert system is not None
    return str(system.me.name)


@pa.task
async def where() -> str:
    return here()


@pa.task
async def work(folder: str, name: str) -> str:
    Path(folder, name).touch()
    while not Path(folder, "go").exists():
        await asyncio.sleep(0.005)
    return here()


@pa.actor
class Where:
    def __init__(self, folder: str = "") -> None:
        self.folder = folder

    async def node(self) -> str:
        return here()

    async def process(self) -> int:
        return os.getpid()

    async def wait(self) -> None:
        Path(self.folder, "waits").touch()
        await asyncio.Event().wait()

    async def on_stop(self) -> None:
        if self.folder:
            Path(self.folder, "stopped").touch()


@pytest.mark.parametrize("ends_by_itself", [False, True])
async def test_a_drain_that_is_undone_leaves_the_node_as_it_was_and_may_be_begun_again(
    tmp_path: Path, ends_by_itself: bool
) -> None:
    async with nodes("a", "b", resources={"num_cpus": 1.0}) as cluster:
        guest, ended = await cluster.add("guest", hosts_actors=False), asyncio.Event()
        if ends_by_itself:
            cluster["b"].draining.on_drained = ended.set
        with cluster.at("guest"):
            on_b = pa.NodeAffinity("b")
            running = work.options(placement=on_b).remote(str(tmp_path), "begun")
            await until((tmp_path / "begun").exists)
            job = asyncio.ensure_future(drained(cluster, "guest", "b"))
            await until(lambda: guest.node.directory.records["b"].draining)

            assert await asyncio.to_thread(pa.undrain, "b")

            assert (await asyncio.wait_for(job, 60)) == pa.Drained("b", 0, 0, 1, False)
            assert await asyncio.to_thread(pa.undrain, "b")
            await until(lambda: not guest.node.directory.records["b"].draining)
            waiting = where.options(placement=on_b, num_cpus=1).remote()
            (tmp_path / "go").touch()
            assert await asyncio.wait_for(asyncio.gather(running, waiting), 60) == ["b", "b"]
            assert not ended.is_set()
            assert (await asyncio.wait_for(drained(cluster, "guest", "b"), 60)).stops is ends_by_itself
            if ends_by_itself:
                assert not await asyncio.to_thread(pa.undrain, "b")
                await asyncio.wait_for(ended.wait(), 60)


async def drained(cluster: Nodes, asker: str, name: str, timeout_s: float = 60.0) -> pa.Drained:
    return await ask_to_drain(cluster[asker].system, cluster[name].node.me, timeout_s)


async def test_a_draining_node_takes_nothing_new_finishes_its_tasks_and_sends_queued_ones_away(tmp_path: Path) -> None:
    async with nodes("a", "b", resources={"num_cpus": 1.0}) as cluster:
        guest = await cluster.add("guest", hosts_actors=False)
        with cluster.at("guest"):
            on_b = work.options(placement=pa.NodeAffinity("b", soft=True))
            running = on_b.remote(str(tmp_path), "first")
            await until((tmp_path / "first").exists)
            queued = where.options(placement=pa.NodeAffinity("b", soft=True), num_cpus=1)
            blocker = work.options(placement=pa.NodeAffinity("a")).remote(str(tmp_path), "blocker")
            await until((tmp_path / "blocker").exists)
            waiting = [queued.remote() for _ in range(2)]

            job = asyncio.ensure_future(drained(cluster, "guest", "b"))
            await until(lambda: guest.node.directory.records["b"].draining)
            fresh = [where.remote() for _ in range(3)]
            await until(lambda: cluster["b"].executor.queued == 0)
            assert not job.done()
            (tmp_path / "go").touch()

            assert await asyncio.wait_for(running, 30) == "b"
            assert set(await asyncio.wait_for(asyncio.gather(*waiting, *fresh, blocker), 30)) == {"a"}
            assert await asyncio.wait_for(job, 30) == pa.Drained("b", 0, 0, 0, False)
            with pytest.raises(pa.Unplaceable):
                await asyncio.wait_for(where.options(placement=pa.NodeAffinity("b")).remote(), 30)
            row = next(row for row in await cluster["a"].inspection.nodes(None) if row["name"] == "b")
            assert row["draining"] and row["state"] == "up"


async def test_actors_that_may_be_restarted_move_and_the_others_end_at_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "IDLE_S", 0.1)
    async with nodes("a", "b", resources={"num_cpus": 2.0}) as cluster:
        with cluster.at("a"):
            place = pa.NodeAffinity("b", soft=True)
            phoenix = Where.options(placement=place, max_restarts=1, name="phoenix", num_cpus=1).remote()
            busy = Where.options(placement=place, max_restarts=1).remote(str(tmp_path))
            mortal = Where.options(placement=place).remote(str(tmp_path))
            assert {await actor.node.remote() for actor in (phoenix, busy, mortal)} == {"b"}
            waiting = busy.wait.remote()
            await until((tmp_path / "waits").exists)

            report = await asyncio.wait_for(drained(cluster, "a", "b", 1.0), 30)

            assert (report.moved, report.ended) == (2, 1)
            with pytest.raises(pa.ActorUnavailable, match="its node is drained"):
                await asyncio.wait_for(waiting, 30)
            assert [await _retried(actor) for actor in (phoenix, busy)] == ["a", "a"]
            assert await _retried(await pa.get_actor_async("phoenix")) == "a"
            with pytest.raises(pa.ActorStopped, match="its node is drained"):
                await asyncio.wait_for(mortal.node.remote(), 30)
            assert (tmp_path / "stopped").exists()
            assert cluster.where()["b"] == 0


async def _retried(actor: Any) -> str:
    async with asyncio.timeout(30):
        while True:
            try:
                return str(await actor.node.remote())
            except pa.ActorUnavailable:
                await asyncio.sleep(0.01)


async def test_bundles_and_the_actors_in_them_move_together() -> None:
    async with nodes("a", "b", "c", resources={"num_cpus": 2.0}) as cluster:
        guest = await cluster.add("guest", hosts_actors=False)
        with cluster.at("guest"):
            group = pa.placement_group([{"num_cpus": 2}] * 2, "STRICT_SPREAD")
            await asyncio.wait_for(group.ready(), 30)
            place = pa.InPlacementGroup(group, 0)
            actor = Where.options(num_cpus=2, placement=place, max_restarts=1).remote()
            before = await actor.node.remote()

            report = await asyncio.wait_for(drained(cluster, "guest", before), 60)

            assert (report.moved, report.ended, report.left) == (1, 0, 0)
            after = await _retried(actor)
            record = guest.scheduler.groups.known(group.id)
            assert record is not None and record.hosts[0] is not None
            assert after == record.hosts[0].name != before
            await until(lambda: cluster[before].scheduler.room.pool.available.plain()["num_cpus"] == 2)


async def test_what_cannot_be_drained_is_refused_by_name() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            with pytest.raises(RuntimeError, match="to_thread"):
                pa.drain("a")
            with pytest.raises(pa.NodeDown, match="no such node"):
                await asyncio.to_thread(pa.drain, "nobody")
            with pytest.raises(pa.ConfigError, match="seconds"):
                await asyncio.to_thread(pa.drain, "a", timeout=-1)


def test_a_worker_that_is_empty_ends_with_status_zero_and_its_work_goes_on_elsewhere() -> None:
    with pa.init(workers=2) as session:
        name = f"{session.node_name}-w1"
        actor = Where.options(placement=pa.NodeAffinity(name, soft=True), max_restarts=-1).remote()
        assert pa.get(actor.node.remote(), timeout=30) == name

        report = pa.drain(name, timeout=30)

        assert report == pa.Drained(name, 1, 0, 0, True)
        wait_until(lambda: session.ended_workers().get(name), "the worker to end")
        assert session.ended_workers()[name].endswith("exit status 0")
        wait_until(lambda: _answers(actor), "the actor to be elsewhere")
        assert pa.get(where.remote(), timeout=30) == f"{session.node_name}-w2"
        wait_until(lambda: _state_of(name) == "left", "everybody to know that it has left")
        with pytest.raises(pa.NodeDown):
            pa.drain(name)


def _state_of(name: str) -> str:
    return next(str(row["state"]) for row in pa.nodes() if row["name"] == name)


def _answers(actor: Any) -> bool:
    try:
        return pa.get(actor.node.remote(), timeout=30) != ""
    except (pa.ActorUnavailable, pa.NodeDown):
        return False


def test_actors_with_processes_of_their_own_move_or_end_too() -> None:
    with pa.init(workers=2) as session:
        name = f"{session.node_name}-w1"
        place = pa.NodeAffinity(name, soft=True)
        alone = Where.options(placement=place, isolation="process")
        phoenix, mortal = alone.options(max_restarts=1).remote(), alone.remote()
        before = [pa.get(actor.process.remote(), timeout=60) for actor in (phoenix, mortal)]

        report = pa.drain(name, timeout=5)

        assert report == pa.Drained(name, 1, 1, 0, True)
        wait_until(lambda: _answers(phoenix), "the actor to be elsewhere")
        assert pa.get(phoenix.process.remote(), timeout=60) not in before
        wait_until(lambda: _has_stopped(mortal), "the other one to have ended")


def _has_stopped(actor: Any) -> bool:
    try:
        pa.get(actor.node.remote(), timeout=30)
    except (pa.ActorStopped, pa.NodeDown):
        return True
    except pa.ActorUnavailable:
        return False
    return False
