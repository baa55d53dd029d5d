"""Restartable actors on whole nodes in virtual time: whoever crashes, they live once; and so after a partition."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.simulation.cluster import SimulatedCluster

# Virtual seconds in which a silent or cut-off node is noticed, and what it had is placed again.
NOTICED_S = 40.0
NODES = [f"n{number}" for number in range(5)]


@pa.actor
class Counter:
    def __init__(self) -> None:
        self.count = 0

    async def add(self) -> int:
        self.count += 1
        return self.count


@pa.actor
class Maker:
    """Makes actors on behalf of nobody, so that its own node is their creator and no more."""

    async def make(self, name: str, options: dict[str, Any]) -> None:
        Counter.options(name=name, lifetime="detached", max_restarts=-1, **options).remote()


def lives(cluster: SimulatedCluster) -> list[str]:
    """The nodes on which the counter runs."""
    return [
        name
        for name, node in cluster._nodes.items()
        if node.runtime is not None
        for cell in node.runtime.system.local_cells()
        if cell.definition.interface.class_name == "Counter" and cell.state == "alive"
    ]


async def works(name: str = "counter") -> int:
    """What the actor of that name answers, sooner or later."""
    async with asyncio.timeout(120):
        while True:
            try:
                async with asyncio.timeout(20):
                    return int(await (await pa.get_actor_async(name)).add.remote())
            except (pa.PartisanError, TimeoutError):
                await asyncio.sleep(0.5)


async def made(cluster: SimulatedCluster, creator: str, host: str, **options: Any) -> None:
    """The counter runs on `host`, made by `creator`."""
    maker = Maker.options(placement=pa.NodeAffinity(creator)).remote()
    await maker.make.remote("counter", {"placement": pa.NodeAffinity(host, soft=True), **options})
    assert await works() == 1
    assert lives(cluster) == [host]


# ---- crashes ------------------------------------------------------------------------------------------------------


def guardians_of(cluster: SimulatedCluster) -> list[str]:
    """The nodes that keep its record."""
    return [
        name
        for name, node in cluster._nodes.items()
        if node.runtime is not None and node.runtime.scheduler.guardian.record_count
    ]


async def crashes(cluster: SimulatedCluster, rng: random.Random, victims: list[str]) -> None:
    """Nodes crash one after the other, by their roles; after each the actor lives once, and answers."""
    await made(cluster, "n0", "n1")
    for role in victims:
        up = [name for name in NODES if name in cluster._nodes]
        chosen = {
            "host": lives(cluster),
            "creator": ["n0"],
            "guardian": [name for name in guardians_of(cluster) if name in up],
            "anybody": [rng.choice(up)],
        }[role]
        victim = rng.choice([name for name in chosen if name in up] or up)
        print(f"{role} {victim} crashes; lives {lives(cluster)}, guardians {guardians_of(cluster)}")
        cluster.crash(victim)
        await asyncio.sleep(NOTICED_S)
        assert await works() > 0
        assert len(lives(cluster)) == 1
        if len(up) <= 4:
            cluster.restart(next(name for name in NODES if name not in cluster._nodes))
            await asyncio.sleep(NOTICED_S)


ROLES = ["host", "creator", "guardian", "anybody"]


@pytest.mark.parametrize(
    "victims",
    [["creator", "host", "host"], ["guardian", "guardian", "host"], ["guardian", "host", "guardian", "host"]],
    ids=" then ".join,
)
def test_a_detached_actor_lives_once_whoever_crashes(victims: list[str]) -> None:
    with SimulatedCluster(seed=1, nodes=NODES) as cluster:
        cluster.run(crashes(cluster, random.Random(1), victims))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(0, 20, 10))
def test_a_detached_actor_lives_once_whoever_crashes_for_many_seeds(first: int) -> None:
    for seed in range(first, first + 10):
        print(f"seed {seed}")
        rng = random.Random(seed)
        with SimulatedCluster(seed=seed, nodes=NODES) as cluster:
            cluster.run(crashes(cluster, rng, rng.choices(ROLES, k=8)))


# ---- partitions ---------------------------------------------------------------------------------------------------


async def parted(cluster: SimulatedCluster, side: list[str], cut_s: float) -> list[str]:
    """For so long nobody on that side hears of the others. Returns where the actor lived at the end of it."""
    rule = cluster.partition(*side)
    await asyncio.sleep(cut_s)
    lived = lives(cluster)
    cluster.heal(rule)
    await asyncio.sleep(2 * NOTICED_S)
    return lived


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_sides_that_both_restarted_an_actor_have_one_when_they_meet(seed: int) -> None:
    async def story() -> None:
        await made(cluster, "n0", "n1")

        lived = await parted(cluster, ["n0", "n1"], NOTICED_S)

        assert len(lived) == 2, "each side has one"
        assert len(lives(cluster)) == 1
        assert await works() > 0
        assert sum(
            node.runtime.scheduler.guardian.reconciled for node in cluster._nodes.values() if node.runtime is not None
        )

    with SimulatedCluster(seed=seed, nodes=NODES) as cluster:
        cluster.run(story())


@pytest.mark.parametrize("side", [["n0", "n1"], ["n2", "n3"]], ids=["with it", "without it"])
def test_with_a_quorum_only_the_side_with_most_nodes_has_the_actor(side: list[str]) -> None:
    async def story() -> None:
        await made(cluster, "n0", "n1", quorum=True)

        lived = await parted(cluster, side, NOTICED_S)

        assert len(lived) == 1 and lived[0] not in side
        assert len(lives(cluster)) == 1
        assert await works() > 0

    with SimulatedCluster(seed=1, nodes=NODES) as cluster:
        cluster.run(story())


def test_with_a_quorum_neither_half_has_the_actor_and_it_is_back_when_they_meet() -> None:
    async def story() -> None:
        await made(cluster, "n0", "n1", quorum=True)

        lived = await parted(cluster, ["n0", "n1", "n2"], NOTICED_S)  # the driver is with the other two

        assert lived == []
        assert len(lives(cluster)) == 1
        assert await works() > 0

    with SimulatedCluster(seed=1, nodes=NODES) as cluster:
        cluster.run(story())


def test_without_a_quorum_nobody_gets_the_name() -> None:
    async def story() -> None:
        for name in ("n2", "n3", "n4"):
            cluster.crash(name)
        await asyncio.sleep(NOTICED_S)
        lonely = Counter.options(name="lonely", quorum=True).remote()

        with pytest.raises(pa.ActorUnavailable, match="more than half of the nodes"):
            await lonely.add.remote()

        assert await Counter.options(name="lonely").remote().add.remote() == 1, "the name is free"

    with SimulatedCluster(seed=1, nodes=NODES) as cluster:
        cluster.run(story())
