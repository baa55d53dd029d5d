"""Streams and cancellations on whole nodes in virtual time, under crashes and partitions: in order, once, and over."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.faults.operations import Crash, Cut, Delay, Reset, Restart
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.simulation.cluster import SimulatedCluster

ITEMS = 60


@pa.actor
class Source:
    async def soon(self, most: int) -> AsyncIterator[int]:
        for number in range(most):
            await asyncio.sleep(0.2)
            yield number

    def blocking(self, most: int) -> Iterator[int]:
        yield from range(most)

    async def forever(self) -> None:
        await asyncio.Event().wait()


def plan_of(seed: int) -> FaultPlan:
    """A crash, a partition, broken connections and delays, at times that the seed draws."""
    rng = random.Random(seed)
    cut_s, crash_s = rng.uniform(1.0, 8.0), rng.uniform(1.0, 15.0)
    return FaultPlan(
        (
            Cut(cut_s, cut_s + rng.uniform(2.0, 10.0), "1 random"),
            Crash(crash_s, "1 random"),
            Restart(crash_s + 10.0),
            Delay(rng.uniform(0.0, 10.0), 20.0, 0.05, 0.2),
            Reset(rng.uniform(0.5, 15.0), "all"),
        )
    )


async def taken(stream: Any, pace_s: float) -> list[Any]:
    """What a stream gives, taken at that pace; its error last, as a class's name."""
    found: list[Any] = []
    async for ref in stream:
        try:
            found.append(await ref)
        except pa.PartisanError as error:
            found.append(type(error).__name__)
        await asyncio.sleep(pace_s)
    return found


async def story(cluster: SimulatedCluster, seed: int) -> None:
    rng = random.Random(seed)
    sources = [Source.options(placement="spread", max_restarts=-1).remote() for _ in range(6)]
    cluster.start_plan(plan_of(seed))
    streams = []
    for source in sources:
        for method in (source.soon, source.blocking):
            options = {"generator_backpressure": rng.choice([1, 5, 1000]), "max_task_retries": rng.choice([0, -1])}
            streams.append((options, method.options(**options).remote(ITEMS)))
    waiting = [source.forever.remote() for source in sources]
    jobs = [asyncio.create_task(taken(stream, rng.choice([0.0, 0.1]))) for _, stream in streams]
    await asyncio.sleep(rng.uniform(0.0, 12.0))
    for ref in waiting:
        pa.cancel(ref)

    async with asyncio.timeout(300):
        results = await asyncio.gather(*jobs)
        outcomes = [type(await _error_of(ref)).__name__ for ref in waiting]

    for (options, _), items in zip(streams, results, strict=True):
        numbers = [item for item in items if isinstance(item, int)]
        assert numbers == list(range(len(numbers))), (options, items)  # in order, none twice, none missing
        assert len(numbers) == ITEMS or (len(items) == len(numbers) + 1 and isinstance(items[-1], str)), items
    assert all(name != "NoneType" for name in outcomes), outcomes


async def _error_of(ref: Any) -> BaseException | None:
    try:
        await ref
    except pa.PartisanError as error:
        return error
    return None


def run(seed: int) -> str:
    print(f"seed {seed}")
    with SimulatedCluster(seed=seed, nodes=4) as cluster:
        cluster.run(story(cluster, seed))
        return cluster.trace_hash


@pytest.mark.parametrize("seed", [1, 2])
def test_streams_give_each_item_once_and_in_order_under_faults(seed: int) -> None:
    run(seed)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(3, 33, 10))
def test_streams_give_each_item_once_and_in_order_for_many_seeds(first: int) -> None:
    for seed in range(first, first + 10):
        run(seed)


def test_a_run_with_streams_and_cancellations_is_the_same_again() -> None:
    assert run(5) == run(5)
