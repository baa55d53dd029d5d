"""Placement without a head: policies, labels, resources, refusals, and what becomes of actors when nodes go."""

from __future__ import annotations

import asyncio
import os
import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api.runtime import Runtime
from partisan_actors.node.directory import DOWN, UP
from tests.integration.nodes import Nodes, nodes, until


@pa.actor
class Where:
    def __init__(self, start: int = 0) -> None:
        self.value = start

    async def node(self) -> str:
        from partisan_actors.actors.context import current_system

        system = current_system.get()
        assert system is not None
        return str(system.me.name)

    async def add(self, amount: int) -> int:
        self.value += amount
        return self.value

    async def call(self, other: Any) -> int:
        return int(await other.add.remote(1))

    async def make(self) -> Any:
        return Where.remote()


async def places(count: int, **options: Any) -> list[str]:
    """Where so many actors of these options went."""
    actors = [Where.options(**options).remote() for _ in range(count)]
    return list(await asyncio.gather(*[actor.node.remote() for actor in actors]))


# ---- policies --------------------------------------------------------------------------------------------------------


async def test_spread_shares_out_evenly() -> None:
    async with nodes("a", "b", "c", "d") as cluster:
        with cluster.at("a"):
            assert Counter(await places(8, placement="spread")) == {"a": 2, "b": 2, "c": 2, "d": 2}


async def test_pack_fills_one_node_before_the_next() -> None:
    async with nodes("a", "b", "c", resources={"num_cpus": 4.0}) as cluster:
        with cluster.at("a"):
            placed = [(await places(1, placement="pack", num_cpus=1))[0] for _ in range(6)]

    assert sorted(Counter(placed).values()) == [2, 4]


async def test_random_uses_every_node() -> None:
    async with nodes("a", "b", "c") as cluster:
        with cluster.at("a"):
            assert set(await places(40, placement="random")) == {"a", "b", "c"}


async def test_default_shares_a_burst_out() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            assert set(Counter(await places(10)).values()) == {5}


async def test_affinity_binds_to_one_node_and_softly_prefers_it() -> None:
    async with nodes("a", "b", "c") as cluster:
        with cluster.at("a"):
            assert await places(3, placement=pa.NodeAffinity("b")) == ["b", "b", "b"]
            assert await places(1, placement=pa.NodeAffinity("c", soft=True)) == ["c"]
            assert await places(1, placement=pa.NodeAffinity("gone", soft=True)) != ["gone"]
            with pytest.raises(pa.Unplaceable, match=r"needs node gone; the closest is .*not the node asked for"):
                await places(1, placement=pa.NodeAffinity("gone"))


async def test_soft_affinity_goes_elsewhere_when_there_is_no_room() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            affinity = pa.NodeAffinity("b", soft=True)

            placed = [(await places(1, placement=affinity, num_cpus=1))[0] for _ in range(2)]

    assert placed == ["b", "a"]


async def test_labels_select_nodes() -> None:
    cluster = Nodes()
    for name, zone in (("a", "east"), ("b", "west"), ("c", "west")):
        await cluster.add(name, labels={"zone": zone})
    try:
        with cluster.at("a"):
            assert set(await places(6, labels={"zone": "west"})) == {"b", "c"}
            assert set(await places(6, labels={"zone": "!west"})) == {"a"}
            assert set(await places(12, labels={"zone": "in(east, west)"}, placement="spread")) == {"a", "b", "c"}
            with pytest.raises(pa.Unplaceable, match=r"needs label zone in \(north\); the closest is .*zone is '"):
                await places(1, labels={"zone": "north"})
    finally:
        for runtime in cluster.runtimes.values():
            await runtime.close()


async def test_nodes_that_host_nothing_are_never_chosen() -> None:
    async with nodes("a") as cluster:
        await cluster.add("guest", hosts_actors=False)
        with cluster.at("guest"):
            assert set(await places(4, placement="spread")) == {"a"}


# ---- resources -------------------------------------------------------------------------------------------------------


async def test_resources_are_held_for_an_actor_s_life_and_no_longer() -> None:
    async with nodes("a", "b", resources={"num_cpus": 2.0, "num_gpus": 1.0, "memory": 1e9, "lamps": 3.0}) as cluster:
        with cluster.at("a") as runtime:
            needs = {"num_cpus": 1.5, "num_gpus": 1, "memory": 5e8, "resources": {"lamps": 2}}
            first, second, third = (Where.options(**needs).remote() for _ in range(3))
            assert {await first.node.remote(), await second.node.remote()} == {"a", "b"}
            waiting = third.node.remote()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(waiting, 0.2)

            pa.kill(first)

            assert await asyncio.wait_for(waiting, 30) in ("a", "b")
            for actor in (second, third):
                pa.kill(actor)
            await until(
                lambda: all(
                    _free(each) == {"num_cpus": 2.0, "num_gpus": 1.0, "memory": 1e9, "lamps": 3.0}
                    for each in cluster.runtimes.values()
                )
            )
            assert runtime.scheduler.guardian.record_count == 0


def _free(runtime: Runtime) -> dict[str, float]:
    return dict(runtime.scheduler.room.pool.available.plain())


