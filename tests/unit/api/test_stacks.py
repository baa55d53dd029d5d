"""Tests of what a node tells of what it runs: whose each stack is, at which line it stands, and what it waits for."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from partisan_actors.actors.actor import Definition
from partisan_actors.actors.options import CellOptions
from partisan_actors.actors.replies import Reply
from partisan_actors.api import stacks
from partisan_actors.api.frames import await_chain, described
from partisan_actors.api.runtime import Runtime
from partisan_actors.errors import ActorNotFound, ConfigError
from partisan_actors.ids import ActorId
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import until
from tests.unit.api.runtimes import runtimes

TIMEOUT_S = 60


class Worker:
    """Waits on the loop, and on a thread."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.thread_gate = threading.Event()
        self.has_begun = threading.Event()

    async def waits(self) -> None:
        await self.inner()

    async def inner(self) -> None:
        await self.gate.wait()

    def blocks(self) -> None:
        self.has_begun.set()
        self.thread_gate.wait(TIMEOUT_S)


def make(runtime: Runtime) -> Any:
    actor = ActorId(runtime.node.me, 1)
    return runtime.system.start_cell(actor, Definition.of(Worker), CellOptions(), (), {})


def ask(runtime: Runtime, cell: Any, method: str) -> Reply[Any]:
    system = runtime.system
    reply: Reply[Any] = Reply(system.loop)
    system.ask(system.location(cell.actor, "Worker", None, False, cell.actor.node), method, (), {}, reply)
    return reply


def texts(row: dict[str, Any]) -> list[str]:
    return [frame["text"] for frame in row["frames"]]


async def test_a_coroutine_that_waits_is_told_with_the_lines_it_stands_at() -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        cell = make(a)
        answer = ask(a, cell, "waits")
        await until(lambda: cell.stepper.active)

        told = await a.stacks.node(None)
        one = await a.stacks.actor(None, str(cell.actor))
        cell.instance.gate.set()
        await until(answer.done)

    row = told["coroutines"][0]
    assert (row["runs"], row["actor"], row["asked_by"]) == ("Worker.waits", str(cell.actor), "a")
    assert texts(row)[:2] == ["await self.inner()", "await self.gate.wait()"]
    assert row["frames"][0]["function"] == "Worker.waits" and row["frames"][0]["file"] == __file__
    assert [row["runs"] for row in one["coroutines"]] == ["Worker.waits"] and one["threads"] == []


async def test_a_blocking_method_is_told_with_its_thread_and_what_waits_behind_it() -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        cell = make(a)
        answers = [ask(a, cell, method) for method in ("blocks", "blocks", "waits")]
        await until(lambda: cell.instance is not None and cell.instance.has_begun.is_set())

        told = await a.stacks.actor(None, str(cell.actor))
        everything = await a.stacks.node(None)
        cell.instance.thread_gate.set()
        cell.instance.gate.set()
        await until(lambda: all(answer.done() for answer in answers))

    (row,) = told["threads"]
    assert row["runs"] == "Worker.blocks" and not row["is_loop"]
    assert "self.thread_gate.wait(TIMEOUT_S)" in texts(row)
    assert sorted(told["waiting_methods"]) == ["blocks", "waits"] and told["waiting"] == 2
    assert everything["threads"][0]["runs"] == "Worker.blocks"
    assert [thread["is_loop"] for thread in everything["threads"]].count(True) == 1


async def test_an_actor_that_is_not_here_is_not_found_and_nonsense_is_refused() -> None:
    async with runtimes(MemoryNetwork(), "a") as (a,):
        with pytest.raises(ActorNotFound):
            await a.stacks.actor(None, "actor:a~1/99")
        with pytest.raises(ConfigError):
            await a.stacks.actor(None, "nonsense")


async def test_one_answer_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "ROWS_MAX", 1)
    async with runtimes(MemoryNetwork(), "a", "b") as (a, _):
        cell = make(a)
        answer = ask(a, cell, "waits")
        await until(lambda: cell.stepper.active)

        told = await a.stacks.node(None)
        cell.instance.gate.set()
        await until(answer.done)

    assert len(told["coroutines"]) == len(told["threads"]) == 1 and told["left_out"] > 0
    assert told["coroutines"][0]["runs"] == "Worker.waits", "what is the node's own is left out first"


async def test_of_those_that_wait_only_who_is_told_of_is_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []
    look = stacks.Stacks._waits_of

    def spy(self: stacks.Stacks, job: Any, places: dict[int, str]) -> list[str]:
        looked_at.append(job)
        return look(self, job, places)

    monkeypatch.setattr(stacks, "ROWS_MAX", 3)
    monkeypatch.setattr(stacks.Stacks, "_waits_of", spy)
    async with runtimes(MemoryNetwork(), "a", "b") as (a, _):
        waiting = [asyncio.ensure_future(asyncio.sleep(TIMEOUT_S)) for _ in range(20)]
        await asyncio.sleep(0)
        told = await a.stacks.node(None)
        for each in waiting:
            each.cancel()

    assert len(looked_at) == len(told["coroutines"]) == 3 and told["left_out"] >= 17


async def test_a_chain_of_generators_and_coroutines_is_followed_to_its_end() -> None:
    class Awaitable:
        def __await__(self) -> Any:
            yield from inner()

    def inner() -> Any:
        yield from gate.wait().__await__()

    async def outer() -> None:
        await Awaitable()

    gate = asyncio.Event()
    job = asyncio.ensure_future(outer())
    for _ in range(5):
        await asyncio.sleep(0)

    found = described(await_chain(job.get_coro()))
    gate.set()
    await job

    names = [frame["function"].rpartition(".")[2] for frame in found]
    assert names == ["outer", "__await__", "inner"]
