"""Tests of replies: a future that any thread, loop and coroutine may wait for, each told once."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from partisan_actors.actors.replies import Reply, while_blocked
from partisan_actors.errors import CallTimeout
from partisan_actors.node.loop import LoopThread


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The loop of a node, on a thread of its own."""
    thread = LoopThread("replies")
    yield thread.loop
    thread.stop()


@pytest.fixture
def reply(loop: asyncio.AbstractEventLoop) -> Reply[Any]:
    return Reply(loop)


def resolve(reply: Reply[Any], value: Any = None, error: BaseException | None = None) -> None:
    """As the node's loop does."""
    if error is None:
        reply._loop.call_soon_threadsafe(reply.succeed, value)
    else:
        reply._loop.call_soon_threadsafe(reply.fail, error)


def test_a_thread_waits_for_the_value(reply: Reply[Any]) -> None:
    assert not reply.done()

    resolve(reply, 7)

    assert reply.result(timeout=30) == 7
    assert reply.done() and reply.exception() is None


def test_a_thread_gets_the_error_that_the_call_raised(reply: Reply[Any]) -> None:
    error = ValueError("no")

    resolve(reply, error=error)

    with pytest.raises(ValueError, match="no") as caught:
        reply.result(timeout=30)
    assert caught.value is error and reply.exception() is error


def test_a_thread_waits_no_longer_than_it_says(reply: Reply[Any]) -> None:
    with pytest.raises(CallTimeout) as error:
        reply.result(timeout=0.01)

    assert isinstance(error.value, TimeoutError) and error.value.timeout_s == 0.01
    resolve(reply, 1)
    assert reply.result(timeout=30) == 1


def test_a_wait_that_has_no_time_is_refused(reply: Reply[Any]) -> None:
    with pytest.raises(ValueError, match="negative"):
        reply.result(timeout=-1)


def test_the_first_outcome_stands(reply: Reply[Any]) -> None:
    reply.succeed(1)
    reply.succeed(2)
    reply.fail(ValueError())

    assert reply.result() == 1


async def test_the_loop_that_resolves_it_awaits_it() -> None:
    reply: Reply[int] = Reply(asyncio.get_running_loop())
    asyncio.get_running_loop().call_soon(reply.succeed, 5)

    assert await reply == 5
    assert await reply == 5


async def test_several_coroutines_see_the_same_outcome() -> None:
    reply: Reply[int] = Reply(asyncio.get_running_loop())
    error = KeyError("k")
    asyncio.get_running_loop().call_later(0.001, reply.fail, error)

    async def wait() -> BaseException | None:
        try:
            await reply
        except KeyError as caught:
            return caught
        return None

    assert await asyncio.gather(*[wait() for _ in range(5)]) == [error] * 5


async def test_another_loop_awaits_it_too(loop: asyncio.AbstractEventLoop) -> None:
    reply: Reply[int] = Reply(loop)
    loop.call_soon_threadsafe(reply.succeed, 9)

    async with asyncio.timeout(30):
        assert await reply == 9


async def test_its_own_loop_cannot_block_for_it() -> None:
    reply: Reply[int] = Reply(asyncio.get_running_loop())

    with pytest.raises(RuntimeError, match="await"):
        reply.result(timeout=1)
    reply.succeed(3)
    assert reply.result() == 3


async def test_who_stops_awaiting_does_not_disturb_the_others(loop: asyncio.AbstractEventLoop) -> None:
    for reply in (Reply[int](asyncio.get_running_loop()), Reply[int](loop)):

        async def wait(reply: Reply[int] = reply) -> int:
            return await reply

        impatient, patient = asyncio.create_task(wait()), asyncio.create_task(wait())
        await asyncio.sleep(0)
        impatient.cancel()
        resolve(reply, 1)

        async with asyncio.timeout(30):
            assert await patient == 1
        assert impatient.cancelled() or not impatient.done()


