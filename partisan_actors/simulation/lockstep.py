"""Threads that run one at a time, each only while its loop stands still: blocking code in virtual time, repeatably.

A real thread runs the job, because blocking code has a stack of its own. But it runs only when its loop gives it the
turn, and the loop goes on only when it gets the turn back: when the job ends, or waits for something (see
`actors.blocking`) or sleeps. So nothing ever happens at the same time, and the order is that of the loop.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from partisan_actors.actors.blocking import own_gates
from partisan_actors.simulation.loop import VirtualLoop, frame_text

__all__ = ["LockstepThread", "ThreadEnded", "running_thread"]

Job = Callable[[], None]

# A job that computes for longer than this, in real seconds, without giving its turn back hangs.
TURN_S: Final = 60.0
PIECES: Final = 120

# How long one that is abandoned may take to end; then it is left alone, as when it is deep in native code.
END_S: Final = 20.0

_OURS: Final = (str(Path(__file__).parent), threading.__file__)


class ThreadEnded(BaseException):
    """Raised in a blocking method whose node is gone, where it waits. Not for anybody to catch."""


class _Running(threading.local):
    thread: LockstepThread | None = None


_running = _Running()


def running_thread() -> LockstepThread | None:
    """The simulated thread that the running code is in, if any."""
    return _running.thread


class LockstepThread:
    """A thread of a simulated node; has the face of `actors.threads.ActorThread`."""

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.loop = loop
        self._jobs: deque[Job | None] = deque()
        self._is_idle = True  # nothing runs or waits in it, and no turn is on its way
        self._is_ended = False  # it is to end where it waits
        self._is_over = False
        self._is_running = False
        self._mine = threading.Semaphore(0)
        self._loops = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def run(self, job: Job | None) -> None:
        """Run `job` after those before it, each in a turn of the loop of its own."""
        self._jobs.append(job)
        if self._is_idle:
            self._is_idle = False
            self.loop.call_soon(self.take_turn)

    def stop(self) -> None:
        """End after the jobs that wait."""
        self.run(None)

    def abandon(self) -> None:
        """Its node is gone: what waits in it ends now, and what waits before it never begins."""
        self._jobs.clear()
        self._jobs.append(None)
        self._is_ended = True
        if not self._thread.is_alive():
            return
        self._is_idle = False
        if self._is_running:  # Ctrl-C came in the middle of its turn, or it has never given that back
            ident = ctypes.c_ulong(self._thread.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(ThreadEnded))
        self._mine.release()
        self._thread.join(END_S)

    def take_turn(self) -> None:
        """On the loop: let it run until it gives the turn back. A thread that has ended is left in peace."""
        if self._is_over:
            return
        if self._thread.ident is None:
            self._thread.start()
        self._mine.release()
        # In pieces: a signal that comes just before a wait begins is handled when that wait has ended.
        if not any(self._loops.acquire(timeout=TURN_S / PIECES) for _ in range(PIECES)):
            text = f"{self._thread.name} has not waited for anything for {TURN_S:g} real seconds: {self.place()}"
            self.loop.failure = RuntimeError(text)  # a call-back's own errors are only logged

    def place(self) -> str:
        """For people: where it is now."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        while frame is not None and frame.f_code.co_filename.startswith(_OURS) and frame.f_back is not None:
            frame = frame.f_back
        return frame_text(frame) if frame is not None else "nowhere"

    # ---- in the thread ----------------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.loop.call_later(max(0.0, seconds), self.take_turn)
        self.give_turn()

    def give_turn(self) -> None:
        """Let the loop go on until it calls `take_turn`."""
        if not self._is_ended:
            self._is_running = False
            self._loops.release()
            self._mine.acquire()
            self._is_running = True
        if self._is_ended:
            raise ThreadEnded

    def _main(self) -> None:
        _running.thread = self
        own_gates.make = lambda: _LockstepGate(self)
        with contextlib.suppress(ThreadEnded):
            self._run_jobs()
        self._is_over = True
        self._loops.release()

    def _run_jobs(self) -> None:
        while True:
            self._mine.acquire()
            job = self._jobs.popleft()
            if job is not None:
                self._is_running = True
                with contextlib.suppress(ThreadEnded):
                    job()
                self._is_running = False
            if job is None or self._is_ended:
                return
            if self._jobs:
                self.loop.call_soon(self.take_turn)
            else:
                self._is_idle = True
            self._loops.release()


class _LockstepGate:
    """What blocking code waits at; see `actors.blocking.Gate`. `open` is called in some turn, never beside one."""

    def __init__(self, thread: LockstepThread) -> None:
        self._thread = thread
        self._passes = 0
        self._is_awaited = False

    def open(self) -> None:
        self._passes += 1
        self._wake()

    def wait(self, timeout: float | None = None) -> bool:
        if not self._passes and (timeout is None or timeout > 0):
            self._is_awaited = True
            loop = self._thread.loop
            timer = None if timeout is None else loop.call_later(timeout, self._wake)
            self._thread.give_turn()
            if timer is not None:
                timer.cancel()
        if not self._passes:
            return False
        self._passes -= 1
        return True

    def _wake(self) -> None:
        if self._is_awaited:
            self._is_awaited = False
            self._thread.loop.call_soon(self._thread.take_turn)
