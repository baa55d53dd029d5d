"""Subscriptions: where a value is handled, in which order, until when, and what happens when something goes wrong.

Whole runtimes over memory: what is tested is what users get, without processes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.actors import subscriptions as subscriptions_module
from partisan_actors.actors.context import current_system
from partisan_actors.api.runtime import Runtime
from partisan_actors.errors import ConfigError, NotYetConnected, Overloaded, SerializationError
from partisan_actors.transport.backlog import CLOGGED_BYTES
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import until
from tests.unit.api.runtimes import runtimes


@asynccontextmanager
async def two() -> AsyncIterator[tuple[Runtime, Runtime]]:
    """Two runtimes that are neighbours; the code of the test belongs to the first."""
    async with runtimes(MemoryNetwork(), "a", "b") as (a, b):
        await until(lambda: a.node.neighbours() and b.node.neighbours(), "both have a neighbour")
        token = current_system.set(a.system)
        try:
            yield a, b
        finally:
            current_system.reset(token)


async def on_a_thread(function: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.to_thread(function, *args)


async def test_a_function_is_called_on_one_thread_of_its_own_in_order() -> None:
    async with two() as (a, b):
        heard: list[tuple[int, str]] = []
        a.topics.subscribe("news", lambda value: heard.append((value, threading.current_thread().name)))

        for number in range(50):
            b.topics.broadcast("news", number)

        await until(lambda: len(heard) == 50)
        assert [number for number, _ in heard] == list(range(50))
        assert {name for _, name in heard} == {"a-topic-news"}


async def test_a_function_that_blocks_does_not_stop_the_node_or_other_subscribers() -> None:
    async with two() as (a, b):
        may_end = threading.Event()
        heard: list[int] = []
        a.topics.subscribe("news", lambda value: may_end.wait(30))
        a.topics.subscribe("news", heard.append)

        b.topics.broadcast("news", 1)

        await until(lambda: heard == [1])
        may_end.set()


async def test_a_coroutine_is_awaited_on_the_nodes_loop_one_value_after_the_other() -> None:
    async with two() as (a, b):
        events: list[tuple[str, int]] = []

        async def hear(value: int) -> None:
            assert asyncio.get_running_loop() is a.node.loop
            events.append(("begin", value))
            await asyncio.sleep(0)
            events.append(("end", value))

        a.topics.subscribe("news", hear)
        for number in range(3):
            b.topics.broadcast("news", number)

        await until(lambda: len(events) == 6)
        assert events == [(what, number) for number in range(3) for what in ("begin", "end")]


async def test_every_subscriber_has_a_copy_of_its_own() -> None:
    async with two() as (a, _):
        value = {"list": [1]}
        heard: list[Any] = []
        a.topics.subscribe("news", heard.append)
        a.topics.subscribe("news", heard.append)

        a.topics.broadcast("news", value)

        await until(lambda: len(heard) == 2)
        assert heard == [value, value]
        assert len({id(each["list"]) for each in [value, *heard]}) == 3


async def test_the_sender_can_leave_its_own_node_out() -> None:
    async with two() as (a, b):
        mine: list[int] = []
        theirs: list[int] = []
        a.topics.subscribe("news", mine.append)
        b.topics.subscribe("news", theirs.append)

        a.topics.broadcast("news", 1, to_self=False)
        a.topics.broadcast("news", 2)

        await until(lambda: mine == [2] and theirs == [1, 2])


async def test_who_raises_hears_the_next_value_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    async with two() as (a, b):
        heard: list[int] = []

        def hear(value: int) -> None:
            if value == 1:
                raise RuntimeError("I do not like ones")
            heard.append(value)

        async def hear_too(value: int) -> None:
            hear(value)

        ours = [a.topics.subscribe("news", hear), a.topics.subscribe("news", hear_too)]
        for number in (1, 2):
            b.topics.broadcast("news", number)

        await until(lambda: heard == [2, 2])
        assert [subscription.failed for subscription in ours] == [1, 1]
        assert "I do not like ones" in caplog.text and "to 'news'" in caplog.text


class CannotComeBack:
    """Pickles, and raises where it is unpickled."""

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> None:
    raise ValueError("not here")


async def test_a_value_that_cannot_be_unpickled_is_the_subscribers_failure(caplog: pytest.LogCaptureFixture) -> None:
    async with two() as (a, b):
        heard: list[Any] = []
        subscription = a.topics.subscribe("news", heard.append)

        b.topics.broadcast("news", CannotComeBack())
        b.topics.broadcast("news", "next")

        await until(lambda: heard == ["next"])
        assert subscription.failed == 1
        assert "not here" in caplog.text


async def test_a_cancelled_subscription_hears_nothing_not_even_what_waits() -> None:
    async with two() as (a, b):
        may_end = threading.Event()
        heard: list[int] = []

        def hear(value: int) -> None:
            heard.append(value)
            may_end.wait(30)

        with a.topics.subscribe("news", hear) as subscription:
            others: list[int] = []
            a.topics.subscribe("news", others.append)
            for number in range(3):
                b.topics.broadcast("news", number)
            await until(lambda: heard == [0] and others == [0, 1, 2])

        subscription.cancel()
        may_end.set()
        b.topics.broadcast("news", 3)

        await until(lambda: others == [0, 1, 2, 3])
        assert heard == [0]
        assert "cancelled" in repr(subscription)


async def test_beyond_the_backlog_values_are_dropped_counted_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(subscriptions_module, "BACKLOG_MAX", 2)
    async with two() as (a, b):
        may_end = threading.Event()
        begun: list[int] = []
        heard: list[int] = []

        def hear(value: int) -> None:
            begun.append(value)
            may_end.wait(30)

        slow = a.topics.subscribe("news", hear)
        a.topics.subscribe("news", heard.append)
        b.topics.broadcast("news", 0)
        await until(lambda: begun == [0])
        for number in range(1, 6):
            b.topics.broadcast("news", number)
            await until(lambda number=number: heard[-1:] == [number])  # type: ignore[misc]  # the number of this turn
        may_end.set()

        await until(lambda: begun == [0, 1, 2])
        assert slow.dropped == 3
        assert "values dropped" in caplog.text


async def test_the_same_holds_for_a_coroutine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions_module, "BACKLOG_MAX", 2)
    async with two() as (a, b):
        may_end = asyncio.Event()
        begun: list[int] = []

        async def hear(value: int) -> None:
            begun.append(value)
            await may_end.wait()

        slow = a.topics.subscribe("news", hear)
        b.topics.broadcast("news", 0)
        await until(lambda: begun == [0])
        for number in range(1, 6):
            b.topics.broadcast("news", number)

        await until(lambda: slow.dropped == 3)
        may_end.set()
        await until(lambda: begun == [0, 1, 2])


async def test_what_cannot_be_sent_or_is_too_large_says_so() -> None:
    async with two() as (a, _):
        with pytest.raises(SerializationError, match=r"broadcast under 'news'.*value\['a'\]"):
            a.topics.broadcast("news", {"a": threading.Lock()})
        with pytest.raises(ConfigError, match=r"at most 1048576 bytes: put"):
            a.topics.broadcast("news", bytes(2**20))


async def test_bad_topics_channels_and_callbacks_say_what_is_allowed() -> None:
    async with two() as (a, _):
        with pytest.raises(ConfigError, match="topic"):
            a.topics.broadcast("", 1)
        with pytest.raises(ConfigError, match="topic"):
            a.topics.subscribe(7, print)  # type: ignore[arg-type]  # the point of the test
        with pytest.raises(ConfigError, match="one of control"):
            a.topics.broadcast("news", 1, channel="none")
        with pytest.raises(ConfigError, match="callback"):
            a.topics.subscribe("news", "print")  # type: ignore[arg-type]  # the point of the test


async def test_a_thread_may_broadcast_more_than_the_loop_takes_at_once() -> None:
    async with two() as (a, b):
        heard: list[int] = []
        b.topics.subscribe("news", heard.append)
        count = 2 * subscriptions_module.POSTED_MAX

        await on_a_thread(lambda: [a.topics.broadcast("news", number) for number in range(count)])

        await until(lambda: len(heard) == count)
        assert heard == list(range(count))
        assert a.topics._posted == a.topics._posted_bytes == 0


async def test_while_a_neighbour_reads_too_slowly_coroutines_are_refused_and_threads_wait() -> None:
    async with two() as (a, b):
        heard: list[int] = []
        b.topics.subscribe("news", heard.append)
        a.topics.broadcast("news", 0)
        await until(lambda: heard == [0])
        lane = a.node.router.peer(b.node.me).lanes["broadcast"][0]
        assert lane is not None
        lane.pause_writing()
        lane._queued = CLOGGED_BYTES + 1

        with pytest.raises(Overloaded):
            a.topics.broadcast("news", 1)
        waiting = asyncio.ensure_future(on_a_thread(a.topics.broadcast, "news", 2))
        await until(lambda: lane._waiting, "the thread waits for the connection")
        with pytest.raises(Overloaded):  # on a loop of its own, which must not be held
            await on_a_thread(asyncio.run, broadcast_later(a, 3))
        assert not waiting.done()
        lane._queued = 0
        lane.resume_writing()
        await waiting

        await until(lambda: heard == [0, 2])
        await on_a_thread(asyncio.run, broadcast_later(a, 4))
        await until(lambda: heard == [0, 2, 4])


async def broadcast_later(runtime: Runtime, value: int) -> None:
    runtime.topics.broadcast("news", value)


async def test_after_the_end_of_the_node_there_is_neither() -> None:
    async with two() as (a, _):
        subscription = a.topics.subscribe("news", print)
    with pytest.raises(NotYetConnected):
        a.topics.broadcast("news", 1)
    with pytest.raises(NotYetConnected):
        a.topics.subscribe("news", print)
    assert subscription.is_cancelled


# Actors.


@pa.actor
class Listener:
    def __init__(self, how: str = "constructor") -> None:
        self.heard: list[Any] = []
        self.how = how
        if how == "constructor":
            pa.subscribe("news", self.hear)

    def on_start(self) -> None:
        if self.how == "on_start":
            pa.subscribe("news", self.hear_async)

    def hear(self, value: Any) -> None:
        self.heard.append((value, threading.current_thread().name))

    async def hear_async(self, value: Any) -> None:
        self.heard.append((value, threading.current_thread().name))

    def all(self) -> list[Any]:
        return self.heard

    def subscribe_to(self, name: str) -> str:
        try:
            pa.subscribe("news", getattr(self, name))
        except ConfigError as error:
            return str(error)
        return "subscribed"

    def pieces(self, value: Any) -> Iterator[Any]:
        """A generator: nobody would take what it gives."""
        yield value


async def read(handle: Any, count: int = 0) -> list[Any]:
    """What a listener has heard, once it is so much."""
    async with asyncio.timeout(30):
        while True:
            heard: list[Any] = await handle.all.remote()
            if len(heard) >= count:
                return heard
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("how", ["constructor", "on_start"])
async def test_an_actor_hears_through_its_mailbox_in_order(how: str) -> None:
    async with two() as (a, b):
        listener = Listener.remote(how)
        assert await read(listener) == []

        for number in range(20):
            b.topics.broadcast("news", number)

        heard = await read(listener, 20)
        assert [number for number, _ in heard] == list(range(20))
        assert all("-actor-" in name or how == "on_start" for _, name in heard)
        assert a.topics._live or b.topics._live


async def test_a_stopped_actor_hears_no_more() -> None:
    async with two() as (a, b):
        listener = Listener.remote()
        await read(listener)
        assert len(a.topics._live) + len(b.topics._live) == 1

        await on_a_thread(pa.kill, listener)

        await until(lambda: not a.topics._live and not b.topics._live)
        b.topics.broadcast("news", 1)
        assert a.system.dead_letters.count == b.system.dead_letters.count == 0


async def test_an_actor_can_only_subscribe_its_remote_methods() -> None:
    async with two():
        listener = Listener.remote("not yet")

        refused = await listener.subscribe_to.remote("pieces")

        assert "a remote method: all, hear, hear_async" in refused
        assert await listener.subscribe_to.remote("hear") == "subscribed"


async def test_a_method_of_a_handle_is_told_each_value() -> None:
    async with two() as (_, b):
        listener = Listener.remote("not yet")
        await read(listener)

        subscription = pa.subscribe("news", listener.hear)
        for number in range(3):
            b.topics.broadcast("news", number)

        heard = await read(listener, 3)
        assert [number for number, _ in heard] == [0, 1, 2]
        subscription.cancel()
