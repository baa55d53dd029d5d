"""The stand-in for `multiprocessing.Pool`: results, orders, call-backs, errors, and how it ends."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.util.multiprocessing import Pool
from tests.integration.programs import is_gone, wait_until

pytestmark = pytest.mark.usefixtures("cluster")

STATE: list[int] = []


def square(value: int) -> int:
    if value < 0:
        raise ValueError(f"{value} is negative")
    return value * value


def add(one: int, other: int = 1) -> int:
    return one + other


def set_state(value: int) -> None:
    STATE.append(value)


def state(_: Any = None) -> list[int]:
    return STATE


def pid(_: Any = None) -> int:
    return os.getpid()


def die(_: Any = None) -> None:
    os._exit(3)


@pytest.fixture(scope="module")
def pool(cluster: pa.Session) -> Iterator[Pool]:
    with Pool(2, initializer=set_state, initargs=(7,)) as made:
        yield made


def test_one_call_has_positional_and_keyword_arguments(pool: Pool) -> None:
    assert pool.apply(add, (1,), {"other": 5}) == 6
    assert pool.apply_async(add, (1,)).get(timeout=60) == 2


def test_maps_keep_the_order_whatever_the_chunks(pool: Pool) -> None:
    assert pool.map(square, range(20)) == [value * value for value in range(20)]
    assert pool.map(square, range(5), chunksize=2) == [0, 1, 4, 9, 16]
    assert pool.starmap(add, [(1, 2), (3, 4)]) == [3, 7]
    assert pool.map(square, []) == []


def test_items_come_one_by_one(pool: Pool) -> None:
    assert list(pool.imap(square, range(7), chunksize=3)) == [0, 1, 4, 9, 16, 25, 36]
    assert sorted(pool.imap_unordered(square, range(5))) == [0, 1, 4, 9, 16]


def test_an_endless_iterable_is_read_no_faster_than_its_results_are_taken(pool: Pool) -> None:
    read = itertools.count()

    results = pool.imap(square, read)

    assert [next(results) for _ in range(3)] == [0, 1, 4]
    # At most what may wait, what is under way, and one more that is about to be.
    assert next(read) <= 3 + 1000 + 2 * 2 + 1


def test_the_initializer_ran_in_each_process(pool: Pool) -> None:
    assert pool.map(state, range(4), chunksize=1) == [[7]] * 4
    assert STATE == []
    assert os.getpid() not in pool.map(pid, range(4), chunksize=1)


def test_errors_are_of_their_own_class(pool: Pool) -> None:
    result = pool.map_async(square, [1, -1, 2], chunksize=1)
    result.wait(60)

    assert result.ready()
    assert not result.successful()
    with pytest.raises(ValueError, match="-1 is negative"):
        result.get()
    items = pool.imap(square, [-1, 2])
    with pytest.raises(ValueError, match="-1 is negative"):
        next(items)
    assert next(items) == 4


def test_an_iterable_that_raises_does_so_where_its_item_would_come(pool: Pool) -> None:
    def items() -> Iterator[int]:
        yield 3
        raise KeyError("no more")

    results = pool.imap(square, items())

    assert next(results) == 9
    with pytest.raises(KeyError):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_what_cannot_be_sent_is_said_in_the_result(pool: Pool) -> None:
    with pytest.raises(pa.SerializationError):
        pool.apply(square, (threading.Lock(),))
    assert pool.apply(square, (2,)) == 4


def test_call_backs_are_called(pool: Pool) -> None:
    told: list[Any] = []
    called = threading.Semaphore(0)

    def note(value: Any) -> None:
        told.append(value)
        called.release()

    pool.map_async(square, [1, 2], callback=note)
    assert called.acquire(timeout=60)
    pool.apply_async(square, (-1,), error_callback=note)
    assert called.acquire(timeout=60)

    assert told[0] == [1, 4]
    assert isinstance(told[1], ValueError)


def test_a_process_that_dies_is_replaced_and_its_call_fails(pool: Pool) -> None:
    with pytest.raises(pa.ActorStopped):
        pool.apply(die)
    assert pool.map(square, range(4), chunksize=1) == [0, 1, 4, 9]


def test_processes_can_be_shared_with_others() -> None:
    with Pool(1, actor_options={"isolation": None}) as shared:
        assert shared.apply(pid) in {row["pid"] for row in pa.nodes()}
        with pytest.raises(StopIteration):
            shared.imap(square, []).next(timeout=60)


def test_a_closed_pool_finishes_what_it_has_and_takes_no_more() -> None:
    closing = Pool(1, maxtasksperchild=1)
    pids = closing.map_async(pid, range(2), chunksize=1)
    with pytest.raises(ValueError, match="still running"):
        closing.join()

    closing.close()
    closing.join()

    first, second = pids.get(timeout=60)
    assert first != second
    wait_until(lambda: is_gone(first) and is_gone(second), "the pool's processes to end")
    with pytest.raises(ValueError, match="not running"):
        closing.map(square, [1])


def test_what_a_terminated_pool_has_not_done_fails() -> None:
    with Pool(1, actor_options={"isolation": None}) as ended:
        blocked = threading.Event()
        source = ended.imap(square, iter(lambda: blocked.wait(60), None))
        waiting = ended.apply_async(square, (1,))
        with pytest.raises(multiprocessing.TimeoutError):
            waiting.get(timeout=0.01)
        with pytest.raises(multiprocessing.TimeoutError):
            source.next(timeout=0.01)
        ended.terminate()
        blocked.set()

    with pytest.raises(RuntimeError, match="was terminated"):
        waiting.get(timeout=60)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Pool(0)
    with pytest.raises(TypeError, match="callable"):
        Pool(1, initializer=3)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(ValueError, match="maxtasksperchild"):
        Pool(1, maxtasksperchild=0)
