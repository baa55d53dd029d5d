"""Nothing is handed out twice and everything comes back: random tasks and actors, cancelled or not, and nodes crash."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.scheduler.resources import NOTHING, Resources
from partisan_actors.simulation.cluster import SimulatedCluster

LAMPS = 3.0
TOTAL = {"num_cpus": 4.0, "num_gpus": 2.0, "lamps": LAMPS, "memory": 8.0 * 2**30}


@pa.task
async def work(seconds: float, fails: bool) -> None:
    await asyncio.sleep(seconds)
    if fails:
        raise ValueError("as it was asked to")


@pa.task
def nested(seconds: float) -> int:
    """Blocks in `get`, and lends what it has meanwhile."""
    pa.get([work.options(num_cpus=0.3).remote(seconds, False) for _ in range(2)])
    return 1


@pa.task
async def after(value: Any) -> None: ...


@pa.actor
class Holder:
    async def hold(self) -> None: ...


def needs(rng: random.Random) -> dict[str, Any]:
    options: dict[str, Any] = {"num_cpus": rng.choice([0, 0.1, 0.25, 0.3333, 0.5, 1, 2])}
    if rng.random() < 0.3:
        options["resources"] = {"lamps": rng.choice([0.1, 0.7, 1, 2.5])}
    if rng.random() < 0.2:
        options["num_gpus"] = rng.choice([0.25, 0.5, 1])
    return options


async def story(cluster: SimulatedCluster, rng: random.Random, count: int) -> None:
    refs: list[Any] = []
    actors: list[Any] = []
    for number in range(count):
        if number % 25 == 0:
            check(cluster)
            await asyncio.sleep(rng.uniform(0.0, 0.2))
        action = rng.random()
        if action < 0.05 and refs:
            refs.append(after.options(**needs(rng)).remote(rng.choice(refs)))
        elif action < 0.85:
            options = {**needs(rng), "max_retries": rng.choice([0, 3])}
            refs.append(work.options(**options).remote(rng.uniform(0.0, 0.3), rng.random() < 0.1))
        elif action < 0.92:
            refs.append(nested.options(num_cpus=rng.choice([0.5, 1])).remote(rng.uniform(0.0, 0.2)))
        elif action < 0.96 and len(actors) < 6:
            actors.append(Holder.options(num_cpus=rng.choice([0.1, 0.5]), max_restarts=rng.choice([0, 2])).remote())
            refs.append(actors[-1].hold.remote())
        elif actors:
            pa.kill(actors.pop(rng.randrange(len(actors))))
        if rng.random() < 0.1:  # whatever it is doing: waiting for a place or an argument, running, or done
            pa.cancel(rng.choice(refs), recursive=rng.random() < 0.8)
        if number and number % (count // 4) == 0:
            name = rng.choice([name for name in cluster.live if name != "driver"])
            cluster.crash(name)
            cluster.restart(name)
            await cluster.until(cluster.is_complete)
    await asyncio.wait([asyncio.ensure_future(settled(ref)) for ref in refs])
    for actor in actors:
        pa.kill(actor)


async def settled(ref: Any) -> None:
    try:
        await ref
    except (ValueError, pa.PartisanError):
        return


def check(cluster: SimulatedCluster) -> None:
    """Coroutines never have more than there is, at any moment."""
    for name in cluster.live:
        runtime = cluster.runtime(name)
        pool = runtime.scheduler.room.pool
        held = sum((pool.held(token) for token in pool), NOTHING)
        assert held + pool.available == pool.total
        running = [each.spec.request.resources for each in runtime.executor.running_tasks.values()]
        coroutines = [spec.request.resources for spec in runtime.executor._coroutines.values()]
        assert sum(coroutines, NOTHING).fits(pool.total), f"{name} runs {len(running)} tasks at once"


def tell(seed: int, count: int) -> None:
    print(f"seed {seed}")
    with SimulatedCluster(seed, 3, resources=TOTAL) as cluster:
        cluster.run(story(cluster, random.Random(f"accounting {seed}"), count), within_s=100_000.0)
        everything = Resources.parse(TOTAL)

        def is_whole() -> bool:
            rooms = [cluster.runtime(name).scheduler.room for name in cluster.live if name != "driver"]
            return len(rooms) == 3 and all(room.pool.available == everything and not len(room.pool) for room in rooms)

        cluster.run_until(is_whole, within_s=300.0)
        for name in cluster.live:
            assert cluster.runtime(name).submitter.submitted == {}
            assert cluster.runtime(name).executor.running_tasks == {}


@pytest.mark.parametrize("seed", range(3))
def test_after_hundreds_of_tasks_and_crashes_every_node_has_all_it_had(seed: int) -> None:
    tell(seed, 300)


@pytest.mark.slow
@pytest.mark.timeout(900)  # it computes for a minute or so, and may have to share the processor
def test_after_ten_thousand_tasks_and_crashes_every_node_has_all_it_had() -> None:
    tell(39, 10_000)
