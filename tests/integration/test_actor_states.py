"""`list_actors` on whole nodes in memory: every state there is, and every kind of end."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.nodes import nodes, until

gate = threading.Event()
begun = threading.Event()


@pa.actor
class Plain:
    async def ping(self) -> int:
        return 1

    async def leave(self) -> None:
        pa.exit_actor("had enough")


@pa.actor
class Waits:
    def __init__(self) -> None:
        assert gate.wait(120)

    async def ping(self) -> int:
        return 1


@pa.actor
class Fails:
    def __init__(self) -> None:
        raise ValueError("no such thing")

    async def ping(self) -> int:
        return 1


async def listed(**wanted: Any) -> list[dict[str, Any]]:
    return await asyncio.to_thread(pa.list_actors, **wanted)


async def until_listed(count: int, **wanted: Any) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while len(rows := await listed(**wanted)) != count:
            await asyncio.sleep(0.01)
    return rows


async def test_states_of_actors_that_wait_begin_and_live() -> None:
    gate.clear()
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            alive = Plain.options(name="it", namespace="mine").remote()
            await alive.ping.remote()
            starting = Waits.remote()
            holder = [Plain.options(num_cpus=1).remote() for _ in "ab"]
            await asyncio.gather(*(each.ping.remote() for each in holder))
            pending = Plain.options(num_cpus=1).remote()
            await until(lambda: cluster["a"].scheduler.placing)

            assert [row["class"] for row in await until_listed(1, state="starting")] == ["Waits"]
            assert [row["class"] for row in await until_listed(1, state="pending")] == ["Plain"]
            (row,) = await listed(name="it", namespace="mine")
            assert (row["state"], row["reason"], row["held_by"]) == ("alive", "", [])
            assert {row["state"] for row in await listed(class_name="Plain")} == {"alive", "pending"}
            counted = [row for row in await listed(state="alive") if row["name"] is None]
            assert [row["held_by"] for row in counted] == [[str(cluster["a"].node.me)]] * 2

            gate.set()
            holder.clear()

            assert await starting.ping.remote() == await pending.ping.remote() == 1
            await until_listed(0, state="pending")


async def test_each_way_to_end_is_of_its_own_kind() -> None:
    async with nodes("a", "b") as cluster:
        await cluster.add("owner", hosts_actors=False)
        with cluster.at("owner"):
            owned = Plain.options(name="owned").remote()
            await owned.ping.remote()
        with cluster.at("a"):
            names = ["killed", "left", "terminated", "told"]
            actors = {name: Plain.options(name=name).remote() for name in names}
            await asyncio.gather(*(each.ping.remote() for each in actors.values()))
            with pytest.raises(ValueError, match="no such thing"):
                await Fails.options(name="failed").remote().ping.remote()
            assert await Plain.remote().ping.remote() == 1
            await asyncio.to_thread(pa.kill, actors["killed"])
            actors["left"].leave.tell()
            await pa.terminate(actors["terminated"])
            pa.exit(actors["told"], "because")
            await cluster.crash("owner")
            await until(lambda: not sum(cluster.where().values()))

            ends = {row["name"] or "dropped": (row["kind"], row["reason"]) for row in await listed(state="stopped")}

            assert ends["killed"] == ("killed", "it was killed by node a")
            assert ends["left"] == ("exited", "it exited: had enough")
            assert ends["terminated"] == ("exited", "it exited: normal")
            assert ends["told"] == ("exited", "it exited: because")
            assert ends["failed"] == ("constructor failed", "its constructor raised ValueError: no such thing")
            assert ends["dropped"] == ("out of scope", "out of scope")
            assert ends["owned"][0] == "owner gone" and "its owner, node owner, is gone" in ends["owned"][1]


async def test_who_asks_wrongly_is_told_what_is_allowed() -> None:
    async with nodes("a") as cluster:
        with cluster.at("a"):
            with pytest.raises(pa.ConfigError, match="expected one of alive, stopping, starting"):
                pa.list_actors(state="dead")
            with pytest.raises(RuntimeError, match="to_thread"):
                pa.list_actors()


@pa.actor
class Slow:
    """Of two of its actors, one is kept waiting, on the loop and on a thread."""

    async def answer(self, opened: bool) -> bool:
        begun.set()
        while not opened and not gate.is_set():
            await asyncio.sleep(0.001)
        return opened

    def work(self, opened: bool) -> bool:
        begun.set()
        return opened or gate.wait(120)


@pytest.mark.parametrize("method", ["answer", "work"])
async def test_how_long_calls_took_is_told_of_each_actor_and_not_of_its_class_alone(method: str) -> None:
    gate.clear()
    begun.clear()
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            quick, slow = (Slow.options(name=name).remote() for name in ("quick", "slow"))
            held = getattr(slow, method).remote(False)
            assert await asyncio.to_thread(begun.wait, 60)
            assert await getattr(quick, method).remote(True)
            gate.set()
            await held
            rows = {row["name"]: row for row in await listed(class_name="Slow")}

    assert rows["slow"]["slowest_s"] > rows["quick"]["slowest_s"] > 0
    assert rows["slow"]["latency_p95_s"] == rows["slow"]["wait_p95_s"] + rows["slow"]["run_p95_s"]
    assert {row["memory_bytes"] for row in rows.values()} == {None}
