"""The rows about what actors and worker nodes cost to have: making them, their memory, and what a worker imports."""

from __future__ import annotations

import gc
from time import perf_counter

import psutil

import partisan_actors as pa
from partisan_actors.cli.bench import floor
from partisan_actors.cli.bench.actors import Idle, Probe
from partisan_actors.cli.bench.pinning import pinned, separate_layout
from partisan_actors.cli.bench.rows import ACTORS_CREATED, ACTORS_IDLE, UNWANTED_MODULES
from partisan_actors.cli.bench.samples import Summary
from partisan_actors.cli.bench.turns import Plan

__all__ = ["create_actors", "idle_actor_memory", "unwanted_imports", "worker_memory"]

ACTORS_FIRST = 200
"""Made before memory is first read, so that what the first actors bring along is not charged to the others."""


def create_actors(plan: Plan) -> Summary:
    """Actors created and called once, per second, over `plan.repeats` batches after one that is not recorded."""

    async def measure() -> Summary:
        async with pa.init(workers=1):
            probe = Probe.remote()
            rates: list[float] = []
            with pinned(separate_layout(), (await probe.process.remote(),)):
                for _ in range(plan.repeats + 1):
                    with plan.watch():
                        rates.append(await _creation_rate())
                    # The batch's actors end when their handles do; let that be over before the next batch.
                    gc.collect()
                    await probe.process.remote()
            return Summary.of([[rate] for rate in rates[1:]])

    return floor.run(measure())


def idle_actor_memory() -> Summary:
    """KiB that each of many idle actors adds to its worker's resident memory."""

    async def measure() -> Summary:
        async with pa.init(workers=1):
            probe = Probe.remote()
            worker = psutil.Process(await probe.process.remote())
            first = await _called_once(ACTORS_FIRST)
            await probe.collect_garbage.remote()
            before = worker.memory_info().rss
            then = await _called_once(ACTORS_IDLE)
            await probe.collect_garbage.remote()
            grown = worker.memory_info().rss - before
            assert len(first) + len(then) == ACTORS_FIRST + ACTORS_IDLE  # the handles keep the actors until here
            return Summary.of([[grown / len(then) / 1024]])

    return floor.run(measure())


def worker_memory(plan: Plan) -> Summary:
    """MiB resident in a fresh worker node, over `plan.repeats` workers."""

    async def measure() -> float:
        async with pa.init(workers=1):
            probe = Probe.remote()
            resident: int = psutil.Process(await probe.process.remote()).memory_info().rss
            return resident / (1 << 20)

    return Summary.of([[floor.run(measure())] for _ in range(plan.repeats)])


def unwanted_imports() -> tuple[Summary, str]:
    """How many unwanted packages a fresh worker node has imported, and their names."""

    async def measure() -> list[str]:
        async with pa.init(workers=1):
            names: list[str] = await Probe.remote().imported.remote(UNWANTED_MODULES)
            return names

    names = floor.run(measure())
    return Summary.of([[float(len(names))]]), ", ".join(names)


async def _creation_rate() -> float:
    begin = perf_counter()
    await _called_once(ACTORS_CREATED)
    return ACTORS_CREATED / (perf_counter() - begin)


async def _called_once(count: int) -> list[object]:
    actors = [Idle.remote() for _ in range(count)]
    refs = [actor.here.remote() for actor in actors]
    for ref in refs:
        await ref
    return list(actors)
