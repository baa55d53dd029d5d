"""How a thread waits for the loop: all blocking waits of users' code come through here.

A thread that is simulated does not wait in the operating system, but gives its turn away; such a thread says so by
setting `own_gates.make`, and everything that blocks asks `gate()` instead of making a lock of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

__all__ = ["Gate", "gate", "own_gates", "result_of"]

T = TypeVar("T")


class Gate(Protocol):
    """Closed at first. Each `open` lets one `wait` pass, whichever comes first."""

    def open(self) -> None:
        """Let one pass; from any thread."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Block this thread until there is an `open` for it; False after `timeout` seconds without."""
        ...


class _OwnGates(threading.local):
    """What this thread waits at, if that is not for the operating system to provide."""

    make: Callable[[], Gate] | None = None


own_gates = _OwnGates()


class _Semaphore:
    """The gate of ordinary threads."""

    def __init__(self) -> None:
        self._semaphore = threading.Semaphore(0)
        self.open: Callable[[], None] = self._semaphore.release

    def wait(self, timeout: float | None = None) -> bool:
        return self._semaphore.acquire(timeout=timeout)


class _Lock:
    """The same, opened once: a lock is what costs least, and most waits are for one reply."""

    def __init__(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        self.open: Callable[[], None] = lock.release
        self._acquire = lock.acquire

    def wait(self, timeout: float | None = None) -> bool:
        return self._acquire(timeout=-1 if timeout is None else timeout)


def gate(*, once: bool = False) -> Gate:
    """A gate for this thread to wait at. With `once`, `open` may be called only once."""
    make = own_gates.make
    if make is not None:
        return make()
    return _Lock() if once else _Semaphore()


def result_of(future: Future[T], timeout: float | None = None) -> T:
    """The result of a job on the loop, for which this thread blocks. Raises TimeoutError, or what the job raised."""
    done = gate(once=True)
    future.add_done_callback(lambda _: done.open())
    if not done.wait(timeout):
        raise TimeoutError
    return future.result(0)
