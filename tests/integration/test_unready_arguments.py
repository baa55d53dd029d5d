"""Calls whose arguments are not ready: whom they hold up, and whom not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.nodes import Nodes, nodes, until

SOON_S = 60.0


@pa.actor
class Source:
    async def value(self, folder: str, value: Any = "ready") -> Any:
        while not Path(folder, "go").exists():
            await asyncio.sleep(0.005)
        if isinstance(value, Exception):
            raise value
        return value


class Log:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def note(self, value: Any) -> list[Any]:
        self.seen.append(value)
        return list(self.seen)

    def read(self) -> list[Any]:
        return list(self.seen)

    async def note_soon(self, value: Any) -> list[Any]:
        return self.note(value)


Store = pa.actor(Log)


@pa.actor(max_concurrency=2)
class Threaded:
    def note(self, value: Any) -> Any:
        return value


@pa.actor
class Caller:
    """Another caller of a store, be it on the same node."""

    def __init__(self, store: Any) -> None:
        self.store = store

    async def note(self, value: Any) -> Any:
        return await self.store.note.remote(value[0])

    async def note_nested(self, value: Any) -> Any:
        return await self.store.note.remote(value)


@pa.task(num_cpus=0)
def echo(value: Any) -> Any:
    return value


@asynccontextmanager
async def three() -> AsyncIterator[Nodes]:
    """Nodes a, b and c; code in the block belongs to a."""
    async with nodes("a", "b", "c", resources={"num_cpus": 8.0}) as cluster:
        with cluster.at("a"):
            yield cluster


def on(name: str, actor: Any, *args: Any, **options: Any) -> Any:
    return actor.options(placement=pa.NodeAffinity(name), **options).remote(*args)


async def soon(ref: Any) -> Any:
    return await asyncio.wait_for(ref, SOON_S)


async def test_others_go_on_while_one_caller_waits_for_an_argument_and_its_own_calls_keep_their_order(
    tmp_path: Path,
) -> None:
    async with three() as cluster:
        source, store = on("b", Source), on("c", Store)
        callers = [on("a", Caller, store), on("b", Caller, store), on("c", Caller, store)]
        mine = [store.note.remote(source.value.remote(str(tmp_path))), store.note.remote("behind"), store.read.remote()]

        for number, caller in enumerate(callers):
            assert await soon(caller.note.remote([number])) == list(range(number + 1))

        assert not any(ref.done() for ref in mine)
        assert cluster["c"].system.cell(store._location.actor).mailbox_size == 0
        (tmp_path / "go").touch()
        assert await soon(mine[2]) == [0, 1, 2, "ready", "behind"]


async def test_what_was_sent_before_its_actor_had_a_place_leaves_before_what_waits_for_its_result() -> None:
    async with three():
        store = on("c", Store)
        first = store.note.remote("first")

        second = store.note.remote(first)

        assert await soon(second) == ["first", ["first"]]


async def test_small_values_travel_in_the_message_and_are_fetched_by_nobody(tmp_path: Path) -> None:
    async with three() as cluster:
        source, store = on("b", Source), on("c", Store)
        held = store.note.remote(source.value.remote(str(tmp_path)))
        told = store.note.tell(source.value.remote(str(tmp_path), 7))
        assert told is None

        (tmp_path / "go").touch()

        assert await soon(held) == ["ready"]
        ready = pa.put(8)
        assert await soon(store.note.remote(ready)) == ["ready", 7, 8]
        assert cluster["c"].objects.fetched == 0
        assert await soon(store.note.remote(pa.put([9]))) == ["ready", 7, 8, [9]]
        assert cluster["c"].objects.fetched == 1


async def test_a_ref_that_was_borrowed_is_waited_for_where_it_lives(tmp_path: Path) -> None:
    async with three():
        source, store = on("b", Source), on("c", Store)
        value = source.value.remote(str(tmp_path))
        caller = on("b", Caller, store)
        held = caller.note.remote([value])

        assert await soon(store.note.remote("other")) == ["other"]

        assert not held.done()
        (tmp_path / "go").touch()
        assert await soon(held) == ["other", "ready"]


async def test_coroutines_and_methods_with_threads_of_their_own_hold_up_nobody(tmp_path: Path) -> None:
    async with three():
        source, store, threaded = on("b", Source), on("c", Store), on("c", Threaded)
        value = source.value.remote(str(tmp_path))
        soon_noted, threaded_noted = store.note_soon.remote(value), threaded.note.remote(value)

        assert await soon(store.note.remote(1)) == [1]
        assert [await soon(threaded.note.remote(number)) for number in range(3)] == [0, 1, 2]

        assert not soon_noted.done() and not threaded_noted.done()
        (tmp_path / "go").touch()
        assert await soon(soon_noted) == [1, "ready"]
        assert await soon(threaded_noted) == "ready"


async def test_what_was_cancelled_or_came_too_late_holds_up_nothing(tmp_path: Path) -> None:
    async with three():
        source, store = on("b", Source), on("c", Store)
        value = source.value.remote(str(tmp_path))
        first = store.note.remote(value)
        late = store.note.options(timeout=0.05).remote(value)
        behind = store.note.remote(1)

        with pytest.raises(pa.CallTimeout):
            await soon(late)
        assert not behind.done()
        pa.cancel(first)

        assert await soon(behind) == [1]
        with pytest.raises(pa.TaskCancelled):
            await soon(first)
        (tmp_path / "go").touch()
        assert await soon(value) == "ready"
        assert await soon(store.read.remote()) == [1]


async def test_the_end_of_the_actor_is_told_to_those_that_wait(tmp_path: Path) -> None:
    async with three():
        source, store = on("b", Source), on("c", Store)
        value = source.value.remote(str(tmp_path))
        held = [store.note.remote(value), store.note.remote(1), store.note_soon.remote(value)]

        pa.kill(store)

        for ref in held:
            with pytest.raises(pa.ActorStopped):
                await soon(ref)
        (tmp_path / "go").touch()


async def test_an_actor_outlives_its_last_handle_by_what_waits_for_arguments(tmp_path: Path) -> None:
    async with three() as cluster:
        source, keeper = on("b", Source), on("b", Store)
        value = source.value.remote(str(tmp_path))
        called, told = on("c", Store), on("c", Caller, keeper)
        noted = called.note.remote(value)
        told.note_nested.tell(value)
        hosted = cluster["c"].system
        actors = [handle._location.actor for handle in (called, told)]
        await until(lambda: all(hosted.cell(actor) is not None for actor in actors))
        del called, told
        await soon(keeper.read.remote())

        (tmp_path / "go").touch()

        assert await soon(noted) == ["ready"]
        await until_read(keeper, "ready")


async def until_read(store: Any, value: Any) -> None:
    async with asyncio.timeout(SOON_S):
        while value not in await store.read.remote():
            await asyncio.sleep(0.005)


async def test_tells_wait_in_the_same_line(tmp_path: Path) -> None:
    async with three():
        source, store = on("b", Source), on("c", Store)
        store.note.tell(source.value.remote(str(tmp_path)))
        store.note.tell(1)
        acked = store.note.options(ack=True).tell(2)
        last = store.note.remote(3)

        assert await soon(on("a", Caller, store).note.remote([0])) == [0]

        assert not acked.done() and not last.done()
        (tmp_path / "go").touch()
        assert await soon(last) == [0, "ready", 1, 2, 3]
        await soon(acked)


async def test_an_argument_that_fails_fails_its_call_with_the_cause_named(tmp_path: Path) -> None:
    async with three():
        source, store = on("b", Source), on("c", Store)
        value = source.value.remote(str(tmp_path), ValueError("no such thing"))
        held, task = store.note.remote(value), echo.remote(value)
        (tmp_path / "go").touch()

        for ref in (held, task):
            with pytest.raises(ValueError, match="no such thing"):
                await soon(ref)


async def test_tasks_take_nothing_of_a_node_while_their_arguments_are_not_ready(tmp_path: Path) -> None:
    async with three() as cluster:
        source = on("b", Source)
        value = source.value.remote(str(tmp_path))
        waiting = [echo.remote(value) for _ in range(20)]

        assert await soon(echo.remote(1)) == 1
        assert sum(node.executor.running + node.executor.queued for node in cluster.runtimes.values()) == 0
        assert (await asyncio.to_thread(pa.why, waiting[0])).state == "waits for its arguments"
        pa.cancel(waiting[0])
        with pytest.raises(pa.TaskCancelled):
            await soon(waiting[0])

        (tmp_path / "go").touch()
        assert await asyncio.wait_for(asyncio.gather(*waiting[1:]), SOON_S) == ["ready"] * 19