async def test_many_askers_never_overfill_a_node() -> None:
    async with nodes("a", "b", "c", resources={"num_cpus": 2.0}) as cluster:
        made = []
        for name in ("a", "b", "c"):
            with cluster.at(name):
                made += [Where.options(num_cpus=1).remote() for _ in range(2)]

        placed = Counter([await actor.node.remote() for actor in made])

        assert placed == {"a": 2, "b": 2, "c": 2}
        for actor in made:
            pa.kill(actor)


async def test_what_fits_no_node_says_what_was_needed_and_which_came_closest() -> None:
    async with nodes("a", resources={"num_cpus": 2.0, "lamps": 1.0}) as cluster:
        await cluster.add("b", resources={"num_cpus": 8.0})
        with cluster.at("a"):
            with pytest.raises(pa.Unplaceable) as caught:
                await places(1, num_cpus=16, resources={"lamps": 1})
            assert caught.value.needed == "1 lamps, 16 CPU"
            assert "short of" in caught.value.best_node

            @pa.task(num_gpus=1)
            def never() -> None: ...

            with pytest.raises(pa.Unplaceable, match=r"never .*needs 1 CPU, 1 GPU; the closest is"):
                await never.remote()


async def test_what_fits_no_node_yet_is_placed_when_one_comes() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            blocker = Where.options(num_cpus=1).remote()
            await blocker.node.remote()
            waiting = Where.options(num_cpus=1).remote().node.remote()

            await cluster.add("b")

            assert await asyncio.wait_for(waiting, 30) == "b"


@pa.task
async def meet(folder: str, count: int) -> str:
    """The name of its node, once so many of these run at once."""
    from partisan_actors.actors.context import current_system

    system = current_system.get()
    assert system is not None
    Path(folder, str(system.me.name)).touch()
    while len(os.listdir(folder)) < count:
        await asyncio.sleep(0.005)
    return str(system.me.name)


async def test_tasks_use_every_node_at_once(tmp_path: Path) -> None:
    async with nodes("a", "b", "c") as cluster:
        with cluster.at("a"):
            refs = [meet.remote(str(tmp_path), 3) for _ in range(3)]
            assert sorted(await asyncio.wait_for(asyncio.gather(*refs), 60)) == ["a", "b", "c"]


@pa.task
async def rendezvous(folder: str, mine: str, theirs: str) -> str:
    """Comes to an end when both run at once."""
    Path(folder, mine).touch()
    while not Path(folder, theirs).exists():
        await asyncio.sleep(0.005)
    return mine


async def test_a_task_does_not_queue_behind_another_one_when_a_node_may_be_free_that_was_busy(tmp_path: Path) -> None:
    async with nodes("b", "c", load_period_s=1000.0) as cluster:
        guest = await cluster.add("guest", hosts_actors=False, load_period_s=1000.0)
        # What b told last, it told while it was at work.
        (incarnation, version, _), record = guest.node.directory.stamps["b"], guest.node.directory.records["b"]
        busy = replace(record, total={"num_cpus": 1.0}, available={})
        guest.node.directory.changed("node/b", (incarnation, version + 1, UP), busy.packed())

        with cluster.at("guest"):
            refs = [rendezvous.remote(str(tmp_path), "x", "y"), rendezvous.remote(str(tmp_path), "y", "x")]
            answers = await asyncio.wait_for(asyncio.gather(*refs), 30)

        assert answers == ["x", "y"]


# ---- several nodes in one process ------------------------------------------------------------------------------------


async def test_handles_and_names_work_from_every_node() -> None:
    async with nodes("a", "b", "c", "d", "e") as cluster:
        with cluster.at("a"):
            actor = Where.options(name="one", placement=pa.NodeAffinity("c")).remote()
            assert await actor.add.remote(1) == 1
        for number, name in enumerate("bcde"):
            with cluster.at(name):
                found = await pa.get_actor_async("one")
                assert await found.add.remote(1) == 2 + number
                assert await Where.remote().call.remote(found) == 2 + number + 1
                await found.add.remote(-1)


@pytest.mark.parametrize("routing", ["auto", "direct", "relay"])
@pytest.mark.parametrize("overlay", ["hyparview", "full_mesh"])
async def test_every_node_reaches_every_other_over_every_overlay(routing: str, overlay: str) -> None:
    names = "abcdefgh"
    async with nodes(*names, routing=routing, overlay=overlay) as cluster:
        with cluster.at("a"):
            actors = [Where.options(placement=pa.NodeAffinity(name)).remote() for name in names]
            answers = [await actor.call.remote(other) for actor in actors for other in actors if other != actor]

    assert len(answers) == 56


# ---- nodes that go ---------------------------------------------------------------------------------------------------


