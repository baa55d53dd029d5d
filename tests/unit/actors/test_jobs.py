"""Tests of the queue of a thread's jobs: in order, none forgotten, and whoever sleeps is woken."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest

from partisan_actors.actors import jobs
from partisan_actors.actors.jobs import JobQueue, job_queue

DEADLINE_S = 60.0
MANY = 20_000


def plain() -> JobQueue[int]:
    return jobs._Plain()


@pytest.fixture(params=[job_queue, plain], ids=["of this system", "plain"])
def queue(request: pytest.FixtureRequest) -> JobQueue[int]:
    make: Callable[[], JobQueue[int]] = request.param
    return make()


def test_what_is_put_is_got_in_that_order(queue: JobQueue[int]) -> None:
    for number in range(3):
        queue.put(number)

    assert [queue.get() for _ in range(3)] == [0, 1, 2]
    queue.close()


def test_a_thread_that_gets_has_every_job_of_one_that_puts_meanwhile(queue: JobQueue[int]) -> None:
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.extend(queue.get() for _ in range(MANY)), daemon=True)
    thread.start()

    for number in range(MANY):
        queue.put(number)

    thread.join(DEADLINE_S)
    assert got == list(range(MANY))
    queue.close()


def test_two_threads_that_wake_each_other_in_turn_never_both_sleep() -> None:
    there: JobQueue[int] = job_queue()
    back: JobQueue[int] = job_queue()

    def answer() -> None:
        for _ in range(2_000):
            back.put(there.get() + 1)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    for number in range(2_000):
        there.put(number)
        assert back.get() == number + 1

    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    there.close()
    back.close()


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="this system has no eventfd")
def test_what_is_closed_gives_its_descriptor_back(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    closed: list[int] = []
    eventfd, close = os.eventfd, os.close
    monkeypatch.setattr(os, "eventfd", lambda *args: opened.append(eventfd(*args)) or opened[-1])
    monkeypatch.setattr(os, "close", lambda descriptor: (closed.append(descriptor), close(descriptor)))

    job_queue().close()

    assert opened and closed == opened


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="this system has no eventfd")
def test_who_saw_a_thread_asleep_that_has_closed_since_writes_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    queue: JobQueue[int] = job_queue()
    assert isinstance(queue, jobs._Waking)
    queue.close()
    written: list[int] = []
    monkeypatch.setattr(os, "eventfd_write", lambda descriptor, value: written.append(descriptor))

    queue._sleeps = True  # as it was when the other one looked
    queue.put(1)

    assert not written


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="this system has no eventfd")
def test_where_descriptors_are_scarce_a_queue_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "DESCRIPTORS_SHARE", 10**9)

    assert isinstance(job_queue(), jobs._Plain)

    def none_left(*_: int) -> int:
        raise OSError(24, "too many open files")

    monkeypatch.setattr(jobs, "DESCRIPTORS_SHARE", 1)
    monkeypatch.setattr(os, "eventfd", none_left)
    assert isinstance(job_queue(), jobs._Plain)
