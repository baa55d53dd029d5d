"""What becomes of isolated work, and of what it held, when processes around it end; and that nothing is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

import partisan_actors as pa
from partisan_actors.api.inspection import Inspection
from partisan_actors.scheduler.environment import Environment
from partisan_actors.scheduler.processes import Share
from tests.integration.on_loop import on_loop
from tests.integration.programs import Programs, is_gone, wait_until, workers_of


@pa.actor(isolation="process")
class Alone:
    def __init__(self, start: int = 0) -> None:
        self.value = start

    def add(self, amount: int) -> int:
        self.value += amount
        return self.value

    def pid(self) -> int:
        return os.getpid()

    def start_a_child(self) -> int:
        return subprocess.Popen(["sleep", "600"]).pid


@pytest.fixture
def room() -> Iterator[pa.Session]:
    """A session of its own with one worker, for tests that count what it has."""
    with pa.init(workers=1) as session:
        yield session


def test_what_an_isolated_actor_holds_is_free_when_its_process_has_ended(room: pa.Session) -> None:
    first = Alone.options(num_cpus=1).remote()
    pid = pa.get(first.pid.remote())
    second = Alone.options(num_cpus=1).remote()
    waiting = second.add.remote(1)
    wait_until(lambda: not pa.available_resources().get("num_cpus"), "the first one's CPU to be known as taken")
    assert not waiting.done()

    os.kill(pid, signal.SIGKILL)

    assert waiting.result(60) == 1


def test_why_it_ended_is_listed_although_what_its_process_told_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lose(self: Inspection, peer: Any, text: str) -> None:
        pass

    monkeypatch.setattr(Inspection, "process_told", lose)
    with pa.init(workers=0, hosts_actors=True):
        killed, dropped = Alone.options(num_cpus=0).remote(), Alone.options(num_cpus=0).remote()
        pa.get([killed.pid.remote(), dropped.pid.remote()])
        wanted = {str(killed._location.actor): "killed", str(dropped._location.actor): "out of scope"}

        pa.kill(killed)
        del dropped
        gc.collect()

        def up() -> list[str]:
            return [row["name"] for row in pa.nodes(processes=True) if row["state"] not in ("left", "down")]

        def ends() -> dict[str, str]:
            return {row["id"]: row["kind"] for row in pa.list_actors(state="stopped")}

        wait_until(lambda: len(up()) == 1, "both processes to be gone, which tell of their actors, too")
        wait_until(lambda: ends().keys() == wanted.keys(), "both ends to be listed")
        assert ends() == wanted


@pa.actor
class Coloured:
    def colour(self) -> tuple[str | None, int]:
        return os.environ.get("COLOUR"), os.getpid()


def test_the_environment_of_a_session_is_that_of_all_it_starts_and_templates_may_be_there_before() -> None:
    with pa.init(workers=1, runtime_env={"env_vars": {"COLOUR": "green"}}, prestart=True):
        (worker,) = workers_of(os.getpid())
        (template,) = wait_until(worker.children, "the template to be started with its worker")

        colour, pid = pa.get(Coloured.remote().colour.remote(), timeout=60)

        assert colour == "green"
        assert pid in {child.pid for child in template.children()}


def test_an_environment_that_is_none_is_refused_where_it_is_given() -> None:
    with pytest.raises(pa.ConfigError, match="env_vars"):
        pa.init(workers=1, runtime_env={"env_vars": {"COLOUR": 7}})

    assert not pa.is_initialized()


def test_when_its_host_is_killed_it_is_gone_and_made_again_elsewhere() -> None:
    with pa.init(workers=2) as session:
        actor = Alone.options(max_restarts=1).remote(3)
        pid = pa.get(actor.pid.remote())
        (host,) = wait_until(
            lambda: [row["hosted_by"] for row in pa.nodes(processes=True) if row["pid"] == pid],
            "its node to be known here",
        )
        worker = next(row["pid"] for row in pa.nodes() if row["name"] == host)
        assert worker in session.worker_pids

        os.kill(worker, signal.SIGKILL)

        wait_until(lambda: is_gone(pid), "its process to end with its host")
        answer = wait_until(lambda: added(actor), "it to be made again")
        assert answer == 4


def added(actor: Any) -> int | None:
    """What the actor answers, None while it cannot be reached."""
    try:
        return pa.get(actor.add.remote(1), timeout=60)
    except pa.ActorUnavailable:
        return None


# ---- nothing is left -------------------------------------------------------------------------------------------------

ALL_KINDS = """
    import os
    import subprocess
    import sys
    import partisan_actors as pa

    @pa.actor(isolation="process")
    class Parent:
        def start_a_child(self):
            return subprocess.Popen(["sleep", "600"]).pid

    @pa.task(isolation="process")
    def process():
        return os.getpid()

    if __name__ == "__main__":
        with pa.init(workers=2):
            parents = [Parent.remote() for _ in range(3)]
            pids = pa.get([parent.start_a_child.remote() for parent in parents])
            pa.get([process.remote() for _ in range(3)])
            print("ready", *pids, flush=True)
            sys.stdin.readline()
