"""Asyncio code: a node on the caller's own loop, refs as awaitables, timeouts, groups, cancellation, clear errors."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import partisan_actors as pa
from tests.integration.programs import wait_until, workers_of

# One loop for the module, because the node lives on it.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home() -> AsyncIterator[pa.Session]:
    """This process's session, on the loop of the tests."""
    async with pa.init(workers=2) as started:
        yield started


@pa.actor
class Async:
    def __init__(self) -> None:
        self.value = 0

    async def add(self, amount: int) -> int:
        before = self.value
        await asyncio.sleep(0)
        self.value = before + amount
        return self.value

    async def quick(self) -> int:
        return self.value

    def blocking(self, amount: int) -> int:
        self.value += amount
        return self.value

    async def forever(self) -> None:
        await asyncio.Event().wait()

    async def timed_out(self) -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "timed out"
        return "not"

    async def group(self) -> list[int]:
        async with asyncio.TaskGroup() as group:
            jobs = [group.create_task(asyncio.sleep(0, number)) for number in range(3)]
        return [job.result() for job in jobs]

    async def task_is_known(self) -> bool:
        before = asyncio.current_task()
        await asyncio.sleep(0)
        return before is not None and asyncio.current_task() is before

    async def to_thread(self) -> int:
        return await asyncio.to_thread(lambda: pa.get(Async.remote().blocking.remote(4)))

    async def gather(self, others: list[Any]) -> list[int]:
        return list(await asyncio.gather(*[other.add.remote(2) for other in others]))

    async def get_on_the_loop(self, other: Any) -> str:
        try:
            pa.get(other.forever.remote())
        except RuntimeError as error:
            return str(error)
        return "waited"

    async def rendezvous(self, folder: str, mine: str, theirs: str) -> str:
        Path(folder, mine).touch()
        while not Path(folder, theirs).exists():
            await asyncio.sleep(0.005)
        return theirs


@pa.task
def double(number: int) -> int:
    return 2 * number


async def test_the_node_lives_on_the_caller_s_own_loop(home: pa.Session) -> None:
    assert home.runtime.node.loop is asyncio.get_running_loop()
    assert not [thread for thread in threading.enumerate() if thread.name == f"{home.node_name}-loop"]


async def test_refs_are_awaited_gathered_and_waited_for(home: pa.Session) -> None:
    actor = Async.remote()

    assert await actor.quick.remote() == 0
    assert await actor.blocking.remote(1) == 1
    assert await asyncio.gather(*[double.remote(number) for number in range(20)]) == [2 * n for n in range(20)]
    assert await asyncio.wait_for(actor.quick.remote(), 30) == 1
    done, pending = await asyncio.wait([asyncio.ensure_future(double.remote(4))], timeout=30)
    assert [job.result() for job in done] == [8]
    assert not pending


async def test_asyncio_s_wait_takes_refs_as_they_are(home: pa.Session) -> None:
    never = Async.remote().forever.remote()
    refs = [double.remote(number) for number in range(3)]

    first, rest = await asyncio.wait([never, *refs], timeout=60, return_when=asyncio.FIRST_COMPLETED)
    all_three, none = await asyncio.wait(refs, timeout=60)
    again, _ = await asyncio.wait(refs, return_when=asyncio.FIRST_EXCEPTION)

    assert first and never in rest and first <= set(refs)
    assert all_three == again == set(refs) and not none
    assert [await ref for ref in refs] == [0, 2, 4]


async def test_coroutines_of_one_actor_interleave(home: pa.Session, tmp_path: Path) -> None:
    actor = Async.remote()

    both = [actor.rendezvous.remote(str(tmp_path), "a", "b"), actor.rendezvous.remote(str(tmp_path), "b", "a")]

    assert await asyncio.wait_for(asyncio.gather(*both), 30) == ["b", "a"]


async def test_asyncio_s_own_tools_work_inside_methods(home: pa.Session) -> None:
    actor = Async.remote()

    assert await actor.timed_out.remote() == "timed out"
    assert await actor.group.remote() == [0, 1, 2]
    assert await actor.task_is_known.remote()
    assert await actor.to_thread.remote() == 4
    assert await actor.gather.remote([Async.remote(), Async.remote()]) == [2, 2]


