"""A thread that starts processes, because Linux ends those that asked for it with the thread that started them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

__all__ = ["Spawner"]

T = TypeVar("T")


class Spawner:
    """A thread that starts processes, and lives on.

    Linux ends a worker, which asked for that, when the *thread* that started it is over, and `init` may well be called
    from a thread that is over soon.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._lock = Lock()
        self._is_closed = False
        # A daemon, and none of concurrent.futures' threads: those are joined before the exit handlers run.
        Thread(target=self._main, name="worker-spawner", daemon=True).start()

    def run(self, job: Callable[[], T]) -> T:
        """Run `job` on the thread. Raises what it raises, and OSError when the thread was told to end."""
        done: Future[T] = Future()
        with self._lock:
            if self._is_closed:
                raise OSError("no process is started any more: whoever would have is closed")
            self._jobs.put((job, done))
        return done.result()

    def close(self) -> None:
        """End the thread; the processes it started must have ended. May be called twice."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
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