"""


def test_nothing_is_left_of_a_driver_that_is_killed(programs: Programs) -> None:
    program = programs.start(ALL_KINDS, stdin=subprocess.PIPE)
    program.wait_for("ready")
    assert len(program.survivors()) >= 1 + 2 + 2 + 3 + 3 + 1  # driver, workers, templates, actors, children, a task

    program.send(signal.SIGKILL)

    program.assert_nothing_left()


def test_nothing_is_left_of_a_driver_that_ends(programs: Programs) -> None:
    program = programs.start(ALL_KINDS, stdin=subprocess.PIPE)
    program.wait_for("ready")
    stdin = program.process.stdin
    assert stdin is not None

    stdin.write("\n")
    stdin.close()

    assert program.wait() == 0, program.output
    program.assert_nothing_left()


@pytest.fixture
def hosting() -> Iterator[tuple[pa.Session, psutil.Process]]:
    """A session whose own node hosts one process, and the template of that; what stands still goes on at the end."""
    session = pa.init(workers=0, hosts_actors=True)
    try:
        first = Alone.options(num_cpus=0, name="first").remote()
        template = psutil.Process(pa.get(first.pid.remote())).parent()
        assert template is not None and template.ppid() == os.getpid()
        yield session, template
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            template.resume()
        pa.shutdown()


def asked_for(session: pa.Session) -> int:
    """How many processes the session's node has, or has asked its template for."""
    return on_loop(session, lambda: len(session.runtime.scheduler.processes._names))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere what an actor has started may stay")
def test_a_node_that_ends_while_it_starts_a_process_leaves_nothing_of_those_before(
    hosting: tuple[pa.Session, psutil.Process],
) -> None:
    session, template = hosting
    child = pa.get(pa.get_actor("first").start_a_child.remote())
    template.suspend()
    second = Alone.options(num_cpus=0).remote()
    wait_until(lambda: asked_for(session) == 2, "the second process to be asked for")

    pa.shutdown()
    template.resume()

    wait_until(lambda: is_gone(template.pid) and is_gone(child), "the template and the child to end")
    del second


@pytest.mark.skipif(sys.platform != "linux", reason="counts what is open in /proc")
def test_a_process_that_nobody_waits_for_any_more_leaves_nothing_open(
    hosting: tuple[pa.Session, psutil.Process],
) -> None:
    session, template = hosting
    processes, loop = session.runtime.scheduler.processes, session.runtime.node.loop
    template.suspend()
    before = len(os.listdir("/proc/self/fd"))
    starting = asyncio.run_coroutine_threadsafe(processes.start("nobody", Environment(), Share()), loop)
    wait_until(lambda: asked_for(session) == 2 and len(os.listdir("/proc/self/fd")) > before, "it to be asked for")

    starting.cancel()

    wait_until(lambda: asked_for(session) == 1 and len(os.listdir("/proc/self/fd")) <= before, "all to be closed")
    template.resume()
    wait_until(lambda: len(template.children()) == 1, "only the first process to be left")


def test_when_a_template_is_killed_its_processes_end_and_there_is_another(room: pa.Session) -> None:
    actor = Alone.remote()
    pid = pa.get(actor.pid.remote())
    (worker,) = workers_of(os.getpid())
    (template,) = worker.children()

    template.kill()

    wait_until(lambda: is_gone(pid), "the process to end with its template")
    with pytest.raises(pa.ActorStopped, match="template"):
        pa.get(actor.add.remote(1), timeout=60)
    assert pa.get(Alone.remote().add.remote(1), timeout=60) == 1
