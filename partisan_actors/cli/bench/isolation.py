"""The rows about isolated actors: how long many of them take to be there, and the memory that each has to itself."""

from __future__ import annotations

import asyncio
from time import perf_counter

import psutil

import partisan_actors as pa
from partisan_actors.cli.bench import floor
from partisan_actors.cli.bench.actors import Probe
from partisan_actors.cli.bench.rows import ISOLATED
from partisan_actors.cli.bench.samples import Summary
from partisan_actors.cli.bench.turns import Plan

__all__ = ["create_isolated", "isolated_memory"]

WORKERS = 2


def create_isolated(plan: Plan) -> Summary:
    """Seconds until so many isolated actors have answered, over `plan.repeats` after one that starts the templates."""

    async def measure() -> Summary:
        async with pa.init(workers=WORKERS):
            seconds: list[float] = []
            for _ in range(plan.repeats + 1):
                begin = perf_counter()
                actors = await _made()
                seconds.append(perf_counter() - begin)
                for actor in actors:
                    await asyncio.to_thread(pa.kill, actor)
            return Summary.of([[each] for each in seconds[1:]])

    return floor.run(measure())


def isolated_memory() -> Summary:
    """MiB of an isolated actor's process that it shares with nobody, over as many as are made."""

    async def measure() -> Summary:
        async with pa.init(workers=WORKERS):
            actors = await _made()
            pids = [await actor.process.remote() for actor in actors]
            return Summary.of([[psutil.Process(pid).memory_full_info().uss / (1 << 20)] for pid in pids])

    return floor.run(measure())


async def _made() -> list[pa.ActorHandle[Probe]]:
    actors = [Probe.options(isolation="process").remote() for _ in range(ISOLATED)]
    refs = [actor.process.remote() for actor in actors]
    for ref in refs:
        await ref
    return actors
