"""How actors end on whole nodes in memory: with their last handle, on their own, when told to, and what hooks hear."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.nodes import Nodes, nodes, until

told: list[str] = []


@pa.actor
class Worker:
    """Its `on_stop` tells the test; that and the actor share a process."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def add(self, event: str) -> list[str]:
        self.events.append(event)
        return self.events

    def block(self, gate: str) -> str:
        assert GATES[gate].wait(30)
        return "unblocked"

    async def wait(self, gate: str) -> str:
        while not GATES[gate].is_set():
            await asyncio.sleep(0.005)
        return "waited"

    async def leave(self) -> None:
        pa.exit_actor("had enough")

    def leave_on_thread(self) -> None:
        pa.exit_actor("had enough")

    async def me(self) -> Any:
        return pa.current_actor()

    def on_stop(self, reason: str) -> None:
        told.append(reason)


GATES: dict[str, threading.Event] = {}


@pytest.fixture(autouse=True)
def _anew() -> None:
    told.clear()
    GATES.clear()
    GATES.update(a=threading.Event(), b=threading.Event())


def workers(cluster: Nodes) -> int:
    return sum(cluster.where().values())


# ---- the last handle ----------------------------------------------------------------------------------------------


async def test_an_actor_ends_after_its_queue_when_the_last_handle_is_gone() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            worker = Worker.remote()
            blocked, later = worker.block.remote("a"), worker.add.remote("later")
            del worker
            await asyncio.sleep(1.0)
            assert workers(cluster) == 1, "what was called is not done"

            GATES["a"].set()

            assert await blocked == "unblocked"
            assert await later == ["later"]
            await until(lambda: told == ["out of scope"] and workers(cluster) == 0)


async def test_a_call_on_what_is_made_in_the_same_line_is_done() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            assert await asyncio.gather(*(Worker.remote().add.remote("it") for _ in range(20))) == [["it"]] * 20
            await until(lambda: workers(cluster) == 0)


async def test_a_bound_method_a_copy_and_a_value_that_was_put_count_as_handles_and_a_monitor_does_not() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            methods = [Worker.remote().add, Worker.remote().add.options(timeout=30)]
            value = pa.put({"a handle": Worker.remote()})
            refs = [pa.monitor(each) for each in (Worker.remote(), Worker.remote())]

            assert {(await ref).reason for ref in refs} == {"out of scope"}

            assert workers(cluster) == 3
            assert [await method.remote("it") for method in methods] == [["it"]] * 2
            assert await (await value)["a handle"].add.remote("it") == ["it"]


async def test_what_an_actor_sends_of_itself_does_not_keep_it() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            worker = Worker.remote()
            itself = await worker.me.remote()
            assert itself == worker
            assert await itself.add.remote("by itself") == ["by itself"]

            del worker

            await until(lambda: workers(cluster) == 0)
            with pytest.raises(pa.ActorStopped, match="out of scope"):
                await itself.add.remote("too late")


async def test_named_and_detached_actors_need_no_handle() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            Worker.options(name="known").remote()
            Worker.options(lifetime="detached").remote()
            other = Worker.remote()
            assert await other.add.remote("it") == ["it"]
            del other

            await until(lambda: told == ["out of scope"] and workers(cluster) == 2)

            assert await (await pa.get_actor_async("known")).add.remote("it") == ["it"]


# ---- ends on purpose ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["leave", "leave_on_thread"])
async def test_who_exits_lets_its_coroutines_finish_and_refuses_what_waits(how: str) -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            worker = Worker.remote()
            waiting = worker.wait.remote("a")
            left = getattr(worker, how).remote()
            queued = worker.block.remote("b")
            for ref in (left, queued):
                with pytest.raises(pa.ActorStopped, match="it exited: had enough"):
                    await ref
            assert told == [], "a coroutine runs"

            GATES["a"].set()

            assert await waiting == "waited"
            await until(lambda: told == ["had enough"])
            with pytest.raises(pa.ActorStopped, match="it exited: had enough"):
                await worker.add.remote("too late")


async def test_an_actor_that_is_to_terminate_does_what_it_was_told_before() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            worker = Worker.remote()
            blocked, added = worker.block.remote("a"), worker.add.remote("before")
            ended = pa.terminate(worker)
            late = worker.add.remote("late")
            assert not ended.done()

            GATES["a"].set()

            assert await ended is None
            assert (await blocked, await added) == ("unblocked", ["before"])
            with pytest.raises(pa.ActorStopped, match="it exited: normal"):
                await late
            await until(lambda: told == ["normal"])
            assert await pa.terminate(worker) is None, "it has ended already"


def test_outside_of_actors_there_is_nothing_to_exit_and_only_handles_terminate() -> None:
    with pytest.raises(TypeError, match="exit_actor"):
        pa.exit_actor()
    with pytest.raises(TypeError, match="terminate takes an ActorHandle, not str"):
        pa.terminate("it")  # type: ignore[arg-type]  # that is what is tested


async def test_killed_actors_run_on_stop_too_and_hear_it() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            worker = Worker.remote()
            await worker.add.remote("it")

            await asyncio.to_thread(pa.kill, worker)

            assert told == ["killed"]


@pa.actor
class Slow:
    """Its `on_stop` never ends by itself."""

    async def ping(self) -> int:
        return 1

    async def on_stop(self) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            told.append("cancelled")
            raise


@pa.actor
class Stuck:
    async def ping(self) -> int:
        return 1

    def on_stop(self) -> None:
        GATES["a"].wait(30)
        told.append("in the end")


@pytest.mark.parametrize("kind", [Slow, Stuck])
async def test_an_on_stop_that_takes_too_long_is_not_waited_for(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            actor = kind.options(stop_timeout=0.1).remote()
            await actor.ping.remote()

            await asyncio.to_thread(pa.kill, actor)

            await until(lambda: workers(cluster) == 0)
            assert "has not ended within 0.1 s" in caplog.text
            assert told == (["cancelled"] if kind is Slow else [])
            others = [Worker.remote() for _ in range(4)]
            GATES["b"].set()
            assert await asyncio.gather(*(each.block.remote("b") for each in others)) == ["unblocked"] * 4
            GATES["a"].set()


async def test_killing_with_a_restart_makes_it_anew_until_there_are_none_left() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            worker = Worker.options(max_restarts=1).remote()
            assert await worker.add.remote("first life") == ["first life"]
            running = worker.wait.remote("a")

            await asyncio.to_thread(pa.kill, worker, no_restart=False)

            with pytest.raises(pa.ActorUnavailable):
                await running
            assert await worker_of_a_new_life(worker) == ["second life"]
            await asyncio.to_thread(pa.kill, worker, no_restart=False)
            with pytest.raises(pa.ActorStopped, match="it was killed"):
                await worker.add.remote("third life")
            assert told == ["killed", "killed"]


async def worker_of_a_new_life(worker: Any) -> list[str]:
    """A call may come to the node before that knows of the new life; then it says so, and another try may work."""
    async with asyncio.timeout(30):
        while True:
            try:
                return list(await worker.add.remote("second life"))
            except pa.ActorUnavailable:
                await asyncio.sleep(0.01)
