"""Tests of a crew whose template or interpreters do not do what they should; real ones are in `integration`."""

from __future__ import annotations

import errno
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from partisan_actors.errors import NotYetConnected
from partisan_actors.node import workers
from partisan_actors.node.outputs import Outputs
from partisan_actors.node.printed import Line
from partisan_actors.node.spawner import Spawner
from partisan_actors.node.template_process import TemplateProcess
from partisan_actors.node.workers import SPAWN, Crew, TemplateKind, Worker, forks_workers

SOON_S = 60.0
# What `select` can wait for.
FD_SETSIZE = 1024

# Each is told settings first, then a number and three descriptors for each worker, then that there are no more.
REFUSING = """
import os, socket
s = socket.socket(fileno=os.dup(0))
data = b""
while b"last" not in data:
    part, descriptors, _, _ = socket.recv_fds(s, 4096, 3)
    data += part
    for descriptor in descriptors:
        os.close(descriptor)
for number in data.split(b"\\n")[1:-2]:
    s.sendall(b"failed " + number + b" 11\\n")
s.recv(1)
"""
FORKING = """
import os, socket
s = socket.socket(fileno=os.dup(0))
data, found = b"", []
while b"last" not in data:
    part, descriptors, _, _ = socket.recv_fds(s, 4096, 3)
    data += part
    found += descriptors
for number in data.split(b"\\n")[1:-2]:
    control, out, error = found[:3]
    del found[:3]
    pid = os.fork()
    if not pid:
        os.write(out, b"hello\\n")
        os._exit(os.read(control, 1) == b"s" and 3)
    os.close(control), os.close(out), os.close(error)
    s.sendall(b"forked %s %d\\n" % (number, pid))
while True:
    try:
        s.sendall(b"ended %d %d\\n" % os.waitpid(-1, 0))
    except ChildProcessError:
        break
"""


@pytest.fixture
def lines() -> list[Line]:
    return []


@pytest.fixture
def outputs(lines: list[Line]) -> Iterator[Outputs]:
    outputs = Outputs(lines.extend)
    yield outputs
    outputs.close()
    outputs.wait_closed(SOON_S)


@pytest.fixture
def crew_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: Outputs) -> Iterator[Callable[[str], Crew]]:
    """Two workers of a template that runs this program."""
    monkeypatch.chdir(tmp_path)
    crews: list[Crew] = []

    def crew_of(program: str) -> Crew:
        (tmp_path / "a_template.py").write_text(program)
        kind = TemplateKind("a_template", (), {})
        crews.append(Crew(["a", "b"], "no_such_module", kind, lambda: outputs))
        return crews[-1]

    yield crew_of
    for crew in crews:
        crew.kill()


def ends_of(crew: Crew) -> list[str]:
    """How its workers have ended, once all have."""
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        ends = [end for worker in crew.workers if (end := worker.epitaph()) is not None]
        if len(ends) == len(crew.workers):
            return ends
    raise AssertionError(f"not all have ended: {ends}")


def test_workers_are_forked_on_linux_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert forks_workers({}) and forks_workers({SPAWN: "0"})
    assert not forks_workers({SPAWN: "1"})

    monkeypatch.setattr("sys.platform", "darwin")
    assert not forks_workers({})


def test_a_fork_has_a_process_id_prints_and_ends_with_a_status(
    crew_of: Callable[[str], Crew], lines: list[Line], outputs: Outputs
) -> None:
    crew = crew_of(FORKING)
    pids = [worker.pid for worker in crew.workers]
    assert len({*pids, os.getpid()}) == 3
    assert [worker.epitaph() for worker in crew.workers] == [None, None]

    for worker in crew.workers:
        worker.ask_to_stop()

    assert ends_of(crew) == [f"worker process {pid} ended with exit status 3" for pid in pids]
    outputs.wait_ended(SOON_S)
    assert sorted((line.writer.pid, line.text) for line in lines) == [(pid, "hello") for pid in sorted(pids)]


def test_a_fork_that_is_killed_ends_by_the_signal(crew_of: Callable[[str], Crew]) -> None:
    crew = crew_of(FORKING)
    first, second = crew.workers
    pid = first.pid

    first.kill()

    assert first.epitaph() == f"worker process {pid} ended with exit status -9"
    assert second.epitaph() is None


