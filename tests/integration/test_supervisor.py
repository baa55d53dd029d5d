"""Supervisors over whole nodes in memory: who is started, ended and made again, in which order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.util import Child, Supervisor
from tests.integration.nodes import Nodes, nodes

WITHIN_S = 60.0
OFTEN = {"intensity": 100, "period_s": 60.0}


@pa.actor(num_cpus=0)
class Book:
    """What children write down, in order."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    async def write(self, entry: str) -> None:
        self.entries.append(entry)

    async def read(self) -> list[str]:
        return self.entries


@pa.actor(num_cpus=0)
class Worker:
    """Writes down when it begins and ends."""

    def __init__(self, name: str, book: Any, stubborn: bool = False, fails: str = "") -> None:
        self.name, self.book, self.stubborn, self.fails = name, book, stubborn, fails

    async def on_start(self) -> None:
        await self.book.write.remote(f"+{self.name}")

    async def on_stop(self) -> None:
        while self.stubborn:
            await asyncio.sleep(1000.0)
        await self.book.write.remote(f"-{self.name}")

    async def ping(self) -> str:
        if self.fails and any(entry == self.fails for entry in await self.book.read.remote()):
            raise ValueError("not ready")
        return self.name

    async def end(self, reason: str) -> None:
        pa.exit_actor(reason)


@pa.actor(num_cpus=0, trap_exit=True)
class Deaf:
    """Goes on when it is told to end, and writes that down."""

    def __init__(self, book: Any) -> None:
        self.book = book

    async def on_exit(self, signal: Any) -> None:
        await self.book.write.remote("goes on")


@asynccontextmanager
async def two() -> AsyncIterator[Nodes]:
    """Nodes a and b; code in the block belongs to a."""
    async with nodes("a", "b", dial_timeout_s=0.2) as cluster:
        with cluster.at("a"):
            yield cluster


def child(name: str, book: Any, node: str = "b", **options: Any) -> Child:
    made = {key: options.pop(key) for key in ("stubborn", "fails") if key in options}
    kind = Worker.options(placement=pa.NodeAffinity(node), stop_timeout=1000.0)
    return Child(name, kind, (name, book), made, ready="ping", **options)


async def supervised(book: Any, names: str = "abc", children: Any = None, **options: Any) -> Any:
    made = Supervisor.options(placement=pa.NodeAffinity("a")).remote(
        children or [child(name, book) for name in names], **options
    )
    await made.count_children.remote()
    return made


async def written(book: Any, *expected: str) -> None:
    """Return once exactly that was written, in that order."""
    deadline = asyncio.get_running_loop().time() + WITHIN_S
    while (entries := await book.read.remote()) != list(expected):
        assert entries == list(expected)[: len(entries)] and asyncio.get_running_loop().time() < deadline, entries
        await asyncio.sleep(0.005)


async def end(supervisor: Any, name: str, reason: str) -> None:
    handle = await handle_of(supervisor, name)
    with pytest.raises(pa.ActorStopped):
        await handle.end.remote(reason)


async def handle_of(supervisor: Any, name: str) -> Any:
    """The handle of a child, once it has been made again."""
    async with asyncio.timeout(WITHIN_S):
        while (handle := await supervisor.child.remote(name)) is None:
            await asyncio.sleep(0.005)
    return handle


async def down_of(supervisor: Any) -> str:
    async with asyncio.timeout(WITHIN_S):
        return (await pa.monitor(supervisor)).reason


STARTED = ["+a", "+b", "+c"]


async def test_children_start_in_order_and_end_in_reverse() -> None:
    async with two():
        book = Book.remote()
        supervisor = await supervised(book)
        assert [id for id, _ in await supervisor.which_children.remote()] == ["a", "b", "c"]

        pa.exit(supervisor, "shutdown")

        assert await down_of(supervisor) == "shutdown"
        await written(book, *STARTED, "-c", "-b", "-a")


@pytest.mark.parametrize(
    ("strategy", "follows"),
    [
        ("one_for_one", ["-b", "+b"]),
        ("one_for_all", ["-b", "-c", "-a", "+a", "+b", "+c"]),
        ("rest_for_one", ["-b", "-c", "+b", "+c"]),
    ],
)
async def test_the_strategy_says_who_is_made_again_with_a_child_that_failed(strategy: str, follows: list[str]) -> None:
    async with two():
        book = Book.remote()
        supervisor = await supervised(book, strategy=strategy, **OFTEN)

        await end(supervisor, "b", "boom")

        await written(book, *STARTED, *follows)
        assert [await (await handle_of(supervisor, name)).ping.remote() for name in "abc"] == ["a", "b", "c"]


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("reason", ["normal", "shutdown", "boom", "killed"])
async def test_the_kind_of_child_says_after_which_ends_it_is_made_again(restart: str, reason: str) -> None:
    async with two():
        book = Book.remote()
        children = [child("x", book, restart=restart), child("y", book)]
        supervisor = await supervised(book, children=children, **OFTEN)
        former = await supervisor.child.remote("x")

        is_again = restart == "permanent" or (restart == "transient" and reason in ("boom", "killed"))

        if reason == "killed":
            pa.kill(former)
        else:
            await end(supervisor, "x", reason)
        await written(book, "+x", "+y", "-x", *(["+x"] if is_again else []))
        await end(supervisor, "y", "boom")  # what comes of that comes after what came of the former
        await written(book, "+x", "+y", "-x", *(["+x"] if is_again else []), "-y", "+y")
        assert await (await handle_of(supervisor, "y")).ping.remote() == "y"

        names = [(id, handle is not None) for id, handle in await supervisor.which_children.remote()]
        if restart == "temporary":
            assert names == [("y", True)]
        else:
            assert names == [("x", is_again), ("y", True)]


