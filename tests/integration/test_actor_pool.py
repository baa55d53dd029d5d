"""`ActorPool`: who gets which value, in which order results come, and what is left when something goes wrong."""

from __future__ import annotations

from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.util import ActorPool

pytestmark = pytest.mark.usefixtures("cluster")


@pa.actor
class Worker:
    def __init__(self) -> None:
        self.done = 0

    def double(self, value: int) -> int:
        self.done += 1
        if value < 0:
            raise ValueError(f"{value} is negative")
        return 2 * value

    @pa.method(num_returns=2)
    def both(self, value: int) -> tuple[int, int]:
        return value, -value

    def count(self) -> int:
        return self.done


@pa.actor
class Waiting:
    """Answers when it is told to."""

    def __init__(self, gate: pa.ActorHandle[Any]) -> None:
        self.gate = gate

    async def until_open(self, value: int) -> int:
        await self.gate.passed.remote(value)  # type: ignore[misc]  # any actor's method
        return value


@pa.actor
class Gate:
    def __init__(self) -> None:
        import asyncio

        self.open: dict[int, asyncio.Event] = {}
        self.make = asyncio.Event

    def _event(self, value: int) -> Any:
        return self.open.setdefault(value, self.make())

    async def passed(self, value: int) -> None:
        await self._event(value).wait()

    async def let(self, value: int) -> None:
        self._event(value).set()


def double(actor: Any, value: int) -> Any:
    return actor.double.remote(value)


def until_open(actor: Any, value: int) -> Any:
    return actor.until_open.remote(value)


def test_map_gives_results_in_the_order_of_values_and_uses_every_actor() -> None:
    workers = [Worker.remote() for _ in range(2)]
    pool = ActorPool(workers)

    assert list(pool.map(double, range(10))) == [2 * value for value in range(10)]
    assert sum(pa.get([worker.count.remote() for worker in workers])) == 10
    assert all(pa.get([worker.count.remote() for worker in workers]))


def test_map_submits_at_once_and_not_when_results_are_taken() -> None:
    worker = Worker.remote()
    pool = ActorPool([worker])

    pool.map(double, [1])

    assert pa.get(worker.count.remote(), timeout=60) == 1


def test_map_unordered_gives_what_is_ready_first() -> None:
    gate = Gate.remote()
    pool = ActorPool([Waiting.remote(gate) for _ in range(2)])
    results = pool.map_unordered(until_open, [1, 2])

    pa.get(gate.let.remote(2))
    first = next(results)
    pa.get(gate.let.remote(1))

    assert [first, *results] == [2, 1]


def test_a_time_out_leaves_the_result_where_it_is() -> None:
    gate = Gate.remote()
    pool = ActorPool([Waiting.remote(gate)])
    pool.submit(until_open, 1)

    with pytest.raises(TimeoutError):
        pool.get_next(timeout=0.01)
    with pytest.raises(TimeoutError):
        pool.get_next_unordered(timeout=0)
    assert pool.get_next_unordered(timeout=0, ignore_if_timedout=True) is None
    pa.get(gate.let.remote(1))

    assert pool.get_next(timeout=60) == 1
    assert not pool.has_next()


def test_a_place_that_is_given_up_does_not_hold_up_the_next_one() -> None:
    gate = Gate.remote()
    pool = ActorPool([Waiting.remote(gate), Waiting.remote(gate)])
    pool.submit(until_open, 1)
    pool.submit(until_open, 2)
    pa.get(gate.let.remote(2))

    assert pool.get_next(timeout=0.01, ignore_if_timedout=True) is None
    assert pool.get_next(timeout=60) == 2


def test_an_error_is_the_result_of_its_value_alone() -> None:
    pool = ActorPool([Worker.remote()])
    for value in (1, -1, 2):
        pool.submit(double, value)

    assert pool.get_next() == 2
    with pytest.raises(ValueError, match="-1 is negative"):
        pool.get_next()
    assert pool.get_next() == 4


def test_several_refs_are_one_result() -> None:
    pool = ActorPool([Worker.remote()])

    assert list(pool.map(lambda actor, value: actor.both.remote(value), [1, 2])) == [[1, -1], [2, -2]]


def test_what_is_no_ref_is_an_error_where_the_result_would_be() -> None:
    pool = ActorPool([Worker.remote()])
    pool.submit(lambda actor, value: value, 7)
    pool.submit(double, 7)

    with pytest.raises(TypeError, match="has to return a ref"):
        pool.get_next()
    assert pool.get_next() == 14


def test_actors_come_and_go() -> None:
    worker = Worker.remote()
    pool = ActorPool([worker])

    with pytest.raises(ValueError, match="in the pool already"):
        pool.push(worker)
    assert pool.has_free()
    assert pool.pop_idle() == worker
    assert pool.pop_idle() is None
    assert not pool.has_free()
    pool.submit(double, 1)
    with pytest.raises(RuntimeError, match="no actor in the pool"):
        pool.get_next()
    pool.push(worker)
    assert pool.get_next() == 2
    with pytest.raises(StopIteration):
        pool.get_next()
