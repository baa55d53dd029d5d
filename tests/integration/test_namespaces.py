"""Names on whole nodes in memory: namespaces, who is in which, and many who get or create one name at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.nodes import nodes, until


@pa.actor
class Named:
    async def make(self, name: str) -> Any:
        return await asyncio.to_thread(Named.options(name=name).remote)

    def find(self, name: str) -> Any:
        return pa.get_actor(name)

    async def names(self) -> list[str]:
        return pa.list_named_actors()


@pa.task(num_cpus=0)
def names_in_a_task() -> list[str]:
    """What a task sees."""
    return pa.list_named_actors()


async def test_a_name_is_unique_in_its_namespace_and_found_there_only() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            first = await asyncio.to_thread(Named.options(name="x").remote)
            second = await asyncio.to_thread(Named.options(name="x", namespace="other").remote)
            with pytest.raises(pa.ActorExists):
                await asyncio.to_thread(Named.options(name="x", namespace="other").remote)
        with cluster.at("b"):
            assert await pa.get_actor_async("x") == first != second
            assert await pa.get_actor_async("x", namespace="other") == second
            with pytest.raises(pa.ActorNotFound, match="'x' in namespace 'third'"):
                await asyncio.to_thread(pa.get_actor, "x", namespace="third")

            await until(lambda: len(pa.list_named_actors(all_namespaces=True)) == 2)
            assert pa.list_named_actors() == ["x"]
            assert pa.list_named_actors(all_namespaces=True) == [
                {"namespace": "", "name": "x"},
                {"namespace": "other", "name": "x"},
            ]

            await asyncio.to_thread(pa.kill, second)
            with pytest.raises(pa.ActorNotFound):
                await pa.get_actor_async("x", namespace="other")
            assert await pa.get_actor_async("x") == first


async def test_what_actors_and_tasks_name_is_in_the_namespace_of_their_driver() -> None:
    async with nodes("host") as cluster:
        await cluster.add("driver", namespace="mine", hosts_actors=False)
        with cluster.at("driver"):
            outer = await asyncio.to_thread(Named.options(name="outer").remote)
            inner = await outer.make.remote("inner")

            assert await outer.find.remote("inner") == inner == await pa.get_actor_async("inner", namespace="mine")
            assert await outer.names.remote() == ["inner", "outer"] == await names_in_a_task.remote()
        with cluster.at("host"):
            assert pa.list_named_actors() == []
            with pytest.raises(pa.ActorNotFound):
                await pa.get_actor_async("inner")


async def test_many_who_get_or_create_one_name_at_once_get_one_actor() -> None:
    names = ["a", "b", "c", "d", "e"]
    async with nodes(*names) as cluster:
        get_or_create = Named.options(name="one", get_if_exists=True).remote

        async def ten(name: str) -> list[Any]:
            with cluster.at(name):
                return await asyncio.gather(*(asyncio.to_thread(get_or_create) for _ in range(10)))

        handles = [each for ten_handles in await asyncio.gather(*map(ten, names)) for each in ten_handles]

        assert len(handles) == 50 and len(set(handles)) == 1
        with cluster.at("c"):
            assert handles[0] == await pa.get_actor_async("one")
            assert await handles[0].names.remote() == ["one"]
        await until(lambda: sum(cluster.where().values()) == 1)


async def test_a_name_is_free_right_after_a_kill_and_after_the_end_of_its_owner() -> None:
    async with nodes("a", "b") as cluster:
        await cluster.add("owner", hosts_actors=False)
        with cluster.at("a"):
            for _ in range(3):
                await asyncio.to_thread(pa.kill, await asyncio.to_thread(Named.options(name="x").remote))
        with cluster.at("owner"):
            await asyncio.to_thread(Named.options(name="x").remote)

        await cluster.crash("owner")

        with cluster.at("b"):
            await until(lambda: sum(cluster.where().values()) == 0)
            await until(lambda: pa.list_named_actors() == [])
            assert await (await asyncio.to_thread(Named.options(name="x").remote)).names.remote() == ["x"]


async def test_two_actors_of_one_node_with_one_name_each_get_what_is_forwarded_in_their_namespace() -> None:
    async with nodes("a") as cluster:
        await cluster.add("other", namespace="other", hosts_actors=False)
        logs = []
        for name in ("a", "other"):
            with cluster.at(name):
                logs.append(await asyncio.to_thread(Log.options(name="log").remote))
                assert await logs[-1].heard.remote() == [], "it has a place"
        for name in ("a", "other"):
            with cluster.at(name):
                pa.forward(("log", "a"), f"from {name}")

        for log, sender in zip(logs, ("a", "other"), strict=True):
            async with asyncio.timeout(30):
                while not (heard := await log.heard.remote()):
                    await asyncio.sleep(0.005)
            assert heard == [f"from {sender}"]


@pa.actor
class Log:
    def __init__(self) -> None:
        self.messages: list[str] = []

    async def on_message(self, message: str) -> None:
        self.messages.append(message)

    async def heard(self) -> list[str]:
        return self.messages
