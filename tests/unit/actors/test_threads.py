"""Tests of the threads of blocking methods: each actor keeps its own while the node can afford it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from partisan_actors.actors.threads import ActorThread, Threads

KEPT = 2


@dataclass(eq=False)
class Tenant:
    """Stands for a cell."""

    thread: ActorThread | None = None
    is_thread_busy: bool = False
    dedicated_thread: bool = False


@pytest.fixture
def threads() -> Iterator[Threads]:
    made = Threads("test", KEPT, ActorThread)
    yield made
    made.close()


def run(thread: ActorThread, job: Callable[[], Any]) -> Any:
    """Run a job on the thread and return its result."""
    result: list[Any] = []
    done = threading.Event()

    def whole() -> None:
        try:
            result.append(job())
        finally:
            done.set()

    thread.run(whole)
    assert done.wait(30)
    return result[0] if result else None


def is_over(thread: ActorThread) -> bool:
    """Whether the thread ends now."""
    thread._thread.join(30)
    return not thread._thread.is_alive()


def test_jobs_run_one_after_another_on_one_thread_of_their_own() -> None:
    thread = ActorThread("a thread")
    seen: list[Any] = []
    for number in range(100):
        thread.run(lambda number=number: seen.append((number, threading.current_thread().name)))
    run(thread, lambda: None)

    assert seen == [(number, "a thread") for number in range(100)]
    thread.stop()
    assert is_over(thread)


def test_what_waits_when_a_thread_is_stopped_still_runs() -> None:
    thread = ActorThread("a thread")
    gate, seen = threading.Event(), []
    thread.run(gate.wait)
    thread.run(lambda: seen.append(1))

    thread.stop()
    gate.set()

    assert is_over(thread) and seen == [1]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
def test_an_error_in_a_job_is_logged_and_the_next_job_runs(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    thread = ActorThread("a thread")
    run(thread, fail)

    assert run(thread, lambda: 5) == 5
    assert "a job of thread a thread failed" in caplog.text
    thread.stop()


def test_an_actor_keeps_its_thread(threads: Threads) -> None:
    tenant = Tenant()

    thread = threads.lease(tenant)

    assert tenant.thread is thread and run(thread, lambda: 1) == 1


def test_the_thread_of_an_actor_that_ended_serves_the_next_one(threads: Threads) -> None:
    first, second = Tenant(), Tenant()
    thread = threads.lease(first)

    threads.give_back(first)

    assert first.thread is None
    assert threads.lease(second) is thread


def test_beyond_what_is_kept_an_idle_actor_gives_its_thread_up(threads: Threads) -> None:
    tenants = [Tenant() for _ in range(KEPT)]
    leased = [threads.lease(tenant) for tenant in tenants]

    newcomer = Tenant()
    thread = threads.lease(newcomer)

    assert thread is leased[0] and tenants[0].thread is None
    assert tenants[1].thread is leased[1]


def test_a_busy_thread_and_a_dedicated_one_are_never_taken(threads: Threads) -> None:
    busy, dedicated, newcomer = Tenant(is_thread_busy=True), Tenant(dedicated_thread=True), Tenant()
    threads.lease(busy)
    threads.lease(dedicated)

    thread = threads.lease(newcomer)

    assert thread not in (busy.thread, dedicated.thread)
    assert run(thread, lambda: 1) == 1


def test_no_more_threads_stay_idle_than_are_kept(threads: Threads) -> None:
    tenants = [Tenant(is_thread_busy=True) for _ in range(KEPT + 2)]
    leased = [threads.lease(tenant) for tenant in tenants]

    for tenant in tenants:
        tenant.is_thread_busy = False
        threads.give_back(tenant)

    assert [is_over(thread) for thread in leased[KEPT:]] == [True, True]
    assert [run(thread, lambda: 1) for thread in leased[:KEPT]] == [1, 1]


def test_a_thread_that_is_busy_when_its_actor_ends_is_left_to_end_by_itself(threads: Threads) -> None:
    tenant = Tenant()
    thread = threads.lease(tenant)
    gate = threading.Event()
    thread.run(gate.wait)
    tenant.is_thread_busy = True

    threads.give_back(tenant)

    assert threads.lease(Tenant()) is not thread
    gate.set()
    assert is_over(thread)


def test_an_actor_that_never_blocked_has_nothing_to_give_back(threads: Threads) -> None:
    threads.give_back(Tenant())

    assert run(threads.lease(Tenant()), lambda: 1) == 1


def test_close_ends_every_thread() -> None:
    threads = Threads("test", KEPT, ActorThread)
    tenants = [Tenant() for _ in range(3)]
    leased = [threads.lease(tenant) for tenant in tenants]
    free = Tenant()
    leased.append(threads.lease(free))
    threads.give_back(free)

    threads.close()

    assert all(is_over(thread) for thread in leased if thread is not None)
    assert all(tenant.thread is None for tenant in tenants)
