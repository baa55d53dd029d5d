"""`Queue`: what of `queue.Queue` and `asyncio.Queue` its users rely on, from several processes."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator

import pytest

import partisan_actors as pa
from partisan_actors.util import Empty, Full, Queue

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture
def bounded() -> Iterator[Queue]:
    made = Queue(maxsize=2)
    yield made
    made.shutdown(force=True)


@pa.task(num_cpus=0)
def put_all(into: Queue, items: list[int]) -> None:
    for item in items:
        into.put(item)


@pa.task(num_cpus=0)
def take(source: Queue, count: int) -> list[int]:
    return [source.get(timeout=60) for _ in range(count)]


def test_items_come_out_in_the_order_in_which_they_went_in(bounded: Queue) -> None:
    bounded.put("a")
    bounded.put_nowait("b")

    assert (bounded.size(), bounded.qsize(), len(bounded)) == (2, 2, 2)
    assert bounded.full()
    assert [bounded.get(), bounded.get_nowait()] == ["a", "b"]
    assert bounded.empty()


def test_full_and_empty_are_the_standard_library_s_too(bounded: Queue) -> None:
    bounded.put_nowait_batch([1, 2])

    with pytest.raises(Full):
        bounded.put_nowait(3)
    with pytest.raises(queue.Full):
        bounded.put(3, timeout=0.01)
    assert bounded.get_nowait_batch(2) == [1, 2]
    with pytest.raises(Empty):
        bounded.get_nowait()
    with pytest.raises(queue.Empty):
        bounded.get(timeout=0.01)


def test_batches_are_all_or_nothing(bounded: Queue) -> None:
    bounded.put(1)

    with pytest.raises(Full):
        bounded.put_nowait_batch([2, 3])
    with pytest.raises(Empty):
        bounded.get_nowait_batch(2)
    assert bounded.size() == 1


def test_what_makes_no_sense_is_refused_at_the_caller(bounded: Queue) -> None:
    with pytest.raises(ValueError, match="non-negative"):
        bounded.get(timeout=-1)
    with pytest.raises(ValueError, match="non-negative"):
        bounded.put(1, timeout=-1)
    with pytest.raises(ValueError, match="negative"):
        bounded.get_nowait_batch(-1)
    with pytest.raises(TypeError):
        bounded.get_nowait_batch(1.5)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(TypeError):
        bounded.put_nowait_batch("text")


def test_a_ref_that_is_put_is_still_a_ref_when_it_comes_out(bounded: Queue) -> None:
    ref = pa.put("value")

    bounded.put(ref)
    bounded.put_nowait(ref)

    assert bounded.get() == ref
    assert pa.get(bounded.get()) == "value"


def test_many_processes_put_and_take_and_nothing_is_lost_or_doubled() -> None:
    shared = Queue(maxsize=3)
    putting = [put_all.remote(shared, list(range(start, start + 30))) for start in (0, 30, 60)]
    taking = [take.remote(shared, 30) for _ in range(3)]

    taken = [item for part in pa.get(taking, timeout=120) for item in part]

    pa.get(putting)
    assert sorted(taken) == list(range(90))
    shared.shutdown()


async def test_coroutines_wait_without_blocking_their_loop(bounded: Queue) -> None:
    waiting = asyncio.create_task(bounded.get_async())
    await bounded.put_async("x")

    assert await asyncio.wait_for(waiting, 60) == "x"
    with pytest.raises(Empty):
        await bounded.get_async(block=False)
    with pytest.raises(Empty):
        await bounded.get_async(timeout=0.01)


def test_after_shutdown_there_is_no_queue_any_more() -> None:
    ended = Queue(actor_options={"name": "a queue"})
    ended.put(1)

    ended.shutdown()

    with pytest.raises(pa.ActorStopped):
        ended.get()
