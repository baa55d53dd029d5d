"""Functions called on given nodes, and handles made of text, between whole nodes in memory."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.actors.context import current_system
from partisan_actors.tasks import rpc as node_calls
from tests.integration.nodes import nodes, until

FAST = {"dial_timeout_s": 0.2}
RELEASE = threading.Event()
BEGUN: list[int] = []
WAITING: list[str] = []
CANCELLED: list[str] = []


def name_here(*parts: str) -> str:
    return "".join((current_system.get().me.name, *parts))  # type: ignore[union-attr]  # it is set in a call


async def name_soon(delay_s: float) -> str:
    await asyncio.sleep(delay_s)
    return name_here()


async def wait_for_ever() -> None:
    WAITING.append(name_here())
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        CANCELLED.append(name_here())
        raise


def hold(number: int) -> int:
    BEGUN.append(number)
    RELEASE.wait(30)
    return number


def fail(text: str) -> None:
    raise KeyError(text)


@pa.actor
class Counter:
    def __init__(self) -> None:
        self.count = 0

    async def add(self, amount: int = 1) -> int:
        self.count += amount
        return self.count

    async def mine(self) -> str:
        return str(pa.current_actor())


@pytest.mark.parametrize("routing", ["direct", "relay"])
async def test_a_function_runs_on_the_node_that_is_named(routing: str) -> None:
    async with nodes("a", "b", "c", routing=routing, overlay="hyparview", **FAST) as cluster:
        with cluster.at("a"):
            identity = cluster["c"].node.me

            assert await pa.rpc("b", name_here, "1") == "b1"
            assert await pa.rpc(identity, name_here) == await pa.rpc(str(identity), name_soon, 0.01) == "c"
            assert await pa.rpc("a", name_here) == "a"
            refs = [pa.rpc("abc"[number % 3], name_soon, (number % 7) / 100) for number in range(100)]
            assert [await ref for ref in refs] == ["abc"[number % 3] for number in range(100)]
            large = "x" * 3_000_000
            assert await pa.rpc("b", name_here, large) == "b" + large


async def test_what_goes_wrong_says_so() -> None:
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            with pytest.raises(KeyError, match="no") as caught:
                await pa.rpc("b", fail, "no")
            assert isinstance(caught.value, pa.TaskFailed) and "fail on node b" in str(caught.value)
            with pytest.raises(pa.NodeDown, match="no node of that name"):
                await pa.rpc("z", name_here)
            with pytest.raises(pa.NodeDown, match="that life of it is over"):
                await pa.rpc("b~1", name_here)
            with pytest.raises(TypeError, match="takes a function"):
                pa.rpc("b", 7)  # type: ignore[arg-type]  # on purpose
            with pytest.raises(pa.ConfigError, match="node"):
                pa.rpc("", name_here)
            with pytest.raises(pa.ConfigError, match="timeout"):
                pa.rpc("b", name_here, timeout=0)
            with pytest.raises(pa.SerializationError):
                pa.rpc("b", name_here, threading.Lock())
            with pytest.raises(RuntimeError, match="multicall_async"):
                pa.multicall(["b"], name_here)
            waiting = pa.rpc("b", wait_for_ever)
            await until(lambda: cluster["b"].calls._served)
            await cluster.crash("b")
            with pytest.raises((pa.NodeDown, pa.ActorUnavailable)):
                await waiting


async def test_a_call_that_takes_too_long_is_cancelled_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_calls, "THREADS_MAX", 1)
    monkeypatch.setattr(node_calls, "QUEUE_MAX", 1)
    RELEASE.clear()
    BEGUN.clear()
    WAITING.clear()
    CANCELLED.clear()
    async with nodes("a", "b", **FAST) as cluster:
        with cluster.at("a"):
            with pytest.raises(pa.CallTimeout, match="wait_for_ever on node b"):
                await pa.rpc("b", wait_for_ever, timeout=0.05)
            await until(lambda: not cluster["b"].calls._served and CANCELLED == WAITING)  # if it began at all

            running = pa.rpc("b", hold, 1)
            await until(lambda: BEGUN == [1])
            queued, refused = pa.rpc("b", hold, 2, timeout=0.2), pa.rpc("b", hold, 3)
            with pytest.raises(pa.MailboxFull):
                await refused
            with pytest.raises(pa.CallTimeout):
                await queued
            await until(lambda: all(job.is_given_up for job in cluster["b"].calls._queue))
            RELEASE.set()
            assert await running == 1
            assert await pa.rpc("b", hold, 4) == 4
            assert BEGUN == [1, 4]
            await until(lambda: not cluster["b"].calls._served)


async def test_a_multicall_answers_for_every_node() -> None:
    async with nodes("a", "b", "c", **FAST) as cluster:
        with cluster.at("a"):
            results = await pa.multicall_async(["b", "z", "c"], name_here)
            assert [(each.node, each.value) for each in results] == [("b", "b"), ("z", None), ("c", "c")]
            assert isinstance(results[1].error, pa.NodeDown) and results[0].error is None
            everywhere = await pa.multicall_async(None, name_soon, 0.0, timeout=60)
            assert sorted(each.value for each in everywhere) == ["a", "b", "c"]
            slow = await pa.multicall_async(["b", "c"], wait_for_ever, timeout=0.05)
            assert all(isinstance(each.error, pa.CallTimeout) for each in slow)
            with pytest.raises(TypeError):
                await pa.multicall_async("abc", name_here)

            blocking: list[pa.NodeResult] = await asyncio.to_thread(pa.multicall, ["c", "a"], name_here)
            assert [each.value for each in blocking] == ["c", "a"]


async def test_a_handle_is_made_of_its_text_on_any_node() -> None:
    async with nodes("a", "b", "c", **FAST) as cluster:
        with cluster.at("a"):
            counter = Counter.options(name="a & b?", placement=pa.NodeAffinity("b")).remote()
            early = str(counter)
            assert await counter.add.remote() == 1
            text = str(counter)
            assert "at=b~" in text and await counter.mine.remote() == text
            ref = pa.monitor(counter)
            assert pa.parse_ref(str(ref)) == ref
        with cluster.at("c"):
            for number, each in enumerate((early, text, str(counter._location.actor))):
                handle: Any = pa.parse_ref(each)
                assert handle == counter
                assert await handle.add.remote(2) == 3 + 2 * number
            with pytest.raises(AttributeError, match="no remote method"):
                await handle.subtract.remote()
            stranger: Any = pa.parse_ref("actor:b~1/1?at=b~1")
            with pytest.raises(pa.PartisanError):
                await stranger.add.options(timeout=1).remote()
            assert pa.parse_ref(str(cluster["b"].node.me)) == cluster["b"].node.me
            with pytest.raises(ValueError, match="text of an actor"):
                pa.parse_ref("counter")
