"""Counted handles on whole nodes in virtual time: nothing ends that somebody holds, and all does that nobody holds."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.faults.operations import Delay
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.simulation.cluster import SimulatedCluster
from partisan_actors.wire.channels import check_channels

# Longer than anything keeps a handle that nobody has: a loan that was told, and a sweep.
ALL_ENDED_S = 700.0


@pa.actor
class Subject:
    """What is held; it says how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    async def call(self) -> int:
        self.calls += 1
        return self.calls

    def block(self) -> int:
        self.calls += 1
        return self.calls


@pa.actor
class Keeper:
    """Holds handles, and passes them on in every way there is."""

    def __init__(self) -> None:
        self.kept: dict[int, Any] = {}

    async def keep(self, number: int, subject: Any) -> None:
        self.kept[number] = subject

    def keep_on_thread(self, number: int, subjects: list[Any]) -> None:
        (self.kept[number],) = subjects

    async def make(self, number: int) -> None:
        self.kept[number] = Subject.remote()

    async def make_and_return(self) -> Any:
        return Subject.remote()

    async def give(self, number: int) -> Any:
        """Returned as the last reference: it must survive the way back."""
        return {"it": self.kept.pop(number)}

    async def give_to(self, number: int, other: Any) -> None:
        """Sent on, and dropped at once, without waiting for anybody."""
        other.keep.tell(number, self.kept.pop(number))

    async def copy_to(self, number: int, other: Any) -> None:
        await other.keep_on_thread.remote(number, [self.kept[number]])

    async def drop(self, number: int) -> None:
        del self.kept[number]

    async def call_and_drop(self, number: int) -> None:
        self.kept.pop(number).call.tell()

    async def use(self) -> dict[int, int]:
        return {number: await subject.call.remote() for number, subject in list(self.kept.items())}


def living(cluster: SimulatedCluster) -> int:
    """How many subjects there are on all nodes."""
    return sum(
        cell.definition.interface.class_name == "Subject"
        for node in cluster._nodes.values()
        if node.runtime is not None
        for cell in node.runtime.system.local_cells()
    )


async def passing(cluster: SimulatedCluster, seed: int) -> None:
    """Handles go round in every way; after each step, who has one can call it."""
    rng = random.Random(seed)
    keepers = [Keeper.options(name=f"k{each}", placement=pa.NodeAffinity(f"n{each}")).remote() for each in range(4)]
    held: list[set[int]] = [set() for _ in keepers]
    mine: dict[int, Any] = {}
    cluster.start_plan(FaultPlan((Delay(0.0, 3000.0, 0.01, 0.1),)))
    for number in range(40):
        here, there = rng.sample(range(len(keepers)), 2)
        kept = sorted(held[here])
        ways = ["make", "return", "mine", "forget"]
        ways += ["give", "give_to", "copy_to", "drop", "call_and_drop"] if kept else []
        way, what = rng.choice(ways), rng.choice(kept or [0])
        print(f"{number}: {way} {what if kept else number} from {here} to {there}")
        if way == "make":
            await keepers[here].make.remote(number)
            held[here].add(number)
        elif way == "return":
            mine[number] = await keepers[here].make_and_return.remote()
        elif way == "mine":
            mine[number] = Subject.remote()
            await keepers[there].keep.remote(number, mine[number])
            held[there].add(number)
        elif way == "forget" and mine:
            del mine[rng.choice(sorted(mine))]
        elif way == "give":
            mine[what] = (await keepers[here].give.remote(what))["it"]
            held[here].discard(what)
        elif way in ("give_to", "copy_to"):
            await getattr(keepers[here], way).remote(what, keepers[there])
            held[there].add(what)
        elif way != "forget":
            await getattr(keepers[here], way).remote(what)
        if way in ("give_to", "drop", "call_and_drop"):
            held[here].discard(what)
        await asyncio.sleep(rng.choice([0.5, 1.0, 15.0, 90.0]))

        for index, keeper in enumerate(keepers):
            assert (await keeper.use.remote()).keys() == held[index]
        for each in mine.values():
            assert await each.block.remote() > 0
    assert living(cluster) == len(set().union(mine, *held))
    mine.clear()
    for index, keeper in enumerate(keepers):
        for what in sorted(held[index]):
            await keeper.drop.remote(what)


def run(seed: int, **settings: Any) -> None:
    print(f"seed {seed}")
    with SimulatedCluster(seed=seed, nodes=4, **settings) as cluster:
        cluster.run(passing(cluster, seed))
        cluster.run_until(lambda: living(cluster) == 0, within_s=ALL_ENDED_S)


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_ends_that_somebody_holds_and_everything_that_nobody_does(seed: int) -> None:
    run(seed)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", [10, 15])
@pytest.mark.parametrize("lanes", [1, 3])
def test_nothing_ends_early_and_everything_in_the_end_for_many_seeds(first: int, lanes: int) -> None:
    for seed in range(first, first + 5):
        run(seed, channels=check_channels({"calls": lanes}))


def test_a_node_that_crashes_holds_nothing_any_more() -> None:
    async def story() -> None:
        keepers = [Keeper.options(name=f"k{each}", placement=pa.NodeAffinity(f"n{each}")).remote() for each in (2, 3)]
        on_n0 = Subject.options(placement=pa.NodeAffinity("n0"))
        for number, holders in enumerate(([0], [1], [0, 1])):
            subject = on_n0.remote()
            for index in holders:
                await keepers[index].keep.remote(number, subject)
        del subject
        assert living(cluster) == 3

        cluster.crash("n2")
        await cluster.until(lambda: living(cluster) == 2)

        assert (await keepers[1].use.remote()).keys() == {1, 2}

    with SimulatedCluster(seed=1, nodes=4) as cluster:
        cluster.run(story())


def test_an_actor_that_is_restarted_is_held_by_whoever_held_it() -> None:
    async def story() -> None:
        keeper = Keeper.options(name="k2", placement=pa.NodeAffinity("n2")).remote()
        subjects = [Subject.options(max_restarts=-1, placement=pa.NodeAffinity("n0", soft=True)).remote() for _ in "ab"]
        await keeper.keep.remote(0, subjects[0])
        assert [await each.call.remote() for each in subjects] == [1, 1]

        cluster.crash("n0")
        await asyncio.sleep(20.0)
        assert [await each.call.remote() for each in subjects] == [1, 1], "both anew"
        subjects.clear()
        await asyncio.sleep(120.0)

        assert (await keeper.use.remote()) == {0: 2}
        assert living(cluster) == 1

    with SimulatedCluster(seed=1, nodes=4) as cluster:
        cluster.run(story())
