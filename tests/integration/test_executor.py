"""`ClusterExecutor` where an executor of the standard library is expected."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.util import ClusterExecutor

pytestmark = pytest.mark.usefixtures("cluster")


def power(base: int, exponent: int = 2) -> int:
    return int(base**exponent)


def fail() -> None:
    raise ValueError("no")


@pytest.fixture
def executor() -> Iterator[ClusterExecutor]:
    with ClusterExecutor() as made:
        yield made


def test_calls_run_in_other_processes_and_results_come_back(executor: ClusterExecutor) -> None:
    assert executor.submit(power, 3, exponent=3).result(60) == 27
    assert executor.submit(os.getpid).result(60) != os.getpid()
    assert list(executor.map(power, [1, 2], [3, 3])) == [1, 8]


def test_whatever_can_be_called_is(executor: ClusterExecutor) -> None:
    assert executor.submit(int, "7").result(60) == 7
    assert executor.submit(functools.partial(power, exponent=1), 5).result(60) == 5
    assert executor.submit(lambda: 1).result(60) == 1


def test_what_a_function_raises_is_of_its_own_class(executor: ClusterExecutor) -> None:
    future = executor.submit(fail)

    with pytest.raises(ValueError, match="no"):
        future.result(60)
    assert isinstance(future.exception(), pa.TaskFailed)
    with pytest.raises(pa.SerializationError):
        executor.submit(power, threading.Lock()).result(60)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(TypeError):
        executor.submit(power, 1, 2, 3).result(60)  # type: ignore[call-arg]  # nor this


def test_the_standard_library_waits_for_its_futures(executor: ClusterExecutor) -> None:
    futures = [executor.submit(power, base) for base in range(5)]

    done, others = concurrent.futures.wait(futures, timeout=60)

    assert not others
    assert sorted(future.result() for future in done) == [0, 1, 4, 9, 16]
    assert len(list(concurrent.futures.as_completed(futures, timeout=60))) == 5


async def test_asyncio_runs_in_it() -> None:
    with ClusterExecutor() as executor:
        assert await asyncio.get_running_loop().run_in_executor(executor, power, 3) == 9


@pa.actor
class Gate:
    def __init__(self) -> None:
        self.is_open = asyncio.Event()
        self.inside = 0

    async def enter(self) -> int:
        self.inside += 1
        await self.is_open.wait()
        return self.inside

    async def count(self) -> int:
        return self.inside

    async def let(self) -> None:
        self.is_open.set()


def enter(gate: Any) -> int:
    return int(pa.get(gate.enter.remote()))


def test_no_more_than_max_workers_run_at_once_and_the_others_can_be_cancelled() -> None:
    gate = Gate.remote()
    with ClusterExecutor(max_workers=1, num_cpus=0) as executor:
        first, second, third = (executor.submit(enter, gate) for _ in range(3))
        assert second.cancel()
        assert not first.done()
        pa.get(gate.let.remote())

        assert [first.result(60), third.result(60)] == [1, 2]
        assert second.cancelled()
        assert concurrent.futures.wait([second], timeout=60).done == {second}


def test_a_call_that_runs_can_be_cancelled() -> None:
    gate = Gate.remote()
    with ClusterExecutor(num_cpus=0) as executor:
        future = executor.submit(enter, gate)
        while not pa.get(gate.count.remote()):
            pass

        assert future.cancel()

        assert concurrent.futures.wait([future], timeout=60).done == {future}
        with pytest.raises(concurrent.futures.CancelledError):
            future.result()


def test_after_shutdown_it_takes_no_more() -> None:
    executor = ClusterExecutor()
    future = executor.submit(power, 2)

    executor.shutdown()

    assert future.result(0) == 4
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(power, 2)
    executor.shutdown()


def test_shutdown_can_give_up_what_has_not_begun() -> None:
    gate = Gate.remote()
    executor = ClusterExecutor(max_workers=1, num_cpus=0)
    first, second = executor.submit(enter, gate), executor.submit(enter, gate)
    while not pa.get(gate.count.remote()):
        pass

    executor.shutdown(wait=False, cancel_futures=True)

    assert second.cancelled()
    pa.get(gate.let.remote())
    assert first.result(60) == 1


def test_what_makes_no_sense_is_refused_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="max_workers"):
        ClusterExecutor(0)
    with pytest.raises(pa.ConfigError, match="num_cpu"):
        ClusterExecutor(num_cpu=1)