async def test_an_actor_of_a_crashed_node_fails_and_a_restartable_one_comes_back() -> None:
    async with nodes("a", "b", "c") as cluster:
        with cluster.at("a"):
            mortal = Where.options(placement=pa.NodeAffinity("b")).remote()
            phoenix = Where.options(placement=pa.NodeAffinity("b", soft=True), max_restarts=1, name="p").remote(5)
            assert [await mortal.node.remote(), await phoenix.node.remote()] == ["b", "b"]
            await _known_everywhere(cluster, "p")

            await cluster.crash("b")

            with pytest.raises((pa.NodeDown, pa.ActorUnavailable)):
                await asyncio.wait_for(mortal.node.remote(), 30)
            assert await _retried(phoenix) in ("a", "c")
            assert await phoenix.add.remote(1) == 6
        with cluster.at("c"):
            assert await (await pa.get_actor_async("p")).add.remote(1) == 7


async def _known_everywhere(cluster: Nodes, name: str) -> None:
    # Gossip takes a moment; a node that crashes in that moment takes what it did not yet tell with it.
    def is_known(runtime: Runtime) -> bool:
        known = runtime.scheduler.names.known(name)
        return known is not None and known[1] is not None

    await until(lambda: all(map(is_known, cluster.runtimes.values())))


async def _retried(actor: Any) -> str:
    async with asyncio.timeout(30):
        while True:
            try:
                return str(await actor.node.remote())
            except (pa.NodeDown, pa.ActorUnavailable):
                await asyncio.sleep(0.01)


async def test_work_bound_to_a_node_that_crashed_is_refused_and_says_which_node() -> None:
    async with nodes("a", "b", "c") as cluster:
        with cluster.at("a"):
            life = cluster["b"].node.me
            actor = Where.options(placement=pa.NodeAffinity(life)).remote()
            assert await actor.node.remote() == "b"

            await cluster.crash("b")

            await until(lambda: not cluster["a"].node.directory.is_up(life))
            with pytest.raises(pa.Unplaceable, match=rf"needs 1 CPU, node {life}; .*not the node asked for") as caught:
                await asyncio.wait_for(places(1, placement=pa.NodeAffinity(life), num_cpus=1), 30)
            assert caught.value.best_node.startswith(("a~", "c~"))


async def test_a_handle_that_arrives_after_its_actor_was_restarted_elsewhere_works() -> None:
    async with nodes("a", "b", "c") as cluster:
        with cluster.at("a"):
            phoenix = Where.options(placement=pa.NodeAffinity("b", soft=True), max_restarts=1).remote()
            assert await phoenix.node.remote() == "b"
            old = pickle.dumps(phoenix)
            await cluster.crash("b")
            await _retried(phoenix)
        with cluster.at("c"):
            assert await asyncio.wait_for(pickle.loads(old).add.remote(1), 30) == 1


async def test_the_actors_of_an_owner_that_goes_end_with_it_and_so_do_theirs() -> None:
    async with nodes("a", "b") as cluster:
        await cluster.add("owner", hosts_actors=False)
        with cluster.at("owner"):
            child = await Where.remote().make.remote()
            await child.node.remote()
            detached = Where.options(lifetime="detached", name="stays").remote(3)
            await detached.node.remote()
        assert sum(cluster.where().values()) == 3
        await _known_everywhere(cluster, "stays")

        await cluster.crash("owner")

        await until(lambda: sum(cluster.where().values()) == 1)
        with cluster.at("a"):
            assert await (await pa.get_actor_async("stays")).add.remote(1) == 4


async def test_a_killed_actor_is_not_restarted() -> None:
    async with nodes("a", "b", "c") as cluster:
        with cluster.at("a"):
            actor = Where.options(max_restarts=-1, placement=pa.NodeAffinity("b", soft=True), name="over").remote()
            assert await actor.node.remote() == "b"
            pa.kill(actor)
            await until(lambda: sum(cluster.where().values()) == 0)

            await cluster.crash("b")

            with pytest.raises(pa.ActorStopped, match="killed"):
                await asyncio.wait_for(actor.node.remote(), 30)
            await until(lambda: len(cluster["a"].node.directory.live()) == 2)
            assert sum(cluster.where().values()) == 0


async def test_a_node_that_was_cut_off_is_believed_again_when_it_comes_back() -> None:
    async with nodes("a", "b", "c") as cluster:
        with cluster.at("a"):
            actor = Where.options(placement=pa.NodeAffinity("c"), lifetime="detached", name="island").remote()
            assert await actor.add.remote(1) == 1
        router = cluster["a"].node.router
        island = cluster["c"].node.me

        router.mark_down(island, "it does not answer, says a test")
        cluster["a"].node.driver.write("node/c", _down_stamp_of(cluster, "c"), _record_of(cluster, "c"))

        assert not cluster["a"].node.directory.is_up(island)
        await until(lambda: cluster["a"].node.directory.is_up(island) and router.peer(island).down is None)
        with cluster.at("a"):
            again = Where.options(placement=pa.NodeAffinity("c")).remote()
            assert await asyncio.wait_for(again.add.remote(1), 30) == 1


def _down_stamp_of(cluster: Nodes, name: str) -> tuple[int, ...]:
    incarnation, version, _ = cluster["a"].node.directory.stamps[name]
    return (incarnation, version, DOWN)


def _record_of(cluster: Nodes, name: str) -> bytes:
    return cluster["a"].node.directory.records[name].packed()
