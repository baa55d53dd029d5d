"""Deadlocks between actors on whole nodes in memory: found, named, and not seen where there is none."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api.inspection import Inspection
from tests.integration.nodes import nodes, until

gate = threading.Event()


@pa.task(num_cpus=0)
def ping_blocking(actor: Any) -> Any:
    return pa.get(actor.ping.remote())


@pa.task(num_cpus=0)
async def ping_soon(actor: Any) -> Any:
    return await actor.ping.remote()


@pa.task(num_cpus=0)
def echo(value: Any) -> Any:
    return value


@pa.actor
class Blocking:
    def __init__(self) -> None:
        self.others: list[Any] = []

    def know(self, *others: Any) -> None:
        self.others = list(others)

    def ask(self) -> Any:
        return pa.get(self.others[0].ask_back.remote())

    def ask_back(self) -> Any:
        return pa.get(self.others[0].ping.remote())

    def ping(self) -> int:
        return 1

    def ask_through_a_task(self) -> Any:
        return pa.get(ping_blocking.remote(self.others[0]))

    def ask_through_an_argument(self) -> Any:
        return pa.get(echo.remote(self.others[0].ping.remote()))

    def hold(self) -> None:
        assert gate.wait(30)


@pa.actor(max_concurrency=1)
class Waiting:
    def __init__(self) -> None:
        self.others: list[Any] = []

    async def know(self, *others: Any) -> None:
        self.others = list(others)

    async def ask(self) -> Any:
        return await self.others[0].ping.remote()

    async def ask_through_a_task(self) -> Any:
        return await ping_soon.remote(self.others[0])

    async def ask_all(self) -> Any:
        return await asyncio.gather(*(each.ping.remote() for each in self.others))

    async def ping(self) -> int:
        return 1


@pa.actor
class Selfish:
    def __init__(self) -> None:
        self.others: list[Any] = []

    def know(self, *others: Any) -> None:
        self.others = list(others)

    def ping(self) -> int:
        return 1

    def ask_itself(self, way: str) -> Any:
        ping = self.others[0].ping
        match way:
            case "get":
                return pa.get(ping.remote())
            case "get_all":
                return pa.get([pa.put(1), ping.remote()])
            case "wait":
                return pa.wait([ping.remote(), ping.remote()])
            case "result":
                return ping.remote().result()
        return pa.get(ping.options(max_task_retries=1).remote())

    def ask_carefully(self, way: str) -> str:
        ping, others = self.others[0].ping, self.others[1].ping
        match way:
            case "with a time-out":
                with pytest.raises(pa.CallTimeout):
                    pa.get(ping.remote(), timeout=0.05)
            case "one of several":
                ready, rest = pa.wait([ping.remote(), others.remote()])
                assert pa.get(ready) == [1] and len(rest) == 1
            case _:
                pa.get(pa.task(lambda other: pa.get(other.ping.remote())).options(num_cpus=0).remote(self.others[1]))
        return "done"


async def found(count: int) -> list[dict[str, Any]]:
    """What `deadlocks` says, once it says that there are so many."""
    async with asyncio.timeout(30):
        while len(rings := await asyncio.to_thread(pa.deadlocks)) != count:
            await asyncio.sleep(0.02)
    return rings


async def test_two_blocking_actors_on_two_nodes_that_ask_each_other_are_named() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            left = Blocking.options(name="left", placement=pa.NodeAffinity("a")).remote()
            right = Blocking.options(name="right", placement=pa.NodeAffinity("b")).remote()
            await asyncio.gather(left.know.remote(right), right.know.remote(left))
            assert await asyncio.to_thread(pa.deadlocks) == []
            asked = left.ask.remote()

            (ring,) = await found(1)

            calls = {(call["method"], call["node"], call["is_running"]) for call in ring["calls"]}
            assert calls == {("ask", "a", True), ("ask_back", "b", True), ("ping", "a", False)}
            for step in (
                "ask of Blocking 'left'",
                "on a waits for ask_back of Blocking 'right'",
                "ping of Blocking 'left'",
                "is queued behind ask of Blocking 'left'",
            ):
                assert step in ring["text"]
            late = left.ping.remote()
            async with asyncio.timeout(30):
                while (await found(1))[0]["waiting"] != 1:
                    await asyncio.sleep(0.02)
            pa.kill(left)
            for ref in (asked, late):
                with pytest.raises(pa.ActorStopped):
                    await ref
            await found(0)


async def test_an_actor_that_has_no_room_to_ask_itself_is_found() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            actors = [Waiting.remote(), Waiting.remote()]
            await asyncio.gather(*(each.know.remote(each) for each in actors))
            refs = [actors[0].ask.remote(), actors[1].ask_all.remote()]

            rings = await found(2)

            assert sorted(len(ring["calls"]) for ring in rings) == [2, 2]
            for each in actors:
                pa.kill(each)
            assert all(
                isinstance(each, pa.ActorStopped) for each in await asyncio.gather(*refs, return_exceptions=True)
            )


@pytest.mark.parametrize("way", ["get", "get_all", "wait", "result", "retried"])
async def test_a_blocking_method_that_would_wait_for_its_own_actor_is_told_so_at_once(way: str) -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            actor = Selfish.remote()
            await actor.know.remote(actor)

            with pytest.raises(
                pa.Deadlocked, match=r"Selfish.* for ever for ping of its own actor.*self\.ping\(\)"
            ) as error:
                await asyncio.wait_for(actor.ask_itself.remote(way), 60)

            assert isinstance(error.value, pa.TaskFailed)
            assert await actor.ping.remote() == 1


@pytest.mark.parametrize("way", ["with a time-out", "one of several", "a task that does"])
async def test_what_need_not_wait_for_ever_is_not_refused(way: str) -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            actor, other = Selfish.remote(), Selfish.remote()
            await actor.know.remote(actor, other)

            assert await asyncio.wait_for(actor.ask_carefully.remote(way), 60) == "done"


async def test_an_actor_with_several_threads_may_wait_for_itself() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            actor = Selfish.options(max_concurrency=2).remote()
            await actor.know.remote(actor)

            assert await asyncio.wait_for(actor.ask_itself.remote("get"), 60) == 1


async def test_tasks_between_actors_are_in_the_ring_whether_they_run_or_wait_for_an_argument() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            threads, loops = Blocking.remote(), Waiting.remote()
            held = Blocking.remote()
            await asyncio.gather(*(each.know.remote(each) for each in (threads, loops, held)))
            asked = [
                threads.ask_through_a_task.remote(),
                loops.ask_through_a_task.remote(),
                held.ask_through_an_argument.remote(),
            ]

            rings = await found(3)

            texts = " ".join(ring["text"] for ring in rings)
            assert "ask_through_a_task of Blocking" in texts and " waits for ping_blocking of task:" in texts
            assert " waits for ping_soon of task:" in texts
            assert " has an argument from ping of Blocking" in texts
            for each in (threads, loops, held):
                pa.kill(each)
            ended = await asyncio.gather(*asked, return_exceptions=True)
            assert all(isinstance(each, pa.ActorStopped) for each in ended)
            await found(0)


async def test_who_waits_for_one_that_is_only_busy_is_in_no_deadlock() -> None:
    gate.clear()
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            left, right = Blocking.remote(), Blocking.remote()
            await left.know.remote(right)
            await right.know.remote(Blocking.remote())
            held, asked = right.hold.remote(), left.ask.remote()

            for _ in range(5):
                assert await asyncio.to_thread(pa.deadlocks) == []
            gate.set()

            assert await asked == 1
            await held


async def test_on_its_own_loop_it_says_what_to_do() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"), pytest.raises(RuntimeError, match="to_thread"):
            pa.deadlocks()


async def test_a_deadlock_is_told_in_the_feed_without_anybody_asking_and_once() -> None:
    async with nodes("a", "b") as cluster:
        for runtime in cluster.runtimes.values():
            runtime.deadlock_watch._ripe_s = runtime.deadlock_watch._look_s = 0.05
            runtime.deadlock_watch._pause_s = 0.05
            runtime.deadlock_watch.start()
        with cluster.at("a"):
            here = Waiting.options(scheduling_strategy=pa.NodeAffinity("a")).remote()
            there = Waiting.options(scheduling_strategy=pa.NodeAffinity("b")).remote()
            await here.know.remote(there)
            await there.know.remote(here)
            first, second = here.ask.remote(), there.ask.remote()

            def told(name: str) -> list[Any]:
                rows: list[Any] = cluster[name].node.feed.tail({"kinds": ["deadlock"]})["rows"]
                return rows

            await until(lambda: told("a") or told("b"))
            await until(lambda: len(cluster["a"].deadlock_watch._asked) == len(cluster["b"].deadlock_watch._asked) == 1)
            (row, *others) = told("a") + told("b")

            assert row["fields"]["calls"] == 4 and "ping of Waiting" in row["text"]
            assert len(told("a")) <= 1 and len(told("b")) <= 1
            assert [each["about"] for each in others] in ([], [row["about"]])
            pa.kill(here)
            pa.kill(there)
    del first, second


async def test_a_deadlock_is_found_though_no_node_answered_the_first_question(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = iter(range(4))
    waits = Inspection.waits

    async def at_first_refuses(inspection: Inspection, peer: Any) -> Any:
        if next(refusals, None) is not None:
            raise RuntimeError("not now")
        return await waits(inspection, peer)

    def told(runtime: Any) -> Any:
        return runtime.node.feed.tail({"kinds": ["deadlock"]})["rows"]

    monkeypatch.setattr(Inspection, "waits", at_first_refuses)
    async with nodes("a", "b") as cluster:
        for runtime in cluster.runtimes.values():
            watch = runtime.deadlock_watch
            watch._ripe_s = watch._look_s = watch._pause_s = 0.05
            watch.start()
        with cluster.at("a"):
            here = Waiting.options(scheduling_strategy=pa.NodeAffinity("a")).remote()
            there = Waiting.options(scheduling_strategy=pa.NodeAffinity("b")).remote()
            await here.know.remote(there)
            await there.know.remote(here)
            asked = [here.ask.remote(), there.ask.remote()]

            await until(lambda: any(map(told, cluster.runtimes.values())))

            assert next(refusals, None) is None
            pa.kill(here)
            pa.kill(there)
    del asked
