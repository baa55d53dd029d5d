"""Tasks that give several results, or streams, and tasks that are cancelled."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.nodes import nodes, until
from tests.integration.programs import wait_until

pytestmark = pytest.mark.usefixtures("cluster")


@pa.task(num_returns=2)
def pair() -> tuple[int, int]:
    return 1, 2


@pa.task
def many(count: int) -> list[int]:
    return list(range(count))


@pa.task(num_returns=0, num_cpus=0)
def nothing(folder: str) -> None:
    Path(folder, "ran").touch()
    raise ValueError("nobody waits for this")


@pa.task
def squares(count: int) -> Iterator[int]:
    for number in range(count):
        yield number * number


@pa.task
async def squares_soon(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number * number


@pa.task
def breaks() -> Iterator[int]:
    yield 1
    raise KeyError("the end")


@pa.task(num_cpus=0)
def held(folder: str) -> Iterator[str]:
    yield "first"
    hold(folder)
    yield "second"


@pa.task(num_cpus=0)
def endless(folder: str) -> Iterator[int]:
    try:
        number = 0
        while True:
            number += 1
            yield number
    finally:
        Path(folder, "closed").touch()


@pa.task(max_retries=3, retry_exceptions=True, num_cpus=0)
def fails_twice(folder: str) -> Iterator[int]:
    run = len(list(Path(folder).glob("run*"))) + 1
    Path(folder, f"run{run}").touch()
    yield from range(3)
    if run < 3:
        raise ValueError("not yet")


def hold(folder: str) -> None:
    deadline = time.monotonic() + 60
    while not Path(folder, "go").exists() and time.monotonic() < deadline:
        time.sleep(0.005)


@pa.task(num_cpus=0, max_retries=-1, retry_exceptions=True)
def spin(folder: str) -> None:
    try:
        Path(folder, f"spins {time.monotonic_ns()}").touch()
        while True:
            time.sleep(0.001)
    except KeyboardInterrupt:
        Path(folder, "interrupted").touch()
        raise


@pa.task(num_cpus=0, max_retries=-1, retry_exceptions=True)
async def nap(folder: str) -> None:
    try:
        Path(folder, f"naps {time.monotonic_ns()}").touch()
        await asyncio.Event().wait()
    finally:
        Path(folder, "woken").touch()


@pa.task(resources={"nobody has this": 1}, num_cpus=0)
def impossible() -> None: ...


@pa.task(num_cpus=0)
def parent(folder: str) -> None:
    pa.get(nap.remote(folder))


@pa.task(num_cpus=0)
async def parent_soon(folder: str) -> None:
    await spin.remote(folder)


@pa.task
def one_cpu(folder: str, name: str) -> str:
    Path(folder, f"began {name}").touch()
    hold(folder)
    return name


def began(folder: Path, what: str) -> int:
    return len(list(folder.glob(f"{what}*")))


def is_cancelled(ref: Any) -> bool:
    with pytest.raises(pa.TaskCancelled):
        pa.get(ref, timeout=60)
    return True


# ---- results ---------------------------------------------------------------------------------------------------------


def test_a_task_gives_as_many_refs_as_it_says() -> None:
    assert pa.get(list(pair.remote())) == [1, 2]
    assert pa.get(pair.options(num_returns=1).remote()) == (1, 2)
    assert pa.get(many.options(num_returns=3).remote(3)) == [0, 1, 2]


def test_another_number_of_results_is_a_value_error_in_every_ref() -> None:
    for ref in many.options(num_returns=2).remote(3):
        with pytest.raises(ValueError, match="many returned 3 objects, but num_returns=2"):
            pa.get(ref)


def test_a_task_without_results_gives_none_and_its_error_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert nothing.remote(str(tmp_path)) is None

    wait_until(lambda: "task nothing, called with num_returns=0, failed" in caplog.text, "the error")
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_returns": -1}, "num_returns = -1 is not valid"),
        ({"num_returns": "streaming"}, "num_returns of many = 'streaming' .*as it is no generator"),
        ({"generator_backpressure": 3}, "generator_backpressure of many = 3 .*as it is no generator"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(pa.ConfigError, match=message):
        many.options(**options)


# ---- streams ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [squares, squares_soon])
def test_a_generator_gives_its_items_in_order(task: Any) -> None:
    stream = task.remote(500)

    assert [pa.get(ref) for ref in stream] == [number * number for number in range(500)]
    assert pa.get(stream.completed()) is None


def test_what_a_generator_gives_can_be_had_at_once() -> None:
    assert pa.get(squares.options(num_returns=3).remote(3)) == [0, 1, 4]
    assert pa.get(pa.get(squares.options(num_returns="dynamic").remote(3))) == [0, 1, 4]


def test_the_first_item_is_there_while_its_task_goes_on(tmp_path: Path) -> None:
    stream = held.remote(str(tmp_path))

    assert pa.get(next(stream)) == "first" and not stream.next_ready()
    (tmp_path / "go").touch()
    assert [pa.get(ref) for ref in stream] == ["second"]


def test_what_a_generator_raises_is_its_last_item() -> None:
    first, last = breaks.remote()

    assert pa.get(first) == 1
    with pytest.raises(KeyError, match="the end"):
        pa.get(last)


def test_a_generator_that_is_tried_again_gives_each_item_once(tmp_path: Path) -> None:
    assert [pa.get(ref) for ref in fails_twice.remote(str(tmp_path))] == [0, 1, 2]
    assert began(tmp_path, "run") == 3


def test_a_stream_that_is_dropped_or_cancelled_stops_its_task(tmp_path: Path) -> None:
    for name in ("dropped", "cancelled"):
        folder = tmp_path / name
        folder.mkdir()
        stream = endless.options(generator_backpressure=4).remote(str(folder))
        pa.get(next(stream))
        if name == "cancelled":
            pa.cancel(stream)
            assert is_cancelled(list(stream)[-1])
        del stream
        wait_until((folder / "closed").exists, "the generator to be closed")


async def test_a_generator_runs_again_elsewhere_when_its_node_is_lost(tmp_path: Path) -> None:
    async with nodes("a", "b", "c") as cluster:
        with cluster.at("a"):
            stream = held.options(placement="spread", max_retries=3).remote(str(tmp_path))
            first = await anext(stream)
            hosts = [name for name in ("b", "c") if cluster[name].executor.running]
            if hosts:
                await cluster.crash(hosts[0])
        (tmp_path / "go").touch()
        assert [await first, *[await ref async for ref in stream]] == ["first", "second"]


# ---- cancelling ------------------------------------------------------------------------------------------------------


def test_blocking_code_of_a_task_gets_a_keyboard_interrupt_and_runs_once(tmp_path: Path) -> None:
    ref = spin.remote(str(tmp_path))
    wait_until(lambda: began(tmp_path, "spins"), "the task to run")

    pa.cancel(ref)

    assert is_cancelled(ref)
    wait_until((tmp_path / "interrupted").exists, "the task to be interrupted")
    assert began(tmp_path, "spins") == 1


def test_a_coroutine_of_a_task_gets_cancelled_error_and_runs_once(tmp_path: Path) -> None:
    ref = nap.remote(str(tmp_path))
    wait_until(lambda: began(tmp_path, "naps"), "the task to run")

    pa.cancel(ref)

    assert is_cancelled(ref)
    wait_until((tmp_path / "woken").exists, "the task to be cancelled")
    assert began(tmp_path, "naps") == 1


def test_a_task_that_waits_for_room_never_runs(tmp_path: Path) -> None:
    cpus = int(pa.cluster_resources()["num_cpus"])
    running = [one_cpu.remote(str(tmp_path), f"first {number}") for number in range(cpus)]
    wait_until(lambda: began(tmp_path, "began first") == cpus, "the cluster to be full")
    waiting = [one_cpu.remote(str(tmp_path), f"later {number}") for number in range(3)]

    pa.cancel(waiting[0])
    pa.cancel(waiting[2])

    assert is_cancelled(waiting[0]) and is_cancelled(waiting[2])
    (tmp_path / "go").touch()
    assert pa.get([*running, waiting[1]])[-1] == "later 1"
    assert sorted(path.name for path in tmp_path.glob("began later*")) == ["began later 1"]


@pytest.mark.parametrize(("task", "child", "end"), [(parent, "naps", "woken"), (parent_soon, "spins", "interrupted")])
def test_tasks_that_a_cancelled_task_has_started_are_cancelled(tmp_path: Path, task: Any, child: str, end: str) -> None:
    ref = task.remote(str(tmp_path))
    wait_until(lambda: began(tmp_path, child), "the child to run")

    pa.cancel(ref)

    assert is_cancelled(ref)
    wait_until((tmp_path / end).exists, "the child to be cancelled")


def test_a_call_that_depends_on_a_cancelled_task_fails_with_it(tmp_path: Path) -> None:
    ref = nap.remote(str(tmp_path))
    consumer = many.remote(ref)
    wait_until(lambda: began(tmp_path, "naps"), "the task to run")

    pa.cancel(ref)

    assert is_cancelled(ref) and is_cancelled(consumer)


def test_a_task_that_is_over_is_not_cancelled() -> None:
    ref = many.remote(2)
    assert pa.get(ref) == [0, 1]

    pa.cancel(ref)

    assert pa.get(ref) == [0, 1]


async def test_what_tasks_held_comes_back_when_they_are_cancelled(tmp_path: Path) -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            refs = [one_cpu.options(num_cpus=0.5).remote(str(tmp_path), str(number)) for number in range(12)]
            await until(lambda: began(tmp_path, "began") >= 2)
            for ref in refs:
                pa.cancel(ref)
        for ref in refs:
            with pytest.raises(pa.TaskCancelled):
                await ref
        await until(
            lambda: all(each.executor.running == each.executor.queued == 0 for each in cluster.runtimes.values())
        )
        with cluster.at("a"):
            assert await many.remote(2) == [0, 1]


# ---- in processes ----------------------------------------------------------------------------------------------------


@pa.task(isolation="process", num_cpus=0, max_retries=-1, retry_exceptions=True)
def isolated_spin(folder: str) -> None:
    try:
        Path(folder, f"spins {time.monotonic_ns()}").touch()
        while True:
            time.sleep(0.001)
    except KeyboardInterrupt:
        Path(folder, "interrupted").touch()
        raise


@pa.task(isolation="process", num_cpus=0, max_retries=-1)
def stubborn(folder: str) -> None:
    Path(folder, f"pid {os.getpid()}").touch()
    while True:
        try:
            time.sleep(0.005)
        except KeyboardInterrupt:
            continue


def test_a_task_in_a_process_of_its_own_is_interrupted(tmp_path: Path) -> None:
    ref = isolated_spin.remote(str(tmp_path))
    wait_until(lambda: began(tmp_path, "spins"), "the task to run", timeout_s=60)

    pa.cancel(ref)

    assert is_cancelled(ref)
    wait_until((tmp_path / "interrupted").exists, "the task to be interrupted")
    assert began(tmp_path, "spins") == 1


def test_force_ends_the_process_of_a_task_and_nothing_else(tmp_path: Path) -> None:
    ref = stubborn.remote(str(tmp_path))
    wait_until(lambda: began(tmp_path, "pid"), "the task to run", timeout_s=60)
    (mark,) = tmp_path.glob("pid*")

    pa.cancel(ref, force=True)

    assert is_cancelled(ref)
    wait_until(lambda: not Path(f"/proc/{mark.name.split()[1]}/cmdline").exists(), "the process to end", timeout_s=60)
    assert began(tmp_path, "pid") == 1
    left = nap.remote(str(tmp_path))
    with pytest.raises(pa.ConfigError, match="only a task with isolation"):
        pa.cancel(left, force=True)
    pa.cancel(left)
    assert is_cancelled(left)
