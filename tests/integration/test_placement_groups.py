"""Placement groups on whole nodes: reserved, used, captured, moved and removed."""

from __future__ import annotations

import asyncio
import itertools
import os
import pickle
from collections import Counter
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.actors.context import current_system
from partisan_actors.api.runtime import Runtime
from tests.integration.nodes import Nodes, nodes, until


def here() -> str:
    system = current_system.get()
    assert system is not None
    return str(system.me.name)


@pa.actor
class Where:
    async def node(self) -> str:
        return here()

    async def children(self) -> list[str]:
        actors = [Where.options(num_cpus=1).remote() for _ in range(2)]
        self.kept = actors
        return [await actor.node.remote() for actor in actors]

    async def group(self) -> Any:
        return pa.get_current_placement_group()


@pa.task
async def where() -> str:
    return here()


def free(cluster: Nodes) -> dict[str, float]:
    return {
        name: each.scheduler.room.pool.available.plain().get("num_cpus", 0) for name, each in cluster.runtimes.items()
    }


def known_free(runtime: Runtime) -> dict[str, float]:
    """What one node has heard of what is free, by which it plans."""
    return {each.node.name: each.available.get("num_cpus", 0) for each in runtime.node.directory.live()}


async def test_each_strategy_reserves_on_the_nodes_it_promises_and_removal_gives_everything_back() -> None:
    async with nodes("a", "b", "c", resources={"num_cpus": 4.0}) as cluster:
        with cluster.at("a"):
            for strategy, count in (("STRICT_SPREAD", 3), ("SPREAD", 3), ("STRICT_PACK", 1), ("PACK", 1)):
                group = pa.placement_group([{"num_cpus": 1}] * 3, strategy=strategy)
                assert await asyncio.wait_for(group.ready(), 30) == group

                row = pa.placement_group_table(group)

                assert (row["state"], len(set(row["bundles_to_node_id"].values()))) == ("created", count)
                assert sum(free(cluster).values()) == 9
                pa.remove_placement_group(group)
                await until(lambda: sum(free(cluster).values()) == 12)
                await until(lambda: sum(known_free(cluster["a"]).values()) == 12)


async def test_work_in_a_bundle_takes_from_it_and_from_nothing_else() -> None:
    async with nodes("a", "b", resources={"num_cpus": 2.0}) as cluster:
        with cluster.at("a"):
            group = pa.placement_group([{"CPU": 2}, {"CPU": 1}], strategy="STRICT_SPREAD")
            await asyncio.wait_for(group.ready(), 30)
            hosts = [
                pa.NodeId.parse(text).name for text in pa.placement_group_table(group)["bundles_to_node_id"].values()
            ]
            place = pa.InPlacementGroup(group, bundle_index=0)

            actors = [Where.options(num_cpus=1, placement=place).remote() for _ in range(2)]
            assert [await actor.node.remote() for actor in actors] == [hosts[0], hosts[0]]
            assert free(cluster) == {hosts[0]: 0, hosts[1]: 1}
            third = Where.options(num_cpus=1, placement=place).remote().node.remote()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(third), 0.3)

            pa.kill(actors[0])

            assert await asyncio.wait_for(third, 30) == hosts[0]
            in_other = where.options(placement=pa.InPlacementGroup(group, bundle_index=1))
            assert [await in_other.remote() for _ in range(3)] == [hosts[1]] * 3
            anywhere = Where.options(
                num_cpus=1, scheduling_strategy=pa.InPlacementGroup(pickle.loads(pickle.dumps(group)))
            )
            assert await anywhere.remote().node.remote() == hosts[1]


async def test_what_work_in_a_group_starts_goes_into_it_if_it_captures() -> None:
    async with nodes("a", "b", resources={"num_cpus": 3.0}) as cluster:
        with cluster.at("a"):
            group = pa.placement_group([{"num_cpus": 3}], strategy="STRICT_PACK")
            await asyncio.wait_for(group.ready(), 30)
            place = pa.InPlacementGroup(group, capture_child_tasks=True)

            parent = Where.options(num_cpus=1, placement=place).remote()

            assert set(await parent.children.remote()) == {await parent.node.remote()}
            assert await parent.group.remote() == group
            assert await Where.remote().group.remote() is None
            assert pa.get_current_placement_group() is None


