"""Cancelling calls: those that wait, those that run on the loop and on threads, and what they have called."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import partisan_actors as pa
from tests.integration.nodes import nodes, until
from tests.integration.programs import wait_until

pytestmark = pytest.mark.usefixtures("cluster")


@pa.actor
class Worker:
    def __init__(self, folder: str = "", other: Any = None) -> None:
        self.folder = Path(folder)
        self.other = other
        self.runs = 0

    def note(self, what: str) -> None:
        (self.folder / what).touch()

    def ran(self) -> int:
        return self.runs

    async def ran_soon(self) -> int:
        return self.runs

    def run(self) -> None:
        self.runs += 1

    def spin(self) -> None:
        try:
            self.note("spins")
            while True:
                time.sleep(0.001)
        except KeyboardInterrupt:
            self.note("interrupted")
            raise

    def spin_while_wanted(self) -> str:
        try:
            self.note("spins")
            while True:
                time.sleep(0.001)
        except KeyboardInterrupt:
            return "gone on"

    def sleep_deeply(self, name: str) -> None:
        while True:
            try:
                self.note("sleeps")
                while not (self.folder / name).exists():
                    time.sleep(0.005)
                return
            except KeyboardInterrupt:  # it may come anywhere
                self.note("stirred")

    async def nap(self) -> None:
        self.note("naps")
        try:
            await asyncio.Event().wait()
        finally:
            self.note("woken")

    async def nap_for_ever(self, name: str) -> None:
        self.note("naps")
        while not (self.folder / name).exists():
            try:
                await asyncio.sleep(0.005)
            except asyncio.CancelledError:
                self.note("stirred")

    async def ask(self) -> None:
        await self.other.nap.remote()

    def ask_blocking(self) -> None:
        pa.get(self.other.nap.remote())

    async def ask_in_tasks(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.ask())

    def ask_in_a_loop_of_its_own(self) -> None:
        asyncio.run(self.ask())

    @pa.method(max_task_retries=-1, retry_exceptions=True)
    async def nap_again(self) -> None:
        self.runs += 1
        await self.nap()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    made = Worker.remote(str(tmp_path))
    yield made
    (tmp_path / "go").touch()
    pa.kill(made)


def is_cancelled(ref: Any) -> bool:
    """Whether `get` says so."""
    with pytest.raises(pa.TaskCancelled):
        pa.get(ref, timeout=60)
    return True


# ---- what waits ------------------------------------------------------------------------------------------------------


def test_a_call_that_waits_behind_a_blocking_one_never_runs(worker: Any, tmp_path: Path) -> None:
    first = worker.sleep_deeply.remote("go")
    wait_until((tmp_path / "sleeps").exists, "the first to run")
    waiting = [worker.run.remote() for _ in range(4)]

    pa.cancel(waiting[1])
    pa.cancel(waiting[2])

    assert is_cancelled(waiting[1]) and is_cancelled(waiting[2])
    (tmp_path / "go").touch()
    assert pa.get([first, waiting[0], waiting[3], worker.ran.remote()]) == [None, None, None, 2]


def test_a_coroutine_that_waits_for_its_turn_never_runs(worker: Any, tmp_path: Path) -> None:
    first = worker.sleep_deeply.remote("go")
    wait_until((tmp_path / "sleeps").exists, "the first to run")
    waiting = worker.nap.remote()

    pa.cancel(waiting)

    assert is_cancelled(waiting)
    (tmp_path / "go").touch()
    pa.get(first)
    assert not (tmp_path / "naps").exists()


def test_a_call_of_an_actor_without_a_place_is_never_sent() -> None:
    nowhere = Worker.options(placement=pa.NodeAffinity("nobody", soft=False)).remote()
    ref = nowhere.run.remote()

    pa.cancel(ref)

    with pytest.raises((pa.TaskCancelled, pa.Unplaceable)):
        pa.get(ref, timeout=60)


# ---- what runs -------------------------------------------------------------------------------------------------------


def test_a_coroutine_that_runs_gets_cancelled_error_and_can_clean_up(worker: Any, tmp_path: Path) -> None:
    ref = worker.nap.remote()
    wait_until((tmp_path / "naps").exists, "the coroutine to wait")

    pa.cancel(ref)

    assert is_cancelled(ref)
    assert (tmp_path / "woken").exists()
    assert pa.get(worker.ran_soon.remote()) == 0  # the actor goes on


def test_blocking_code_that_runs_gets_a_keyboard_interrupt(worker: Any, tmp_path: Path) -> None:
    ref = worker.spin.remote()
    wait_until((tmp_path / "spins").exists, "the method to run")

    pa.cancel(ref)

    assert is_cancelled(ref)
    wait_until((tmp_path / "interrupted").exists, "the method to be interrupted")
    assert pa.get(worker.ran.remote()) == 0


def test_code_that_catches_it_and_returns_has_returned(worker: Any, tmp_path: Path) -> None:
    ref = worker.spin_while_wanted.remote()
    wait_until((tmp_path / "spins").exists, "the method to run")

    pa.cancel(ref)

    assert pa.get(ref, timeout=60) == "gone on"


@pytest.mark.parametrize(("method", "begun"), [("sleep_deeply", "sleeps"), ("nap_for_ever", "naps")])
def test_nobody_waits_for_ever_for_code_that_does_not_stop(
    worker: Any, tmp_path: Path, method: str, begun: str
) -> None:
    ref = getattr(worker, method).remote("go")
    wait_until((tmp_path / begun).exists, "the method to run")

    pa.cancel(ref)

    assert is_cancelled(ref)
    wait_until((tmp_path / "stirred").exists, "the method to be told")
    (tmp_path / "go").touch()
    assert pa.get(worker.ran.remote(), timeout=60) == 0


def test_what_is_cancelled_is_not_tried_again(worker: Any, tmp_path: Path) -> None:
    ref = worker.nap_again.remote()
    wait_until((tmp_path / "naps").exists, "the coroutine to wait")

    pa.cancel(ref)

    assert is_cancelled(ref)
    assert pa.get(worker.ran_soon.remote()) == 1


# ---- what it has called ----------------------------------------------------------------------------------------------


# The last two call from asyncio's tasks, which they have started before they have called anything themselves.
@pytest.mark.parametrize("method", ["ask", "ask_blocking", "ask_in_tasks", "ask_in_a_loop_of_its_own"])
def test_what_a_cancelled_call_has_called_is_cancelled_too(worker: Any, tmp_path: Path, method: str) -> None:
    caller = Worker.remote(str(tmp_path), worker)
    ref = getattr(caller, method).remote()
    wait_until((tmp_path / "naps").exists, "the other to be called")

    pa.cancel(ref)

    assert is_cancelled(ref)
    wait_until((tmp_path / "woken").exists, "the other to be cancelled")
    assert pa.get(caller.ran.remote(), timeout=60) == 0


@pytest.mark.parametrize("method", ["ask", "ask_blocking"])
def test_what_it_has_called_goes_on_if_that_is_wanted(worker: Any, tmp_path: Path, method: str) -> None:
    caller = Worker.remote(str(tmp_path), worker)
    ref = getattr(caller, method).remote()
    wait_until((tmp_path / "naps").exists, "the other to be called")

    pa.cancel(ref, recursive=False)

    assert is_cancelled(ref)
    assert pa.get(caller.ran.remote(), timeout=60) == 0  # a thread that waited in get was woken
    assert pa.get(worker.ran_soon.remote()) == 0
    assert not (tmp_path / "woken").exists()


# ---- anything else ---------------------------------------------------------------------------------------------------


def test_cancelling_what_is_over_does_nothing(worker: Any) -> None:
    ref, put = worker.ran.remote(), pa.put(3)
    pa.get(ref)

    pa.cancel(ref)
    pa.cancel(put)

    assert pa.get([ref, put]) == [0, 3]


def test_many_calls_are_cancelled_at_once(worker: Any, tmp_path: Path) -> None:
    first = worker.sleep_deeply.remote("go")
    wait_until((tmp_path / "sleeps").exists, "the first to run")
    refs = [worker.run.remote() for _ in range(2000)]

    for ref in refs[::2]:
        pa.cancel(ref)

    assert all(is_cancelled(ref) for ref in refs[::2])
    (tmp_path / "go").touch()
    assert pa.get([first, *refs[1::2], worker.ran.remote()])[-1] == 1000


def test_whoever_borrows_a_ref_can_cancel_what_it_waits_for(worker: Any, tmp_path: Path) -> None:
    ref = worker.nap.remote()
    wait_until((tmp_path / "naps").exists, "the coroutine to wait")
    canceller = Canceller.remote()

    pa.get(canceller.cancel.remote([ref]))

    assert is_cancelled(ref)


@pa.actor
class Canceller:
    def cancel(self, refs: list[Any]) -> None:
        for ref in refs:
            pa.cancel(ref)


def test_what_cannot_be_cancelled_is_refused(worker: Any) -> None:
    with pytest.raises(TypeError, match="cancel takes an ObjectRef or an ObjectRefGenerator, not int"):
        pa.cancel(3)  # type: ignore[arg-type]  # this is the mistake
    waiting = worker.nap.remote()
    with pytest.raises(ValueError, match=r"force = True is not valid: .*to end an actor there is kill"):
        pa.cancel(waiting, force=True)
    pa.cancel(waiting)
    assert is_cancelled(waiting)


def test_calls_that_are_acknowledged_are_found_too(worker: Any, tmp_path: Path) -> None:
    first = worker.sleep_deeply.options(ack=True).remote("go")
    wait_until((tmp_path / "sleeps").exists, "the first to run")
    waiting = [worker.run.options(ack=True).remote() for _ in range(2)]

    pa.cancel(waiting[0])

    assert is_cancelled(waiting[0])
    (tmp_path / "go").touch()
    assert pa.get([first, waiting[1], worker.ran.remote()]) == [None, None, 1]


def test_a_function_called_on_a_node_is_cancelled(cluster: pa.Session, tmp_path: Path) -> None:
    ref = pa.rpc(cluster.node_name, doze, str(tmp_path))
    wait_until((tmp_path / "dozes").exists, "the function to wait")

    pa.cancel(ref)

    assert is_cancelled(ref)
    wait_until((tmp_path / "woken").exists, "the function to be cancelled")


async def doze(folder: str) -> None:
    Path(folder, "dozes").touch()
    try:
        await asyncio.Event().wait()
    finally:
        Path(folder, "woken").touch()


async def test_a_call_that_is_relayed_can_be_cancelled(tmp_path: Path) -> None:
    async with nodes("a", "b", "c", routing="relay") as cluster:
        with cluster.at("a"):
            workers = [Worker.options(placement=pa.NodeAffinity(name)).remote(str(tmp_path)) for name in ("b", "c")]
            refs = [worker.nap.remote() for worker in workers]
            await asyncio.to_thread(wait_until, (tmp_path / "naps").exists, "a coroutine to wait")
            for ref in refs:
                pa.cancel(ref)
        for ref in refs:
            with pytest.raises(pa.TaskCancelled):
                await ref


class Held:
    """A thread whose jobs begin when they are let go."""

    def __init__(self, name: str) -> None:
        self.jobs: list[Callable[[], None]] = []
        self.run = self.jobs.append

    def stop(self) -> None:
        self.jobs.clear()


@pa.task
def touch(path: str) -> None:
    Path(path).touch()


async def test_a_task_that_has_room_and_has_not_begun_is_cancelled_before_it_does(tmp_path: Path) -> None:
    async with nodes("a") as cluster:
        runtime, threads = cluster["a"], []
        runtime.system.make_thread = lambda name: threads.append(Held(name)) or threads[-1]
        with cluster.at("a"):
            ref = touch.remote(str(tmp_path / "ran"))
            await until(lambda: runtime.executor.running_tasks)
            (waiting,) = runtime.executor.running_tasks.values()

            pa.cancel(ref)
            await until(lambda: waiting.is_unwanted)
            await asyncio.to_thread(threads[0].jobs.pop())

            with pytest.raises(pa.TaskCancelled):
                await asyncio.wait_for(ref, 60)
        await until(lambda: not runtime.executor.running_tasks)
    assert not (tmp_path / "ran").exists()
