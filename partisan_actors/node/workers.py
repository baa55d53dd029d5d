"""Child processes that are nodes: started at once, configured over a pipe, and gone when their parent is.

A worker gets its settings as one line of JSON on its control pipe and watches that pipe for the rest of its life: a
line ``stop`` asks it to leave, and the end of the pipe, which is how a killed parent looks, ends it at once.

The workers of a session are forks of one template where that is safe, which is on Linux: what all need is loaded once,
and in memory once. Elsewhere, and with SPAWN in the environment, each is an interpreter of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from typing import Any, Final, NamedTuple, Protocol

from partisan_actors.errors import NotYetConnected
from partisan_actors.node.outputs import Outputs
from partisan_actors.node.printed import Writer
from partisan_actors.node.spawner import Spawner
from partisan_actors.node.template_process import FORK_S, TemplateProcess

__all__ = ["SPAWN", "STOP_S", "Crew", "TemplateKind", "Worker", "forks_workers"]

STOP_S: Final = 2.0
# How long the system may take to end a process that was killed.
KILL_S: Final = 10.0
# What a worker may print before anybody reads it, where the system can be asked for that.
PIPE_BYTES: Final = 1024 * 1024
LOOK_S: Final = 0.1
# In the environment, "1": workers are not forked, but started one by one.
SPAWN: Final = "PARTISAN_SPAWN_WORKERS"


def forks_workers(environment: Mapping[str, str]) -> bool:
    """Whether workers are forked from a template here, rather than started one by one."""
    return sys.platform == "linux" and environment.get(SPAWN, "") in ("", "0")


class TemplateKind(NamedTuple):
    """The template that workers are forked from: ``python -m module arguments``, which is told `settings`."""

    module: str
    arguments: tuple[str, ...]
    settings: Mapping[str, Any]


class _Life(Protocol):
    """The process of a worker, however it came to be."""

    @property
    def pid(self) -> int:
        """Its process id; waits for it where it is not known yet, and is 0 when it will never be."""

    def epitaph(self) -> str | None:
        """How it ended, or None while it runs."""

    def kill(self) -> None:
        """End it now, and collect it."""


# Starts a process with these three descriptors: control, output and errors. Its id is told to the other one, or None.
_Start = Callable[[Sequence[int], Callable[[int | None], None]], _Life]


class Worker:
    """One child process."""

    def __init__(self, name: str, start: _Start, outputs: Outputs) -> None:
        """What it prints is read by `outputs`. Raises OSError when it cannot be started."""
        self.name = name
        self._outputs = outputs
        pipes: list[tuple[int, int]] = []
        self._unread: list[int] = []
        try:
            # One may fail, for want of descriptors.
            pipes.extend(make() for make in (os.pipe, _roomy_pipe, _roomy_pipe))
            (control, self._control), (output, its_output), (errors, its_errors) = pipes
            self._unread = [output, errors]
            self._life = start((control, its_output, its_errors), self._begun)
        except BaseException:
            for descriptor in {end for pipe in pipes for end in pipe}:
                os.close(descriptor)
            raise
        for descriptor in (control, its_output, its_errors):
            os.close(descriptor)

    @property
    def pid(self) -> int:
        """Its process id. Waits until it is known; 0 when there is none."""
        return self._life.pid

    def configure(self, settings: dict[str, Any]) -> None:
        """Tell it who it is. Raises NotYetConnected when it has died already."""
        try:
            self._say(json.dumps(settings).encode())
        except OSError as error:
            raise NotYetConnected(self.name, self.epitaph() or str(error)) from error

    def epitaph(self) -> str | None:
        """How it ended, or None while it runs."""
        return self._life.epitaph()

    def ask_to_stop(self) -> None:
        """Let it leave the cluster and end."""
        with contextlib.suppress(OSError):
            self._say(b"stop")

    def kill(self) -> None:
        """End it now, and collect it. May be called twice."""
        self._life.kill()
        control, self._control = self._control, -1
        if control >= 0:
            os.close(control)

    def _say(self, line: bytes) -> None:
        data = memoryview(line + b"\n")
        while data:
            data = data[os.write(self._control, data) :]

    def _begun(self, pid: int | None) -> None:
        """Read what the process prints; or let go of the pipes, when there is none."""
        unread, self._unread = self._unread, []
        for descriptor, is_error in zip(unread, (False, True), strict=False):
            if pid is None:
                os.close(descriptor)
            else:
                writer = Writer("", pid, self.name)
                self._outputs.add(descriptor, writer, is_error=is_error, at_end=lambda: None)


class Crew:
    """The workers of a session, and what started them. From any thread."""

    def __init__(
        self, names: Sequence[str], module: str, template: TemplateKind | None, outputs: Callable[[], Outputs]
    ) -> None:
        """Start one for each name: as a fork of `template`, or without one as ``python -m module``.

        Raises OSError when that cannot be; then none is left.
        """
        self.workers: list[Worker] = []
        self._numbers = itertools.count(len(names) + 1)
        self._module = module
        self._outputs = outputs
        self._spawner = Spawner() if names else None
        self._forks: _Forks | None = None
        if self._spawner is None:
            return
        try:
            if template is not None:
                self._forks = _Forks(template, self._spawner)
            start = self._forks.start if self._forks is not None else _starting(module, self._spawner)
            for name in names:
                self.workers.append(Worker(name, start, outputs()))
            if self._forks is not None:
                self._forks.start_no_more()
        except BaseException:
            self.kill()
            raise

    def next_number(self) -> int:
        """For the name of one more: no two get the same, though they start at the same time."""
        return next(self._numbers)

    def start_another(self, name: str) -> Worker:
        """One more, which is started by itself: there is no template any more. Raises OSError when that cannot be."""
        if self._spawner is None:
            self._spawner = Spawner()
        worker = Worker(name, _starting(self._module, self._spawner), self._outputs())
        self.workers.append(worker)
        return worker

    def drop(self, worker: Worker) -> None:
        """End one now, and forget it."""
        worker.kill()
        with contextlib.suppress(ValueError):  # it was forgotten already
            self.workers.remove(worker)

    async def stop(self, patience_s: float) -> None:
        """Let all of them leave; kill those that take longer than `patience_s`."""
        for worker in self.workers:
            worker.ask_to_stop()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while any(w.epitaph() is None for w in self.workers) and loop.time() < deadline:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        for worker in self.workers:
            worker.kill()

    def kill(self) -> None:
        """End all of them now, and what started them. May be called twice."""
        for worker in self.workers:
            worker.kill()
        if self._forks is not None:
            self._forks.close()
        if self._spawner is not None:
            self._spawner.close()


class _Forks:
    """Forks of one template; whoever asks after one of them hears what the template has said of all."""

    def __init__(self, kind: TemplateKind, spawner: Spawner) -> None:
        self._lock = RLock()
        self._template = TemplateProcess(kind.module, kind.arguments, kind.settings, spawner)

    def start(self, descriptors: Sequence[int], begun: Callable[[int | None], None]) -> _Life:
        fork = _Fork(self, begun)
        with self._lock:
            self._template.ask(fork, descriptors, waits=True)
        return fork

    def start_no_more(self) -> None:
        self._template.ask_no_more()

    def hear(self) -> None:
        with self._lock:
            self._template.hear()

    def hear_until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        """Wait for `condition`, or the end of the template, but no longer than about that."""
        self.hear()
        waiting = select.poll()  # and not `select`, which can wait for the first 1,024 descriptors only
        with contextlib.suppress(ValueError):  # it has been closed: then it is over
            waiting.register(self._template.fileno(), select.POLLIN)
        for _ in range(int(timeout_s / LOOK_S)):
            if condition() or self._template.is_over:
                return
            waiting.poll(LOOK_S * 1000)  # another thread may hear it meanwhile, or close it
            self.hear()

    def close(self) -> None:
        with self._lock:
            self._template.close()
            self._template.wait(KILL_S)


class _Fork:
    """One of them: a `template_process.Asked`."""

    def __init__(self, forks: _Forks, begun: Callable[[int | None], None]) -> None:
        self._forks = forks
        self._begun = begun
        self._pid = 0
        self._epitaph: str | None = None

    @property
    def pid(self) -> int:
        self._forks.hear_until(self._is_settled, FORK_S)
        return self._pid

    def epitaph(self) -> str | None:
        self._forks.hear()
        return self._epitaph

    def kill(self) -> None:
        self._forks.hear()
        if self._epitaph is None and self._pid:  # what is not forked yet is not, once the template is closed
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._forks.hear_until(lambda: self._epitaph is not None, KILL_S)

    def _is_settled(self) -> bool:
        return self._pid != 0 or self._epitaph is not None

    def forked(self, pid: int) -> None:
        self._pid = pid
        self._begun(pid)

    def failed(self, error: OSError) -> None:
        self._epitaph = f"no process could be forked for it ({error})"
        self._begun(None)

    def ended(self, status: int | None) -> None:
        its = "its template process" if status is None else f"exit status {os.waitstatus_to_exitcode(status)}"
        self._epitaph = f"worker process {self._pid} ended with {its}"


def _starting(module: str, spawner: Spawner) -> _Start:
    """Start interpreters that run `module`."""

    def start(descriptors: Sequence[int], begun: Callable[[int | None], None]) -> _Life:
        control, out, errors = descriptors
        command = [sys.executable, "-m", module]
        process = spawner.run(
            lambda: subprocess.Popen(command, stdin=control, stdout=out, stderr=errors, close_fds=True)
        )
        begun(process.pid)
        return _Interpreter(process)

    return start


class _Interpreter:
    """A worker that was started by itself."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def epitaph(self) -> str | None:
        code = self._process.poll()
        return None if code is None else f"worker process {self.pid} ended with exit status {code}"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def _roomy_pipe() -> tuple[int, int]:
    read_end, write_end = os.pipe()
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # this user has too many of them
            fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return read_end, write_end
