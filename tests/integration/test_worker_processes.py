"""Workers as processes, both those that are forked from a template and those that are started by themselves."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sys
import uuid
from collections.abc import Iterator

import psutil
import pytest

import partisan_actors as pa
from partisan_actors.node.workers import SPAWN, forks_workers
from tests.integration.programs import is_gone, wait_until, workers_of

pytestmark = pytest.mark.slow


@pa.actor
class Worker:
    def drawn(self) -> tuple[float, str, int]:
        """What must not be the same in two processes, and which this is."""
        return random.random(), uuid.uuid4().hex, os.getpid()

    def around(self) -> tuple[str, bool, object]:
        """What a method finds around it: what runs, whether standard input is empty, who handles Ctrl-C."""
        return sys.modules["__main__"].__name__, os.read(0, 1) == b"", signal.getsignal(signal.SIGINT)

    def handed_on(self) -> list[int]:
        """Which descriptors, beside the standard ones, a program gets that a method starts without closing them."""
        return [number for number in map(int, os.listdir("/proc/self/fd")) if number > 2 and _is_handed_on(number)]


def _is_handed_on(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:
        return False  # the one that the folder was read by


@pytest.fixture(params=["forked", "started by itself"])
def two(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[pa.Session]:
    """A session with two workers of either kind."""
    monkeypatch.setenv(SPAWN, "1" if request.param == "started by itself" else "0")
    if request.param == "forked" and not forks_workers(os.environ):
        pytest.skip("workers are not forked on this system")
    with pa.init(workers=2) as session:
        yield session


def spread() -> list[pa.ActorHandle[Worker]]:
    return [Worker.options(scheduling_strategy="SPREAD").remote() for _ in range(4)]


def test_workers_draw_different_numbers_and_are_the_processes_that_the_session_says(two: pa.Session) -> None:
    numbers, ids, pids = zip(*pa.get([worker.drawn.remote() for worker in spread()], timeout=60), strict=True)

    assert len(set(numbers)) == len(set(ids)) == 4
    assert set(pids) == set(two.worker_pids)
    assert {process.pid for process in workers_of(os.getpid())} == set(two.worker_pids)


def test_a_method_finds_an_empty_standard_input_and_ctrl_c_ignored(two: pa.Session) -> None:
    found = pa.get([each.around.remote() for each in spread()], timeout=60)

    assert found == [("__main__", True, signal.SIG_IGN)] * 4


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_hands_no_descriptor_on_to_what_it_starts(two: pa.Session) -> None:
    assert pa.get([each.handed_on.remote() for each in spread()], timeout=60) == [[]] * 4


def test_a_worker_that_is_killed_is_told_of_and_the_other_goes_on(two: pa.Session) -> None:
    victim, other = two.worker_pids

    os.kill(victim, signal.SIGKILL)

    ended = wait_until(two.ended_workers, "the session to know")
    assert list(ended.values()) == [f"worker process {victim} ended with exit status -9"]
    wait_until(lambda: [row["state"] for row in pa.nodes()].count("up") == 2, "the nodes to know")
    assert pa.get(Worker.remote().drawn.remote(), timeout=60)[2] == other


def test_workers_that_are_added_at_once_are_nodes_with_names_of_their_own() -> None:
    with pa.init(workers=1) as session:
        loop = session.runtime.node.loop

        adding = [asyncio.run_coroutine_threadsafe(session.add_worker(), loop) for _ in range(2)]

        added = {each.result(60) for each in adding}
        assert added == {f"{session.node_name}-w2", f"{session.node_name}-w3"}
        assert added < {row["name"] for row in pa.nodes()}
    assert all(map(is_gone, session.worker_pids))


def test_a_worker_that_is_added_and_is_no_node_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pa.init(workers=1) as session:
        monkeypatch.setattr(sys, "executable", shutil.which("false"))

        adding = asyncio.run_coroutine_threadsafe(session.add_worker(), session.runtime.node.loop)

        with pytest.raises(pa.NotYetConnected):
            adding.result(60)
        assert len(session.worker_pids) == 1


def test_workers_that_have_ended_do_not_count_towards_how_many_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partisan_actors.api.starting.WORKERS_MAX", 2)
    with pa.init(workers=2) as session:
        loop = session.runtime.node.loop
        with pytest.raises(pa.ConfigError, match="at most 2"):
            asyncio.run_coroutine_threadsafe(session.add_worker(), loop).result(60)
        victim, other = session.worker_pids
        os.kill(victim, signal.SIGKILL)
        wait_until(session.ended_workers, "the session to know")

        name = asyncio.run_coroutine_threadsafe(session.add_worker(), loop).result(60)

        assert name in {row["name"] for row in pa.nodes()}
        assert other in session.worker_pids and victim not in session.worker_pids and len(session.worker_pids) == 2


def test_workers_that_were_forked_end_with_what_is_left_of_their_template(monkeypatch: pytest.MonkeyPatch) -> None:
    if not forks_workers(os.environ):
        pytest.skip("workers are not forked on this system")
    with pa.init(workers=2) as session:
        pids = session.worker_pids
        (parent,) = {psutil.Process(pid).ppid() for pid in pids}
        assert parent != os.getpid()

        os.kill(parent, signal.SIGKILL)

        ended = wait_until(lambda: len(session.ended_workers()) == 2 and session.ended_workers(), "the session to know")
        assert all("ended with its template process" in how for how in ended.values())
        wait_until(lambda: all(map(is_gone, pids)), "them to be gone")