async def test_removal_ends_the_work_in_it_with_an_error_that_says_so() -> None:
    async with nodes("a", "b", resources={"num_cpus": 2.0}) as cluster:
        with cluster.at("a"):
            group = pa.placement_group([{"num_cpus": 1}, {"num_cpus": 1}], strategy="SPREAD", name="mine")
            await asyncio.wait_for(group.ready(), 30)
            place = pa.InPlacementGroup(group)
            actor = Where.options(num_cpus=1, placement=pa.InPlacementGroup(group, 0)).remote()
            await actor.node.remote()
            running = sleep_until.options(placement=pa.InPlacementGroup(group, 1)).remote()
            queued = where.options(placement=pa.InPlacementGroup(group, 1)).remote()
            await until(lambda: sum(each.executor.running for each in cluster.runtimes.values()) == 1)

            pa.remove_placement_group(pa.get_placement_group("mine"))

            for ref in (running, queued):
                with pytest.raises(pa.PlacementGroupRemoved, match="placement group 'mine'"):
                    await asyncio.wait_for(ref, 30)
            await until(lambda: sum(cluster.where().values()) == 0)
            with pytest.raises(pa.ActorStopped, match="its placement group 'mine' is over") as caught:
                await asyncio.wait_for(actor.node.remote(), 30)
            assert isinstance(caught.value, pa.PlacementGroupRemoved)
            with pytest.raises(pa.PlacementGroupRemoved):
                await asyncio.wait_for(where.options(placement=place).remote(), 30)
            with pytest.raises(ValueError, match="no placement group named 'mine'"):
                pa.get_placement_group("mine")
            await until(lambda: free(cluster) == {"a": 2, "b": 2})


@pa.task
async def sleep_until() -> None:
    await asyncio.Event().wait()


async def test_what_can_never_fit_says_so_at_once_and_what_is_not_free_yet_waits() -> None:
    async with nodes("a", "b", resources={"num_cpus": 2.0}) as cluster:
        with cluster.at("a"):
            with pytest.raises(pa.Unplaceable, match="3 bundles each want a node of their own, and there are 2 nodes"):
                await asyncio.wait_for(pa.placement_group([{"num_cpus": 1}] * 3, "STRICT_SPREAD").ready(), 30)
            with pytest.raises(pa.Unplaceable, match="no node has 1 GPU for bundle 0"):
                await asyncio.wait_for(pa.placement_group([{"num_gpus": 1}]).ready(), 30)
            blocker = Where.options(num_cpus=2).remote()
            await blocker.node.remote()
            group = pa.placement_group([{"num_cpus": 2}] * 2, "STRICT_SPREAD")
            ready = group.ready()
            assert pa.placement_group_table(group)["state"] == "pending"
            assert not ready.done()

            pa.kill(blocker)

            assert await asyncio.wait_for(ready, 30) == group


async def test_bundles_of_a_node_that_crashed_are_reserved_on_another_and_take_work_again() -> None:
    async with nodes("a", "b", "c", resources={"num_cpus": 1.0}) as cluster:
        guest = await cluster.add("guest", hosts_actors=False)
        with cluster.at("guest"):
            group = pa.placement_group([{"num_cpus": 1}] * 2, "STRICT_SPREAD")
            await asyncio.wait_for(group.ready(), 30)
            lost = _hosts(guest, group)[0]
            await cluster.crash(lost)

            await until(lambda: lost not in _hosts(guest, group))

            place = pa.InPlacementGroup(group, 0)
            assert await asyncio.wait_for(where.options(placement=place).remote(), 30) in _hosts(guest, group)
            assert Counter(free(cluster).values())[0] == 2 + 1  # and the guest, which offers nothing


def _hosts(runtime: Runtime, group: pa.PlacementGroup) -> list[str]:
    record = runtime.scheduler.groups.known(group.id)
    assert record is not None
    return [host.name for host in record.hosts if host is not None]


