"""Monitors and links on whole nodes in virtual time, under crashes, partitions and delays: one Down each, by seed."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.faults.operations import Crash, Cut, Delay, Reset, Restart
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.simulation.cluster import SimulatedCluster

REASONS = {"killed", "noproc", "done", "told"}


@pa.actor
class Subject:
    async def leave(self) -> None:
        pa.exit_actor("done")

    async def ping(self) -> int:
        return 1


@pa.actor
class Observer:
    """Monitors what it is given, and counts what it is told."""

    def __init__(self) -> None:
        self.told: dict[str, list[str]] = {}

    async def watch(self, actor: Any) -> str:
        ref = pa.monitor(actor)
        self.told[str(ref)] = []
        return str(ref)

    async def on_down(self, down: pa.Down) -> None:
        self.told[str(down.monitor)].append(down.reason)

    async def seen(self) -> dict[str, list[str]]:
        return self.told


@pa.actor
class Chained:
    async def join(self, other: Any) -> None:
        pa.link(other)


def plan_of(seed: int) -> FaultPlan:
    """A crash, a partition (one way for some seeds), broken connections and delays, at times that the seed draws."""
    rng = random.Random(seed)
    cut_s, crash_s = rng.uniform(1.0, 8.0), rng.uniform(1.0, 25.0)
    return FaultPlan(
        (
            Cut(cut_s, cut_s + rng.uniform(2.0, 15.0), "1 random", one_way=bool(seed % 3 == 0)),
            Crash(crash_s, "1 random"),
            Restart(crash_s + 12.0),
            Delay(rng.uniform(0.0, 20.0), 30.0, 0.05, 0.2),
            Reset(rng.uniform(0.5, 20.0), "all"),
        )
    )


async def attempt(call: Any) -> Any:
    """The result, or None when a fault came in between."""
    try:
        async with asyncio.timeout(20):
            return await call()
    except (pa.PartisanError, TimeoutError):
        return None


async def story(cluster: SimulatedCluster, seed: int) -> None:
    rng = random.Random(seed)
    subjects = [Subject.options(placement="spread").remote() for _ in range(12)]
    observers = [Observer.options(placement="spread").remote() for _ in range(4)]
    for each in (*subjects, *observers):
        await attempt(each.ping.remote if each in subjects else each.seen.remote)
    cluster.start_plan(plan_of(seed))
    refs = []
    for subject in subjects:
        refs += [pa.monitor(subject), pa.monitor(subject)]
        await attempt(lambda s=subject: rng.choice(observers).watch.remote(s))
        await asyncio.sleep(rng.uniform(0.0, 2.0))
    for subject in subjects[::2]:
        end = rng.choice(["kill", "exit", "leave"])
        if end == "kill":
            pa.kill(subject)
        elif end == "exit":
            pa.exit(subject, "told")
        else:
            subject.leave.tell()
        await asyncio.sleep(rng.uniform(0.0, 2.0))
    await asyncio.sleep(45.0)
    for subject in subjects:
        subject.leave.tell()
        pa.kill(subject)

    fired: dict[Any, list[str]] = {ref: [] for ref in refs}
    for ref in refs:
        ref.add_done_callback(lambda done: fired[done].append(done.result().reason))
    async with asyncio.timeout(120):
        downs = [await ref for ref in refs]
    await asyncio.sleep(30.0)
    for ref, down in zip(refs, downs, strict=True):
        assert fired[ref] == [down.reason]
        assert down.reason in REASONS or down.reason.startswith("node down: "), down.reason
    for observer in observers:
        seen = await attempt(observer.seen.remote)
        for reasons in (seen or {}).values():
            assert len(reasons) == 1 and (reasons[0] in REASONS or reasons[0].startswith("node down: ")), seen


def run(seed: int, overlay: str) -> str:
    print(f"seed {seed}, {overlay}")
    with SimulatedCluster(seed=seed, nodes=5, overlay=overlay) as cluster:
        cluster.run(story(cluster, seed))
        return cluster.trace_hash


@pytest.mark.parametrize("overlay", ["hyparview", "full_mesh"])
def test_every_monitor_fires_once_under_faults(overlay: str) -> None:
    run(1, overlay)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("overlay", ["hyparview", "full_mesh"])
@pytest.mark.parametrize("first", range(0, 40, 10))
def test_every_monitor_fires_once_under_faults_for_many_seeds(overlay: str, first: int) -> None:
    for seed in range(first, first + 10):
        run(seed, overlay)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_chain_of_links_over_all_nodes_ends_when_one_node_crashes(seed: int) -> None:
    async def story() -> None:
        chain = [Chained.options(placement=pa.NodeAffinity(f"n{number % 4}")).remote() for number in range(8)]
        for left, right in itertools.pairwise(chain):
            await left.join.remote(right)
        refs = [pa.monitor(each) for each in chain]
        await asyncio.sleep(1.0)
        cluster.crash("n2")
        async with asyncio.timeout(60):
            reasons = [(await ref).reason for ref in refs]
        assert all(reason.startswith("node down: ") for reason in reasons), reasons

    with SimulatedCluster(seed=seed, nodes=4) as cluster:
        cluster.run(story())
