"""Blocking code in virtual time: real threads, of which one at a time runs, and only while its loop stands still."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest

from partisan_actors.actors.blocking import gate
from partisan_actors.simulation.lockstep import LockstepThread
from partisan_actors.simulation.loop import Loops, VirtualLoop
from partisan_actors.simulation.users_time import users_time


@pytest.fixture
def loops() -> Iterator[Loops]:
    made = Loops()
    yield made
    made.close()


def thread_of(loop: VirtualLoop) -> LockstepThread:
    return LockstepThread("thread", loop)


def test_jobs_run_in_order_each_to_its_end(loops: Loops) -> None:
    told: list[int] = []
    thread = thread_of(loops.make("a"))

    for number in range(5):
        thread.run(lambda number=number: told.append(number))
    assert told == []
    loops.run_for(0.0)

    assert told == [0, 1, 2, 3, 4]
    thread.stop()
    loops.run_for(0.0)


def test_sleeping_threads_spend_virtual_time_side_by_side(loops: Loops) -> None:
    told: list[tuple[str, float]] = []
    loop = loops.make("a")

    def job(name: str, seconds: float) -> None:
        for _ in range(2):
            time.sleep(seconds)
            told.append((name, time.monotonic()))

    threads = [thread_of(loop), thread_of(loop)]
    with users_time(loops.time, random.Random(1)):
        threads[0].run(lambda: job("slow", 100.0))
        threads[1].run(lambda: job("quick", 30.0))
        loops.run_for(1000.0)

    assert told == [("quick", 30.0), ("quick", 60.0), ("slow", 100.0), ("slow", 200.0)]
    for thread in threads:
        thread.abandon()


def test_a_gate_lets_a_thread_go_on_when_it_is_opened_and_not_before(loops: Loops) -> None:
    loop = loops.make("a")
    told: list[tuple[bool, float]] = []
    made = []

    def job() -> None:
        made.append(gate())
        told.append((made[0].wait(5.0), loops.time.now_s))
        told.append((made[0].wait(), loops.time.now_s))
        told.append((made[0].wait(0.0), loops.time.now_s))

    thread = thread_of(loop)
    thread.run(job)
    loop.call_later(60.0, lambda: made[0].open())
    loops.run_for(100.0)

    assert told == [(False, 5.0), (True, 60.0), (False, 60.0)]
    thread.abandon()


def test_an_abandoned_thread_ends_where_it_waits(loops: Loops) -> None:
    thread = thread_of(loops.make("a"))
    before = set(threading.enumerate())
    told: list[str] = []

    def job() -> None:
        gate().wait()
        told.append("not reached")

    thread.run(job)
    thread.run(lambda: told.append("not begun"))
    loops.run_for(1.0)
    (blocked,) = set(threading.enumerate()) - before

    thread.abandon()

    assert told == []
    blocked.join(60.0)
    assert not blocked.is_alive()


def test_a_thread_that_swallows_its_end_still_ends(loops: Loops) -> None:
    loop = loops.make("a")
    thread = thread_of(loop)
    told: list[str] = []

    def job() -> None:
        for _ in range(3):
            try:
                thread.sleep(1000.0)
            except BaseException as error:  # noqa: BLE001 - the planted mistake
                told.append(type(error).__name__)

    thread.run(job)
    loops.run_for(1.0)
    thread.abandon()
    loops.run_for(2000.0)  # the timer of its sleep comes, and finds nobody

    assert told == ["ThreadEnded"] * 3


def test_a_thread_that_never_gives_its_turn_back_ends_the_run(loops: Loops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partisan_actors.simulation.lockstep.TURN_S", 0.05)
    thread = thread_of(loops.make("a"))
    released = threading.Event()

    thread.run(lambda: (released.wait(30.0), None)[1])
    with pytest.raises(
        RuntimeError, match=r"thread has not waited for anything for 0.05 real seconds: .*test_lockstep"
    ):
        loops.run_for(1.0)
    released.set()