async def test_a_group_ends_with_its_owner_and_a_detached_one_does_not() -> None:
    async with nodes("a", "b", resources={"num_cpus": 2.0}) as cluster:
        await cluster.add("owner", hosts_actors=False)
        with cluster.at("owner"):
            mine = pa.placement_group([{"num_cpus": 1}] * 2, "SPREAD")
            stays = pa.placement_group([{"num_cpus": 1}] * 2, "SPREAD", name="stays", lifetime="detached")
            await asyncio.wait_for(asyncio.gather(mine.ready(), stays.ready()), 30)
        await until(lambda: all(_knows(cluster[name], "stays") for name in "ab"))

        await cluster.crash("owner")

        await until(lambda: free(cluster) == {"a": 1, "b": 1})
        with cluster.at("b"):
            place = pa.InPlacementGroup(pa.get_placement_group("stays"))
            assert await asyncio.wait_for(where.options(placement=place).remote(), 30) in ("a", "b")


def _knows(runtime: Runtime, name: str) -> bool:
    record = runtime.scheduler.groups.named(name)
    return record is not None and record.state == "created"


async def test_what_makes_no_sense_is_refused_by_name() -> None:
    async with nodes("a", resources={"num_cpus": 2.0}) as cluster:
        with cluster.at("a"):
            group = pa.placement_group([{"num_cpus": 1}])
            for call in (
                lambda: pa.placement_group([]),
                lambda: pa.placement_group([{}]),
                lambda: pa.placement_group([{"num_cpus": -1}]),
                lambda: pa.placement_group([{"num_gpus": 1.5}]),
                lambda: pa.placement_group([{"num_cpus": 1}], strategy="TIGHT"),
                lambda: pa.placement_group([{"num_cpus": 1}], lifetime="for ever"),
                lambda: pa.placement_group([{"num_cpus": 1}], bundle_label_selector=[{}, {}]),
                lambda: pa.InPlacementGroup(group, 1),
                lambda: pa.InPlacementGroup("group"),
            ):
                with pytest.raises(pa.ConfigError):
                    call()
            with pytest.raises(TypeError, match="takes a PlacementGroup, not a str"):
                pa.remove_placement_group("mine")  # type: ignore[arg-type]  # the mistake
            too_big = where.options(num_cpus=2, placement=pa.InPlacementGroup(group)).remote()
            with pytest.raises(pa.Unplaceable, match="a bundle of placement group"):
                await asyncio.wait_for(too_big, 30)


async def test_gpus_have_numbers_in_bundles_too() -> None:
    async with nodes("a", resources={"num_cpus": 4.0, "num_gpus": 3.0}) as cluster:
        with cluster.at("a"):
            group = pa.placement_group([{"num_gpus": 2}])
            await asyncio.wait_for(group.ready(), 30)
            place = pa.InPlacementGroup(group)
            inside = [GpuUser.options(num_gpus=1, placement=place).remote() for _ in range(2)]
            outside = GpuUser.options(num_gpus=1).remote()

            numbers = [await actor.gpus.remote() for actor in (*inside, outside)]

            assert sorted(itertools.chain(*numbers)) == [0, 1, 2]
            assert pa.get_gpu_ids() == []


def test_a_group_of_real_processes_is_ready_used_and_removed(cluster: pa.Session) -> None:
    @pa.task
    def process() -> int:
        return os.getpid()

    group = pa.placement_group([{"num_cpus": 1}] * 2, strategy="STRICT_SPREAD")
    assert group.wait(30)

    refs = [process.options(placement=pa.InPlacementGroup(group, index)).remote() for index in range(2)]

    assert len(set(pa.get(refs, timeout=30))) == 2
    pa.remove_placement_group(group)
    with pytest.raises(pa.PlacementGroupRemoved):
        pa.get(process.options(placement=pa.InPlacementGroup(group)).remote(), timeout=30)
    with pytest.raises(pa.PlacementGroupRemoved):
        group.wait(30)


def test_waiting_for_a_group_that_has_no_room_yet_ends_in_time(cluster: pa.Session) -> None:
    first = pa.placement_group([{"num_cpus": 1}] * 2, strategy="STRICT_SPREAD")
    assert first.wait(30)
    second = pa.placement_group([{"num_cpus": 1}])

    assert second.wait(0.1) is False

    pa.remove_placement_group(first)
    assert second.wait(30)
    pa.remove_placement_group(second)


@pa.actor
class GpuUser:
    async def gpus(self) -> list[int]:
        return pa.get_gpu_ids()