async def test_too_many_restarts_end_all_children_and_the_supervisor_and_the_one_above_makes_it_again() -> None:
    async with two():
        book = Book.remote()
        inner = Child(
            "below",
            Supervisor.options(placement=pa.NodeAffinity("a")),
            ([child("a", book), child("b", book)],),
            {"intensity": 1, "period_s": 60.0},
            shutdown=None,
            ready="count_children",
        )
        top = await supervised(book, children=[inner], **OFTEN)
        first = await top.child.remote("below")

        await end(first, "a", "boom")
        await written(book, "+a", "+b", "-a", "+a")
        await end(first, "a", "boom")

        await written(book, "+a", "+b", "-a", "+a", "-a", "-b", "+a", "+b")
        second = await handle_of(top, "below")
        assert second != first and await second.count_children.remote() == {"specs": 2, "active": 2}
        assert await top.count_children.remote() == {"specs": 1, "active": 1}


async def test_a_child_that_does_not_end_in_time_is_killed_and_one_that_is_to_be_killed_is_at_once() -> None:
    async with two():
        book = Book.remote()
        children = [child("a", book, stubborn=True, shutdown=0.1), child("b", book, shutdown="kill")]
        supervisor = await supervised(book, children=children)

        handles = [handle for _, handle in await supervisor.which_children.remote()]
        pa.exit(supervisor, "shutdown")

        assert await down_of(supervisor) == "shutdown"
        for handle in handles:
            with pytest.raises(pa.ActorStopped):
                await handle.ping.remote()


async def test_a_child_whose_end_nobody_waits_for_any_more_is_killed_and_not_forgotten() -> None:
    async with two():
        book = Book.remote()
        supervisor = await supervised(book, children=[Child("a", Deaf, (book,), shutdown=None)])
        deaf = await supervisor.child.remote("a")

        ending = supervisor.terminate_child.remote("a")
        await written(book, "goes on")
        assert await supervisor.child.remote("a") == deaf
        pa.cancel(ending)

        assert await down_of(deaf) == "killed"
        with pytest.raises(pa.TaskCancelled):
            await ending
        assert await supervisor.count_children.remote() == {"specs": 1, "active": 0}


async def test_children_are_added_ended_made_again_and_forgotten() -> None:
    async with two():
        book = Book.remote()
        supervisor = await supervised(book, names="a")
        added = await supervisor.start_child.remote(child("b", book))
        assert await added.ping.remote() == "b"
        with pytest.raises(pa.ConfigError, match="no other child"):
            await supervisor.start_child.remote(child("b", book))
        with pytest.raises(pa.ConfigError, match="terminate it first"):
            await supervisor.delete_child.remote("b")

        await supervisor.terminate_child.remote("b")
        assert await supervisor.count_children.remote() == {"specs": 2, "active": 1}
        again = await supervisor.restart_child.remote("b")
        assert await again.ping.remote() == "b" and again != added
        await supervisor.terminate_child.remote("b")
        await supervisor.delete_child.remote("b")

        with pytest.raises(KeyError):
            await supervisor.child.remote("b")
        await written(book, "+a", "+b", "-b", "+b", "-b")


async def test_a_child_whose_start_fails_is_not_kept_and_at_the_first_start_nobody_is() -> None:
    async with two():
        book = Book.remote()
        supervisor = await supervised(book, names="a")

        with pytest.raises(ValueError, match="not ready"):
            await supervisor.start_child.remote(child("b", book, fails="+b"))

        assert await supervisor.count_children.remote() == {"specs": 1, "active": 1}
        other = Supervisor.remote([child("c", book), child("d", book, fails="+d")])
        with pytest.raises(pa.ActorStopped, match="not ready"):
            await other.count_children.remote()
        async with asyncio.timeout(WITHIN_S):
            while len(entries := await book.read.remote()) < 7:
                await asyncio.sleep(0.005)
        assert entries[:2] == ["+a", "+b"] and sorted(entries[2:]) == ["+c", "+d", "-b", "-c", "-d"]


async def test_a_child_that_cannot_be_made_again_is_tried_until_the_bound_and_ends_the_supervisor() -> None:
    async with two():
        book = Book.remote()
        children = [child("a", book), child("b", book, fails="-b")]
        supervisor = await supervised(book, children=children, intensity=3, period_s=60.0)

        await end(supervisor, "b", "boom")

        assert await down_of(supervisor) in ("shutdown", "noproc")
        entries = await book.read.remote()
        assert entries.count("+b") == 4 and entries.count("-a") == 1


async def test_children_on_a_node_that_crashes_are_made_again_elsewhere() -> None:
    async with two() as cluster:
        book = Book.options(placement=pa.NodeAffinity("a")).remote()
        kind = Worker.options(placement=pa.NodeAffinity("b", soft=True))
        supervisor = await supervised(book, children=[Child("a", kind, ("a", book), ready="ping")], **OFTEN)

        await cluster.crash("b")

        await written(book, "+a", "+a")
        assert await (await handle_of(supervisor, "a")).ping.remote() == "a"
        assert "a" in cluster.where()


async def test_what_makes_no_sense_is_refused() -> None:
    async with two():
        for wrong in ({"strategy": "all_for_one"}, {"intensity": -1}, {"period_s": 0}):
            with pytest.raises(pa.ActorStopped, match=next(iter(wrong))):
                await Supervisor.remote([], **wrong).count_children.remote()
