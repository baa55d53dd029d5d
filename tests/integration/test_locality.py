"""Tasks go where their large arguments are, when those are on another host."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import partisan_actors as pa
from partisan_actors.actors.context import current_system
from tests.integration.nodes import nodes, until


def here() -> str:
    system = current_system.get()
    assert system is not None
    return str(system.me.name)


@pa.task
async def where(*values: bytes) -> str:
    return here()


@pa.actor
class Keeper:
    """Has fetched what it is given a ref of, and keeps it."""

    async def keep(self, refs: list[pa.ObjectRef[bytes]]) -> int:
        self.refs = refs
        return len(await refs[0])


async def test_a_task_goes_to_the_node_that_has_fetched_its_argument_and_spread_does_not() -> None:
    async with nodes("a", "b", "c", resources={"num_cpus": 4.0}) as cluster:
        guest = await cluster.add("guest", hosts_actors=False)
        for name, runtime in cluster.runtimes.items():
            own = partial(str, f"host of {name}")
            runtime.node.world = replace(runtime.node.world, host_name=own, shares_memory=False)
            runtime.node.announce()
        await until(lambda: len({record.host for record in guest.node.directory.live()}) == 4)
        with cluster.at("guest"):
            value = pa.put(bytes(1_000_000))
            keeper = Keeper.options(placement=pa.NodeAffinity("b")).remote()
            assert await keeper.keep.remote([value]) == 1_000_000
            await until(lambda: cluster["b"].node.me in guest.objects.whereabouts(value).nodes)

            assert [await where.remote(value) for _ in range(4)] == ["b"] * 4
            await until(lambda: guest.node.directory.records["b"].available["num_cpus"] == 4)
            assert await asyncio.gather(*[where.remote(value) for _ in range(3)]) == ["b"] * 3
            spread = where.options(placement="spread")
            assert set(await asyncio.gather(*[spread.remote(value) for _ in range(3)])) == {"a", "b", "c"}