async def test_blocking_on_the_node_s_own_loop_is_refused_with_advice(home: pa.Session) -> None:
    ref = Async.remote().forever.remote()

    for block in (lambda: pa.get(ref), lambda: ref.result(), lambda: pa.get([ref], timeout=1)):
        with pytest.raises(RuntimeError, match="use await"):
            block()
    with pytest.raises(RuntimeError, match=r"asyncio\.wait"):
        pa.wait([ref])
    with pytest.raises(RuntimeError, match="get_actor_async"):
        pa.get_actor("anybody")
    with pytest.raises(RuntimeError, match="leave its `async with` block"):
        pa.shutdown()
    assert await Async.remote().quick.remote() == 0


async def test_blocking_on_the_loop_of_a_worker_is_refused_with_advice(home: pa.Session) -> None:
    assert "use await" in await Async.remote().get_on_the_loop.remote(Async.remote())


async def test_a_ready_ref_needs_no_waiting(home: pa.Session) -> None:
    ref = double.remote(4)
    await ref

    assert pa.get(ref) == ref.result() == 8
    assert pa.wait([ref]) == ([ref], [])


async def test_cancelling_a_waiter_leaves_the_call_alone(home: pa.Session) -> None:
    actor = Async.remote()
    ref = actor.rendezvous.remote("/", "proc/nothing-to-touch", "proc")
    waiter = asyncio.ensure_future(ref)
    await asyncio.sleep(0)

    waiter.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiter
    with pytest.raises(OSError, match="nothing-to-touch"):
        await ref


async def test_a_deadline_in_asyncio(home: pa.Session) -> None:
    with pytest.raises(pa.CallTimeout):
        await Async.remote().forever.options(timeout=0.05).remote()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await Async.remote().forever.remote()


async def test_names_and_kills_on_the_loop(home: pa.Session) -> None:
    actor = Async.options(name="on-the-loop", get_if_exists=True).remote()
    await actor.add.remote(3)

    found = await pa.get_actor_async("on-the-loop")
    again = Async.options(name="on-the-loop", get_if_exists=True).remote()
    taken = Async.options(name="on-the-loop").remote()

    assert found == again == actor
    assert await again.quick.remote() == 3
    with pytest.raises(pa.ActorExists, match="'on-the-loop' exists already"):
        await taken.quick.remote()
    pa.kill(actor)
    with pytest.raises(pa.ActorStopped):
        await asyncio.wait_for(actor.forever.remote(), 30)
    with pytest.raises(pa.ActorNotFound):
        await pa.get_actor_async("nobody")


async def test_plain_threads_use_the_node_on_the_loop_too(home: pa.Session) -> None:
    assert await asyncio.to_thread(lambda: pa.get([double.remote(n) for n in range(5)])) == [0, 2, 4, 6, 8]
    assert await asyncio.to_thread(lambda: pa.get(Async.options(name="by-thread").remote().quick.remote())) == 0


async def test_another_loop_in_another_thread_awaits_refs(home: pa.Session) -> None:
    async def elsewhere() -> list[int]:
        return list(await asyncio.gather(*[double.remote(number) for number in range(10)]))

    assert await asyncio.to_thread(lambda: asyncio.run(elsewhere())) == [2 * n for n in range(10)]


async def test_context_variables_of_the_caller_are_its_own(home: pa.Session) -> None:
    mine = contextvars.ContextVar("mine", default="unset")
    mine.set("set")

    await Async.remote().quick.remote()

    assert mine.get() == "set"


async def test_a_burst_from_one_coroutine_is_answered_in_full(home: pa.Session) -> None:
    actors = [Async.remote() for _ in range(10)]

    answers = await asyncio.gather(*[actor.quick.remote() for actor in actors for _ in range(200)])

    assert answers == [0] * 2000


async def test_a_second_init_on_the_loop_is_refused(home: pa.Session) -> None:
    with pytest.raises(RuntimeError, match=r"has a session already: call shutdown\(\) first"):
        pa.init()
    assert pa.init(ignore_reinit_error=True) is home


async def test_the_workers_of_this_process_are_children_that_it_knows(home: pa.Session) -> None:
    wait_until(lambda: {child.pid for child in workers_of(os.getpid())} == set(home.worker_pids), "two workers")
