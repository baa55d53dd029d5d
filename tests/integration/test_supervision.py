"""What nodes in memory tell of who has made whom and who makes whom again, and of tells that reach nobody."""

from __future__ import annotations

import asyncio
from typing import Any

import partisan_actors as pa
from partisan_actors.api.actor_rows import merge_rows
from partisan_actors.api.actor_tree import actor_tree
from tests.integration.nodes import Nodes, nodes, until


@pa.actor
class Maker:
    def __init__(self) -> None:
        self.made: list[Any] = []

    async def make(self, node: str, restarts: int) -> None:
        how = Worker.options(max_restarts=restarts, scheduling_strategy=pa.NodeAffinity(node))
        self.made.append(how.remote())
        await self.made[-1].work.remote()


@pa.actor
class Worker:
    async def work(self) -> int:
        return 1

    async def wait(self, gate: str) -> None:
        await GATES[gate].wait()

    async def link(self, other: Any) -> None:
        await asyncio.to_thread(pa.link, other)


@pa.task(num_cpus=0)
def made_by_a_task(name: str) -> None:
    Worker.options(name=name, lifetime="detached", num_cpus=0).remote()


GATES: dict[str, asyncio.Event] = {}


async def rows_of(cluster: Nodes) -> list[dict[str, Any]]:
    every = [row for runtime in cluster.runtimes.values() for row in await runtime.inspection.all_actors(None)]
    return [row for row in merge_rows(every, {}) if row["state"] == "alive"]


async def test_actors_tell_who_has_made_them_and_which_nodes_would_make_them_again() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            maker = Maker.options(num_cpus=0).remote()
            await maker.make.remote("b", 2)
            await made_by_a_task.remote("odd")
            await until(lambda: cluster["b"].scheduler.guardian._guarded)
            await until(lambda: sum(cluster.where().values()) == 3)
            rows = await rows_of(cluster)

    (root, detached) = actor_tree(rows)
    (top,) = root["children"]
    (made,) = top["children"]
    assert (root["label"], top["class"], made["class"]) == (str(cluster["a"].node.me), "Maker", "Worker")
    assert made["node"] == "b" and made["guardians"] == ["a"]
    assert made["supervision"] == "made again 0 of 2 times so far, by a"
    assert top["supervision"] == "ends with its node"
    (odd,) = detached["children"]
    assert odd["made_by"].startswith("task ") and "made_by_a_task" in odd["made_by"]


async def test_tells_that_wait_for_an_actor_that_ends_are_dead_letters_and_a_call_is_none() -> None:
    async with nodes("a", "b") as cluster:
        GATES["full"] = asyncio.Event()
        with cluster.at("a"):
            worker = Worker.options(max_concurrency=1, num_cpus=0, scheduling_strategy=pa.NodeAffinity("b")).remote()
            running = worker.wait.remote("full")
            worker.work.tell()
            call = worker.work.remote()
            (cell,) = await until(lambda: cluster["b"].system.local_cells())
            await until(lambda: cell.mailbox_size == 2)
            pa.kill(worker)
            for ref in (running, call):
                try:
                    await ref
                except pa.ActorStopped:
                    continue
                raise AssertionError("the actor was killed")
            told = await cluster["b"].inspection.dead_letters(None)
        GATES["full"].set()

    (letter,) = told["rows"]
    assert (letter["method"], letter["reason"], letter["sender"]) == ("work", "actor ended", "a")
    assert told["count"] == 1 and told["reasons"] == {"actor ended": 1}


async def test_a_tell_for_an_actor_that_has_ended_says_which_method_it_was() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            worker = Worker.options(num_cpus=0, scheduling_strategy=pa.NodeAffinity("b")).remote()
            await worker.work.remote()
            pa.kill(worker)
            await until(lambda: not cluster["b"].system.local_cells())
            worker.work.tell()
            letters = await until(
                lambda: [letter for each in cluster.runtimes.values() for letter in each.system.dead_letters.last]
            )

    assert letters[0].method == "work" and letters[0].reason == "actor ended"
