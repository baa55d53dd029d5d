"""Programs that tests run as processes of their own, and ways to see that nothing of a process is left."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Final

import psutil
import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
MARK: Final = "PARTISAN_TEST_MARK"


# For parameters `within_s`: that it happens, on any machine, and that it happens in time, on a quiet one.
SOON: Final = (60.0, pytest.param(2.0, marks=pytest.mark.perf))


def wait_until(condition: Callable[[], Any], what: str, timeout_s: float = 60.0) -> Any:
    """The first true answer of `condition`; an AssertionError naming `what` when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s for {what}"
        time.sleep(0.01)
    return answer


def workers_of(pid: int) -> list[psutil.Process]:
    """The worker processes below `pid` that still run."""
    try:
        return [child for child in psutil.Process(pid).children(recursive=True) if _is_worker(child)]
    except psutil.NoSuchProcess:
        return []


def roomy_memory(folders: pytest.TempPathFactory) -> Path:
    """Where nodes can share a gigabyte: containers often have a /dev/shm of 64 MB, and then files have to do."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30 else folders.mktemp("memory")


def children() -> set[int]:
    """The processes that this one has started and that are still there, whoever started them.

    Other modules' tests leave some that stay for good: the tracker of multiprocessing's resources is one.
    """
    return {child.pid for child in psutil.Process().children()}


def is_gone(pid: int) -> bool:
    """Whether there is no such process, or only what its parent has not collected yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def marked(mark: str) -> list[psutil.Process]:
    """Every live process that was started, directly or not, with that mark in its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _is_worker(process: psutil.Process) -> bool:
    try:
        command = process.cmdline()
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if "partisan_actors.api.worker" in command:
            return True
        # A fork has the command of the template, which has that of something else once it has forked.
        parent = process.parent()
        is_fork = parent is not None and (parent.cmdline() == command or parent.cmdline()[1:3] == ["-I", "-S"])
        return is_fork and command[-2:] == ["partisan_actors.api.template", "workers"]
    except psutil.Error:
        return False


class Program:
    """One running program; everything it prints is read as it comes."""

    def __init__(self, path: Path, arguments: tuple[str, ...], environment: dict[str, str], stdin: Any) -> None:
        self.mark = environment[MARK]
        self.lines: list[str] = []
        self._new: SimpleQueue[str | None] = SimpleQueue()
        self.process = subprocess.Popen(
            [sys.executable, *([str(path)] if path.suffix == ".py" else []), *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=path.parent,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return "\n".join(self.lines)

    def wait_for(self, text: str, timeout_s: float = 60.0) -> str:
        """The first line, printed or still to come, that contains `text`."""
        deadline = time.monotonic() + timeout_s
        for line in list(self.lines):
            if text in line:
                return line
        while True:
            try:
                line_or_end = self._new.get(timeout=max(0.01, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"no {text!r} within {timeout_s:g} s in:\n{self.output}") from None
            if line_or_end is None:
                raise AssertionError(f"ended without {text!r}:\n{self.output}")
            if text in line_or_end:
                return line_or_end

    def wait(self, timeout_s: float = 120.0) -> int:
        """Its exit status, once it has ended."""
        status = self.process.wait(timeout_s)
        self._reader.join(timeout_s)
        return status

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program alone."""
        self.process.send_signal(number)

    def interrupt(self) -> None:
        """Ctrl-C at its terminal: SIGINT to it and to every process it started."""
        os.killpg(self.process.pid, signal.SIGINT)

    def survivors(self) -> list[psutil.Process]:
        """What still runs of it."""
        return marked(self.mark)

    def assert_nothing_left(self, within_s: float = 60.0) -> None:
        """Nothing that this program started runs any more."""
        wait_until(lambda: not self.survivors(), f"nothing to be left of:\n{self.output}", within_s)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._new.put(line.rstrip("\n"))
        self._new.put(None)


class Programs:
    """The programs of one test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Program] = []

    def __enter__(self) -> Programs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._running:
            if program.process.poll() is None:
                program.process.kill()
                program.process.wait()
        try:
            if kind is None:
                for program in self._running:
                    program.assert_nothing_left()
        finally:
            for program in self._running:
                for process in program.survivors():
                    process.kill()

    def start(self, source: str, *arguments: str, stdin: Any = None, **environment: str) -> Program:
        """Start a program from its source; the package is importable in it."""
        path = self._folder / f"program{len(self._running)}.py"
        path.write_text(textwrap.dedent(source))
        return self._start(path, arguments, environment, stdin)

    def interpreter(self, *arguments: str, **environment: str) -> Program:
        """Start a bare interpreter that reads from a pipe."""
        return self._start(self._folder / "interpreter", arguments, environment, subprocess.PIPE)

    def run(self, source: str, *arguments: str, timeout_s: float = 120.0, **environment: str) -> str:
        """What a program printed that must end well, and leave nothing behind."""
        program = self.start(source, *arguments, **environment)
        status = program.wait(timeout_s)
        assert status == 0, f"exit status {status}:\n{program.output}"
        program.assert_nothing_left()
        return program.output

    def _start(self, path: Path, arguments: tuple[str, ...], environment: dict[str, str], stdin: Any) -> Program:
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        own = {MARK: secrets.token_hex(8), "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
        program = Program(path, arguments, {**os.environ, **own, **environment}, stdin)
        self._running.append(program)
        return program
