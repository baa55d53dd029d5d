"""Tasks: many at once, nested, retried; what they need, and what their callers are told."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa

pytestmark = pytest.mark.usefixtures("cluster")


@pa.task
def square(number: int) -> int:
    return number * number


@pa.task
async def square_soon(number: int) -> int:
    await asyncio.sleep(0)
    return number * number


@pa.task
def keywords(first: int, *rest: int, scale: int = 1, **others: int) -> tuple[int, int, int]:
    return first * scale, sum(rest), sum(others.values())


@pa.task
def tree(depth: int) -> int:
    if depth == 0:
        return 1
    return sum(pa.get([tree.remote(depth - 1), tree.remote(depth - 1)]))


@pa.task
def attempt(folder: str, fails: int, error: type[Exception]) -> int:
    made = len(os.listdir(folder))
    Path(folder, str(made)).touch()
    if made < fails:
        raise error("again")
    return made


@pa.task
def process() -> int:
    time.sleep(0.02)
    return os.getpid()


@pa.task
def give(what: str) -> Any:
    odd = {"megabytes": b"x" * 3_000_000, "beyond 64 bits": 2**70, "text": "\ud800", "lock": threading.Lock()}
    return odd[what]


running_here: list[int] = []
"""On a worker: what runs there now."""


@pa.task
def alone(number: int) -> bool:
    """Whether no other one ran on this worker meanwhile."""
    running_here.append(number)
    for _ in range(20):
        os.sched_yield()
    was_alone = running_here == [number]
    running_here.remove(number)
    return was_alone


def test_brief_tasks_on_a_node_of_one_cpu_run_one_after_the_other() -> None:
    found = pa.get([alone.remote(number) for number in range(400)])

    assert found == [True] * 400


def test_a_thousand_tasks_return_in_order() -> None:
    assert pa.get([square.remote(number) for number in range(1000)]) == [number * number for number in range(1000)]


def test_async_tasks_run_on_the_loop() -> None:
    assert pa.get([square_soon.remote(number) for number in range(100)]) == [n * n for n in range(100)]


def test_every_way_of_passing_arguments_arrives() -> None:
    assert pa.get(keywords.remote(2, 3, 4, scale=5, a=6, b=7)) == (10, 7, 13)


def test_tasks_wait_for_their_own_tasks_without_filling_the_cluster_up() -> None:
    assert pa.get(tree.remote(5), timeout=30) == 32


def test_tasks_are_spread_over_the_workers(cluster: pa.Session) -> None:
    assert set(pa.get([process.remote() for _ in range(20)])) == set(cluster.worker_pids)


@pa.actor(num_cpus=1)
class Holder:
    def pid(self) -> int:
        return os.getpid()


def test_no_task_waits_for_what_an_actor_holds(cluster: pa.Session) -> None:
    holder = Holder.remote()
    occupied = pa.get(holder.pid.remote())
    try:
        ran_on = set(pa.get([process.remote() for _ in range(20)], timeout=30))
    finally:
        pa.kill(holder)

    assert ran_on == set(cluster.worker_pids) - {occupied}


def test_tasks_in_the_queue_of_a_node_go_elsewhere_when_an_actor_takes_its_place(cluster: pa.Session) -> None:
    refs = [process.remote() for _ in range(40)]
    holder = Holder.remote()
    try:
        pa.get(holder.pid.remote(), timeout=30)
        assert len(pa.get(refs, timeout=30)) == 40
    finally:
        pa.kill(holder)


def test_tasks_wait_until_an_actor_ends_when_actors_hold_everything(cluster: pa.Session) -> None:
    holders = [Holder.remote(), Holder.remote()]
    pa.get([holder.pid.remote() for holder in holders])
    waiting = square.remote(3)

    assert pa.wait([waiting], timeout=0.3) == ([], [waiting])
    pa.kill(holders[0])

    assert pa.get(waiting, timeout=30) == 9
    pa.kill(holders[1])


def test_lambdas_closures_and_functions_without_a_module_are_tasks_too() -> None:
    base = 10
    make: Callable[[int], Any] = lambda step: pa.task(lambda number: number + base + step)  # noqa: E731 - a lambda it is

    assert pa.get(make(5).remote(1)) == 16
    assert pa.get(pa.task(max).remote(3, 9)) == 9


def test_an_exception_is_retried_only_when_asked(tmp_path: Path) -> None:
    once, often, other = tmp_path / "once", tmp_path / "often", tmp_path / "other"
    for folder in (once, often, other):
        folder.mkdir()

    with pytest.raises(ValueError, match="again"):
        pa.get(attempt.remote(str(once), 2, ValueError))
    assert pa.get(attempt.options(retry_exceptions=[ValueError]).remote(str(often), 2, ValueError)) == 2
    with pytest.raises(KeyError):
        pa.get(attempt.options(retry_exceptions=[ValueError]).remote(str(other), 2, KeyError))

    assert [len(os.listdir(folder)) for folder in (once, often, other)] == [1, 3, 1]


def test_retries_come_to_an_end(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="again"):
        pa.get(attempt.options(retry_exceptions=True, max_retries=2).remote(str(tmp_path), 99, ValueError))

    assert len(os.listdir(tmp_path)) == 3


@pa.task
def met_a_dead_node() -> None:
    raise pa.NodeDown("elsewhere", "so it says")


def test_an_exception_of_ours_that_user_code_raises_is_no_lost_node() -> None:
    with pytest.raises(pa.NodeDown, match="task met_a_dead_node on node") as caught:
        pa.get(met_a_dead_node.remote(), timeout=30)

    assert isinstance(caught.value, pa.TaskFailed)


def test_wait_returns_what_is_ready_in_the_order_given(tmp_path: Path) -> None:
    @pa.task
    def wait_for(path: str) -> str:
        deadline = time.monotonic() + 30
        while not os.path.exists(path) and time.monotonic() < deadline:
            time.sleep(0.005)
        return path

    slow, quick = wait_for.remote(str(tmp_path / "open")), square.remote(3)

    ready, rest = pa.wait([slow, quick], timeout=30)
    assert (ready, rest) == ([quick], [slow])
    assert pa.wait([slow], timeout=0) == ([], [slow])
    (tmp_path / "open").touch()
    assert pa.wait([slow, quick], num_returns=2, timeout=30) == ([slow, quick], [])


def test_what_a_task_raised_is_told_once_when_nobody_has_asked_for_it(caplog: pytest.LogCaptureFixture) -> None:
    @pa.task
    def fail(text: str) -> None:
        raise ValueError(text)

    @pa.task
    def use(value: None) -> None:
        """Is never run: its argument is an error."""

    fail.remote("nobody asks")
    heard = fail.remote("somebody asks")
    with pytest.raises(ValueError, match="somebody asks"):
        pa.get(heard)
    used = use.remote(fail.remote("somebody asks through another task"))
    with pytest.raises(ValueError, match="through another"):
        pa.get(used)
    del heard, used

    def told() -> list[str]:
        return [text for text in caplog.messages if "nobody asked for" in text]

    deadline = time.monotonic() + 60
    while not told():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (message,) = told()
    assert "ValueError: nobody asks" in message
    assert "in fail" in message


def test_a_dropped_ref_does_not_stop_its_task(tmp_path: Path) -> None:
    @pa.task
    def touch(path: str) -> None:
        Path(path).touch()

    touch.remote(str(tmp_path / "done"))

    assert pa.get(square.remote(2)) == 4
    deadline = time.monotonic() + 30
    while not (tmp_path / "done").exists():
        assert time.monotonic() < deadline


def test_who_has_the_answer_of_a_task_finds_its_node_done_with_it(cluster: pa.Session) -> None:
    """The thread that ran it writes the answer before the loop of its node has heard: which hears when it is asked."""
    system = cluster.runtime.system
    live = [record.node for record in system.node.directory.live() if record.hosts_actors]

    def running() -> list[int]:
        asked = [
            asyncio.run_coroutine_threadsafe(system.request(node, "inspect", "status", timeout_s=60), system.loop)
            for node in live
        ]
        return [status.result(60)["tasks_running"] for status in asked]

    for number in range(200):
        assert pa.get(square.remote(number)) == number * number
        assert running() == [0] * len(live)


def test_large_and_odd_results_come_whole_from_the_threads_that_made_them() -> None:
    assert pa.get(give.remote("megabytes")) == b"x" * 3_000_000
    assert pa.get(give.remote("beyond 64 bits")) == 2**70
    assert pa.get(give.remote("text")) == "\ud800"
    with pytest.raises(pa.SerializationError, match="lock"):
        pa.get(give.remote("lock"))
