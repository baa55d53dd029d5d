"""Child processes that are nodes: started at once, configured over a pipe, and gone when their parent is.

A worker gets its settings as one line of JSON on its standard input and watches that pipe for the rest of its life: a
line ``stop`` asks it to leave, and the end of the pipe, which is how a killed parent looks, ends it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, TypeVar

from partisan_actors.errors import NotYetConnected
from partisan_actors.node.outputs import Outputs
from partisan_actors.node.printed import Writer

__all__ = ["STOP_S", "Spawner", "Worker", "stop_workers"]

T = TypeVar("T")

STOP_S: Final = 2.0
# What a worker may print before anybody reads it, where the system can be asked for that.
PIPE_BYTES: Final = 1024 * 1024


class Spawner:
    """A thread that starts processes, and lives on.

    Linux ends a worker, which asked for that, when the *thread* that started it is over, and `init` may well be called
    from a thread that is over soon.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        # A daemon, and none of concurrent.futures' threads: those are joined before the exit handlers run.
        Thread(target=self._main, name="worker-spawner", daemon=True).start()

    def run(self, job: Callable[[], T]) -> T:
        """Run `job` on the thread. Raises what it raises."""
        done: Future[T] = Future()
        self._jobs.put((job, done))
        return done.result()

    def close(self) -> None:
        """End the thread; the processes it started must have ended."""
        self._jobs.put(None)

    def _main(self) -> None:
        if sys.platform != "win32":
            # Ctrl-C is for the parent. A worker inherits this, and so is deaf from its first instruction on.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        while (item := self._jobs.get()) is not None:
            job, done = item
            try:
                done.set_result(job())
            except BaseException as error:  # noqa: BLE001 - it is raised where the job was asked for
                done.set_exception(error)
            del job, done, item


class Worker:
    """One child process. Made as early as possible, because its interpreter takes its time to start."""

    def __init__(self, module: str, name: str, spawner: Spawner, outputs: Outputs) -> None:
        """What it prints is read by `outputs`."""
        self.name = name
        command = [sys.executable, "-m", module]
        ends: list[tuple[int, int]] = []
        try:
            while len(ends) < 2:  # the second may fail, for want of descriptors: then the first is closed below
                ends.append(_roomy_pipe())
            (_, out), (_, error) = ends
            self._process: subprocess.Popen[bytes] = spawner.run(
                lambda: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=error, close_fds=True)
            )
        except BaseException:
            for read_end, _ in ends:
                os.close(read_end)
            raise
        finally:
            for _, write_end in ends:
                os.close(write_end)
        writer = Writer("", self._process.pid, name)
        for (read_end, _), is_error in zip(ends, (False, True), strict=True):
            outputs.add(read_end, writer, is_error=is_error, at_end=lambda: None)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def configure(self, settings: dict[str, Any]) -> None:
        """Tell it who it is. Raises NotYetConnected when it has died already."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(settings).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise NotYetConnected(self.name, self.epitaph() or str(error)) from error

    def epitaph(self) -> str | None:
        """How it ended, or None while it runs."""
        code = self._process.poll()
        return None if code is None else f"worker process {self.pid} ended with exit status {code}"

    def ask_to_stop(self) -> None:
        """Let it leave the cluster and end."""
        with contextlib.suppress(OSError, ValueError):
            assert self._process.stdin is not None
            self._process.stdin.write(b"stop\n")
            self._process.stdin.flush()

    def kill(self) -> None:
        """End it now, and collect it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


def _roomy_pipe() -> tuple[int, int]:
    read_end, write_end = os.pipe()
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # this user has too many of them
            fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return read_end, write_end


async def stop_workers(workers: Sequence[Worker], patience_s: float = STOP_S) -> None:
    """Let all of them leave; kill those that take longer than `patience_s`."""
    for worker in workers:
        worker.ask_to_stop()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    while any(w.epitaph() is None for w in workers) and loop.time() < deadline:  # noqa: ASYNC110 - processes tell nobody
        await asyncio.sleep(0.01)
    for worker in workers:
        worker.kill()