def test_a_call_back_is_called_at_once_when_it_is_done_and_later_when_it_is_not(reply: Reply[Any]) -> None:
    called: list[Any] = []
    was_called = threading.Event()
    reply.add_done_callback(lambda done: (called.append(done), was_called.set()))
    assert not called

    resolve(reply, 1)
    assert was_called.wait(30)
    reply.add_done_callback(called.append)

    assert called == [reply, reply]


async def test_asyncio_s_wait_takes_replies_of_another_loop(loop: asyncio.AbstractEventLoop) -> None:
    early, late, failed = (Reply[int](loop) for _ in range(3))
    waiting = asyncio.ensure_future(asyncio.wait([early, late], timeout=60, return_when=asyncio.FIRST_COMPLETED))
    await asyncio.sleep(0)  # it waits now
    resolve(early, 1)

    done, pending = await waiting
    resolve(late, 2)
    resolve(failed, error=ValueError("no"))
    all_of_them, none = await asyncio.wait([early, late, failed], timeout=60)

    assert (done, pending) == ({early}, {late})
    assert all_of_them == {early, late, failed} and not none
    assert [reply.cancelled() for reply in all_of_them] == [False] * 3
    assert isinstance(failed.exception(), ValueError)


async def test_a_call_back_is_called_on_the_loop_that_asked(reply: Reply[Any]) -> None:
    called_on: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    reply.add_done_callback(lambda done: called_on.set_result(asyncio.get_running_loop()))

    resolve(reply, 1)

    async with asyncio.timeout(60):
        assert await called_on is asyncio.get_running_loop()


def test_call_backs_that_are_removed_are_not_called_and_are_counted(reply: Reply[Any]) -> None:
    called: list[Any] = []
    kept: list[Any] = []
    reply.add_done_callback(called.append)
    reply.add_done_callback(kept.append)
    reply.add_done_callback(called.append)

    assert reply.remove_done_callback(called.append) == 2
    assert reply.remove_done_callback(called.append) == 0
    reply.succeed(1)

    assert (called, kept) == ([], [reply])
    assert reply.remove_done_callback(kept.append) == 0


def test_a_call_back_of_a_loop_that_is_closed_is_passed_over(reply: Reply[Any]) -> None:
    called: list[Any] = []

    async def ask() -> None:
        reply.add_done_callback(called.append)

    asyncio.run(ask())
    reply.succeed(1)

    assert called == [] and reply.done()


def test_a_waiter_that_was_taken_back_is_not_called(reply: Reply[Any]) -> None:
    called: list[int] = []
    waiter = lambda: called.append(1)  # noqa: E731 - it has to be the same object twice
    reply.add_waiter(waiter)

    reply.remove_waiter(waiter)
    reply.remove_waiter(waiter)
    reply.succeed(1)

    assert called == []


def test_it_becomes_a_concurrent_future_with_the_same_outcome(loop: asyncio.AbstractEventLoop) -> None:
    fine: Reply[int] = Reply(loop)
    bad: Reply[int] = Reply(loop)
    futures = [fine.future(), bad.future()]
    resolve(fine, 1)
    resolve(bad, error=ValueError("no"))

    done, not_done = concurrent.futures.wait(futures, timeout=30)

    assert not not_done and len(done) == 2
    assert futures[0].result() == 1
    assert isinstance(futures[1].exception(), ValueError)


def test_what_lends_something_while_it_waits_is_told_of_every_wait_that_blocks(reply: Reply[Any]) -> None:
    told: list[str] = []

    @contextmanager
    def lending() -> Iterator[None]:
        told.append("waits")
        resolve(reply, 1)
        yield
        told.append("goes on")

    token = while_blocked.set(lending)
    try:
        reply.result(timeout=30)
        reply.result(timeout=30)
    finally:
        while_blocked.reset(token)

    assert told == ["waits", "goes on"]


