"""Ending blocking code of users from outside: an exception that is raised in its thread, and a flag that it may ask.

The rules this file keeps:

1. `Interrupted` is raised in the code that was to be ended, at most once, and in no other: not in what the thread runs
   next, and not in ours. A thread that waits in one of our gates is woken, and raises it there itself; any other gets
   it from the interpreter, at the next line of Python it runs. What is pending when the code ends is taken back.
2. The interpreter drops what is raised in a finalizer or in a callback of the garbage collector. When it came just
   then, it is raised once more in the code that goes on.
3. Only native code that never returns to Python (a long ``time.sleep``) is not reached; it runs to its end unheeded.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import Any, Final

from partisan_actors.actors.blocking import Gate, own_gates
from partisan_actors.actors.made_calls import MadeCalls, own_calls

__all__ = ["Interrupted", "Slot", "is_cancelled", "own_slot", "running_here", "slots"]

# What was dropped is raised again after so long, by when the finalizer has most likely ended.
AGAIN_S: Final = 0.01

Outcome = tuple[Any, BaseException | None]


class Interrupted(KeyboardInterrupt):
    """Raised in blocking code whose call was cancelled. As for Ctrl-C, ``except Exception`` does not catch it."""


class Slot:
    """What one thread runs now, and the way to end it."""

    __slots__ = ("_gate", "_lock", "context", "ident", "is_cancelled", "is_hearing", "made", "token")

    def __init__(self) -> None:
        self.ident = threading.get_ident()
        self._lock = threading.Lock()
        self._gate: _Wakeable | None = None
        self.is_hearing = False  # that it was dropped
        # Whatever names what runs; None between two of them.
        self.token: Any = None
        self.context: Context | None = None
        # The calls that it has made, if any.
        self.made: MadeCalls | None = None
        self.is_cancelled = False

    def run(self, token: Any, context: Context, call: Callable[[], Outcome]) -> Outcome:
        """On the slot's own thread: ``call()``, which may be interrupted meanwhile."""
        self.is_cancelled = False
        self.made = None
        self.context = context
        outcome: Outcome | None = None
        try:
            self.token = token
            outcome = call()
            with self._lock:
                self.token = None
                if self.is_cancelled:
                    _raise_in(self.ident, None)
        except Interrupted as late:  # it came between the user's code and this
            with self._lock:
                self.token = None
            outcome = outcome or (None, late)
        self.context = None
        return outcome

    def interrupt(self, token: Any) -> bool:
        """From any thread: end what runs, if it still is `token`. Returns whether it is."""
        with self._lock:
            if self.token is not token:
                return False
            if not self.is_cancelled:
                self.is_cancelled = True
                if self._gate is not None:
                    self._gate.wake()
                else:
                    _hear_of_what_is_dropped()
                    _raise_in(self.ident, Interrupted)
            return True

    def again(self) -> None:
        """It was dropped: raise it soon. From the slot's own thread, or under the lock."""
        # Not the lock here: the thread that is told may hold it, and it alone sets the token.
        token = self.token
        if token is not None:
            timer = threading.Timer(AGAIN_S, self._raise_again, (token,))
            timer.daemon = True
            timer.start()

    def _raise_again(self, token: Any) -> None:
        with self._lock:
            if self.token is token:
                if self.is_hearing:
                    self.again()
                else:
                    _raise_in(self.ident, Interrupted)

    def wait_at(self, gate: _Wakeable, wait: Callable[[], bool]) -> bool:
        """On the slot's own thread: wait, and be woken by `interrupt`."""
        try:
            with self._lock:
                self._gate = gate if self.token is not None else None
            return wait()
        finally:
            with self._lock:
                self._gate = None
                was_woken, gate.is_woken = gate.is_woken, False
            if was_woken:
                raise Interrupted


class _Wakeable:
    """A gate that an interruption opens, too."""

    def __init__(self, slot: Slot, inner: Gate) -> None:
        self._slot = slot
        self._inner = inner
        self.open: Callable[[], None] = inner.open
        self.is_woken = False

    def wait(self, timeout: float | None = None) -> bool:
        return self._slot.wait_at(self, lambda: self._inner.wait(timeout))

    def wake(self) -> None:
        self.is_woken = True
        self._inner.open()


class _Queue:
    """A gate that is cheap to open more often than it is waited at."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[None] = SimpleQueue()

    def open(self) -> None:
        self._queue.put(None)

    def wait(self, timeout: float | None = None) -> bool:
        try:
            self._queue.get(timeout=timeout)
        except Empty:
            return False
        return True


class _OwnSlot(threading.local):
    slot: Slot | None = None


_own = _OwnSlot()
# Every thread that can be interrupted, by its number. Threads that end leave theirs to the next of that number.
slots: dict[int, Slot] = {}


def own_slot() -> Slot:
    """The slot of this thread, which can be interrupted from now on."""
    slot = _own.slot
    if slot is None:
        slot = _own.slot = own_calls.runner = slots[threading.get_ident()] = Slot()
        own, make = slot, own_gates.make
        own_gates.make = lambda: _Wakeable(own, make() if make is not None else _Queue())
    return slot


def running_here() -> Any:
    """What names the code that this thread runs; None if that cannot be interrupted, as code on a loop."""
    slot = _own.slot
    return slot.token if slot is not None else None


def is_cancelled() -> bool:
    """Whether the call that the running code belongs to was cancelled."""
    slot = _own.slot
    if slot is not None:
        return slot.is_cancelled
    task = asyncio.current_task() if asyncio._get_running_loop() is not None else None
    return task is not None and task.cancelling() > 0


class _Hook:
    """`sys.unraisablehook`: hears of what is dropped, and leaves everything else to the hook before it."""

    def __init__(self, before: Callable[[Any], Any]) -> None:
        self._before = before

    def __call__(self, unraisable: Any) -> None:
        slot = _own.slot
        if unraisable.exc_type is not Interrupted or slot is None:
            self._before(unraisable)
            return
        slot.is_hearing = True
        slot.again()
        slot.is_hearing = False  # the last thing done here: nothing can be raised between this and the return


def _hear_of_what_is_dropped() -> None:
    if not isinstance(sys.unraisablehook, _Hook):
        sys.unraisablehook = _Hook(sys.unraisablehook)


def _raise_in(ident: int, error: type[BaseException] | None) -> None:
    import ctypes  # a node may never need it

    what = ctypes.py_object(error) if error is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), what)