def test_what_could_not_be_forked_says_why(crew_of: Callable[[str], Crew]) -> None:
    crew = crew_of(REFUSING)

    ends = ends_of(crew)

    assert all("no process could be forked" in end and os.strerror(11) in end for end in ends)
    assert [worker.pid for worker in crew.workers] == [0, 0]
    with pytest.raises(NotYetConnected, match="no process could be forked"):
        crew.workers[0].configure({"name": "a"})


def test_a_template_that_ends_at_once_leaves_no_worker_waited_for(crew_of: Callable[[str], Crew]) -> None:
    try:
        ends = ends_of(crew_of("raise SystemExit(1)"))
    except OSError as error:  # it has ended before it was asked for all of them: then there is no crew
        ends = [str(error)]

    assert all("the template process has ended" in end for end in ends)


def test_a_template_that_has_ended_says_with_which_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_template.py").write_text("raise SystemExit(3)")
    spawner = Spawner()
    template = TemplateProcess("a_template", (), {}, spawner)
    template.wait(SOON_S)

    for _ in range(2):
        with pytest.raises(BrokenPipeError, match="the template process has ended with exit status 3"):
            template.ask_no_more()
        template.close()
    spawner.close()


def test_a_crew_is_killed_while_its_template_still_loads(crew_of: Callable[[str], Crew]) -> None:
    crew = crew_of("import time\ntime.sleep(600)")

    crew.kill()

    assert all("the template process has ended" in end for end in ends_of(crew))


def test_when_a_pipe_cannot_be_made_the_others_are_closed(monkeypatch: pytest.MonkeyPatch, outputs: Outputs) -> None:
    made: list[tuple[int, int]] = []

    def pipe() -> tuple[int, int]:
        if made:
            raise OSError(errno.EMFILE, "too many open files")
        made.append(os.pipe())
        return made[0]

    def start(descriptors: object, begun: object) -> NoReturn:
        raise AssertionError("there is nothing to start it with")

    monkeypatch.setattr(workers, "_roomy_pipe", pipe)

    with pytest.raises(OSError, match="too many"):
        Worker("w", start, outputs)

    for end in made[0]:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)


def test_a_default_time_out_of_sockets_is_none_of_a_template(
    crew_of: Callable[[str], Crew],
) -> None:
    socket.setdefaulttimeout(0.05)
    try:
        crew = crew_of(FORKING)
        assert all(worker.pid for worker in crew.workers)
        assert [worker.epitaph() for worker in crew.workers] == [None, None]
    finally:
        socket.setdefaulttimeout(None)


def test_forks_are_waited_for_in_a_process_with_very_many_descriptors(
    crew_of: Callable[[str], Crew],
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = FD_SETSIZE + 200
    if hard != resource.RLIM_INFINITY and hard < many:
        pytest.skip(f"this process may have {hard} descriptors only")
    taken = [os.open(os.devnull, os.O_RDONLY)]
    try:
        if soft != resource.RLIM_INFINITY and soft < many:
            resource.setrlimit(resource.RLIMIT_NOFILE, (many, hard))
        while taken[-1] < FD_SETSIZE:
            taken.append(os.dup(taken[0]))

        pids = [worker.pid for worker in crew_of(FORKING).workers]
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert all(pids)


def test_workers_that_are_added_get_numbers_of_their_own(crew_of: Callable[[str], Crew]) -> None:
    crew = crew_of(FORKING)

    assert [crew.next_number(), crew.next_number()] == [3, 4]


def test_a_worker_that_is_dropped_has_ended_and_is_forgotten(crew_of: Callable[[str], Crew]) -> None:
    crew = crew_of(FORKING)
    another = crew.start_another("c")

    crew.drop(another)
    crew.drop(another)

    assert another.epitaph() is not None and another not in crew.workers
    with pytest.raises(NotYetConnected):
        another.configure({"name": "c"})


def test_a_crew_that_was_killed_starts_nobody_and_says_so(crew_of: Callable[[str], Crew]) -> None:
    crew = crew_of(FORKING)

    crew.kill()

    with pytest.raises(OSError, match="no process is started any more"):
        crew.start_another("c")