@pytest.mark.parametrize("seed", range(5))
def test_nobody_is_forgotten_and_nobody_told_twice_when_threads_wait_while_it_is_resolved(
    seed: int, loop: asyncio.AbstractEventLoop
) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        reply: Reply[int] = Reply(loop)
        told: list[int] = []
        start = threading.Barrier(5)

        def wait(item: int, reply: Reply[int] = reply, told: list[int] = told, start: Any = start) -> None:
            start.wait(30)
            if item % 2:
                reply.add_waiter(lambda: told.append(item))
                reply.result(timeout=30)
            else:
                reply.result(timeout=30)
                told.append(item)

        threads = [threading.Thread(target=wait, args=(item,)) for item in range(4)]
        for thread in threads:
            thread.start()
        start.wait(30)
        if rng.random() < 0.5:
            resolve(reply, 1)
        else:
            reply.succeed(1)
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        done = threading.Event()
        loop.call_soon_threadsafe(done.set)
        assert done.wait(30)

        assert sorted(told) == [0, 1, 2, 3]


def test_a_loop_that_was_closed_costs_nobody_else_their_outcome(loop: asyncio.AbstractEventLoop) -> None:
    reply: Reply[int] = Reply(loop)

    async def wait() -> int:
        return await reply

    other = asyncio.new_event_loop()
    task = other.create_task(wait())
    other.run_until_complete(asyncio.sleep(0))
    task.cancel()
    other.run_until_complete(asyncio.gather(task, return_exceptions=True))
    other.close()
    reply.succeed(2)

    assert reply.result(timeout=30) == 2


def test_a_reply_that_nobody_keeps_is_freed(loop: asyncio.AbstractEventLoop) -> None:
    class Value:
        pass

    reply: Reply[Value] = Reply(loop)
    reply.succeed(Value())

    del reply

    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Value)]


def heard() -> tuple[list[Any], tuple[Any, ...]]:
    """What will be told of a call, and the trace that tells it."""
    told: list[Any] = []
    return told, (lambda reply, trace: told.append((reply, trace[1])), "what it has to know")


@pytest.mark.parametrize("error", [None, ValueError("no")])
def test_a_trace_is_told_once_whoever_waits_beside_it(
    loop: asyncio.AbstractEventLoop, error: BaseException | None
) -> None:
    async def outcomes(reply: Reply[Any]) -> None:
        waiting = [asyncio.ensure_future(reply.settled()), asyncio.ensure_future(reply.settled())]
        await asyncio.sleep(0)
        reply.add_waiter(lambda: order.append("call-back"))
        reply.succeed(7) if error is None else reply.fail(error)
        await asyncio.wait(waiting, timeout=30)

    async def on_the_loop(with_waiters: bool) -> Reply[Any]:
        reply: Reply[Any] = Reply(asyncio.get_running_loop())
        reply.note(trace)
        if with_waiters:
            await outcomes(reply)
        else:
            reply.succeed(7) if error is None else reply.fail(error)
        return reply

    order: list[str] = []
    told, trace = heard()
    replies = [
        asyncio.run_coroutine_threadsafe(on_the_loop(with_waiters), loop).result(30) for with_waiters in (False, True)
    ]

    assert told == [(reply, "what it has to know") for reply in replies] and order == ["call-back"]
    assert all(reply.failure is error for reply in replies)


def test_a_trace_is_told_beside_who_waits_already(loop: asyncio.AbstractEventLoop) -> None:
    reply: Reply[int] = Reply(loop)
    told, trace = heard()
    waited: list[str] = []
    reply.add_waiter(lambda: waited.append("first"))

    reply.note(trace)
    reply.succeed(1)

    assert len(told) == 1 and waited == ["first"]


def test_threads_that_begin_to_wait_meanwhile_neither_miss_a_reply_nor_have_its_trace_told_twice(
    loop: asyncio.AbstractEventLoop,
) -> None:
    for _ in range(300):
        reply: Reply[int] = Reply(loop)
        told, trace = heard()
        reply.note(trace)
        begin = threading.Barrier(3)

        def wait(reply: Reply[int] = reply, begin: threading.Barrier = begin) -> int:
            begin.wait(30)
            return reply.result(timeout=30)

        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            found = [threads.submit(wait) for _ in range(2)]
            begin.wait(30)
            loop.call_soon_threadsafe(reply.succeed, 5)
            assert [each.result(60) for each in found] == [5, 5]

        assert len(told) == 1
