"""`Reply`: a future that is cheap on the loop that resolves it, and safe for every other thread and loop.

It is resolved once, on its node's loop. Waiters are told in the order they came. The only shared structure is a list
whose `append` and `pop` are atomic; whoever appends looks again whether the reply is there meanwhile, so nobody is
forgotten and nobody is told twice, and no lock is made unless a thread really waits.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from asyncio.events import _get_running_loop
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from partisan_actors.actors.blocking import gate
from partisan_actors.actors.self_waits import refuse_to_wait
from partisan_actors.errors import CallTimeout

__all__ = ["Answer", "Reply", "Trace", "while_blocked"]

T_co = TypeVar("T_co", covariant=True)

# What is called when a traced call is over, and whatever that has to know.
Trace = tuple[Any, ...]

# Entered around every blocking wait of the running code, if set: a task lends its CPUs meanwhile.
while_blocked: ContextVar[Callable[[], AbstractContextManager[None]] | None] = ContextVar(
    "partisan_while_blocked", default=None
)


class Reply(Generic[T_co]):
    """The future result of a call: `await` it, or block on `result()`.

    Guarantees: resolved exactly once; every waiter sees the same value or error. Cancelling a coroutine that awaits
    it does not cancel the call.
    """

    __slots__ = ("__weakref__", "_done", "_error", "_loop", "_value", "_waiters")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._done = False
        self._value: Any = None
        self._error: BaseException | None = None
        # A list of them, or in its place the trace of the call, as long as nobody else waits: see `note`.
        self._waiters: list[Any] | Trace | None = None

    # ---- for those who wait -----------------------------------------------------------------------------------

    def done(self) -> bool:
        """Whether the value or the error is here."""
        return self._done

    def result(self, timeout: float | None = None) -> T_co:
        """The value, waiting up to `timeout` seconds (None: for ever); blocks this thread.

        Raises CallTimeout when it is not there in time, and whatever the call raised. Raises RuntimeError on the
        loop of the node itself, where waiting would wait for ever: `await` there; and Deadlocked in a blocking method
        that would wait without a time-out for a call of its own actor.
        """
        if not self._done:
            self.wait(timeout)
        if self._error is not None:
            self._error_taken()
            raise self._error
        return self._value  # type: ignore[no-any-return]  # users' data

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The error of the call, or None when it succeeded; waits as `result` does."""
        if not self._done:
            self.wait(timeout)
        if self._error is not None:
            self._error_taken()
        return self._error

    @property
    def failure(self) -> BaseException | None:
        """The error, if it is here: for who only looks on. Who reads it otherwise has heard of it."""
        return self._error

    def _error_taken(self) -> None:
        """Somebody has the error now."""

    def wait(self, timeout: float | None = None) -> None:
        """Block this thread until done. Raises CallTimeout, RuntimeError and Deadlocked as `result` does."""
        if self._done:
            return
        if timeout is not None and timeout < 0:
            raise ValueError(f"timeout must not be negative, got {timeout}")
        if _get_running_loop() is self._loop:
            raise RuntimeError(f"{self!r} is not ready and its own loop cannot block for it: use await")
        if timeout is None:
            refuse_to_wait((self,))
        blocking = while_blocked.get()
        if blocking is None:
            self._block(timeout)
        else:
            with blocking():
                self._block(timeout)

    def _block(self, timeout: float | None) -> None:
        done = gate(once=True)
        self.add_waiter(done.open)
        try:
            is_open = done.wait(timeout)
        except BaseException:  # the waiting call was cancelled
            self.remove_waiter(done.open)
            raise
        if not is_open:
            self.remove_waiter(done.open)
            if not self._done:
                raise CallTimeout(str(self), timeout or 0.0)

    def __await__(self) -> Generator[Any, None, T_co]:
        if not self._done:
            yield from self._future_of_wait()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[no-any-return]  # users' data

    def _future_of_wait(self) -> asyncio.Future[None]:
        """What a coroutine that has to wait waits for, on its own loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if loop is self._loop:
            # On the loop that resolves replies, it cannot have come between the caller's look and this line.
            waiters = self._waiters
            (waiters if type(waiters) is list else self._published()).append(future)
        else:
            self.add_waiter(lambda: _resolve_elsewhere(loop, future))
        return future

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Call `callback(self)` once done: at once if it is, else on the loop that runs here.

        Where none runs, it is called on the node's loop, which it must not block.
        """
        self.add_waiter(_DoneCallback(self, callback))

    def remove_done_callback(self, callback: Callable[[Any], object]) -> int:
        """Do not call `callback` any more; how many times it would have been."""
        waiter, waiters = _DoneCallback(self, callback), self._waiters or ()
        count = waiters.count(waiter)
        for _ in range(count):
            self.remove_waiter(waiter)
        return count

    def cancelled(self) -> bool:
        """False: a call that was cancelled has failed, with an exception that says so. For ``asyncio.wait``."""
        return False

    def future(self) -> concurrent.futures.Future[T_co]:
        """A `concurrent.futures.Future` with the same outcome, for code that wants exactly that class."""
        future: concurrent.futures.Future[T_co] = concurrent.futures.Future()

        def copy() -> None:
            if not future.set_running_or_notify_cancel():
                return
            if self._error is not None:
                self._error_taken()
                future.set_exception(self._error)
            else:
                future.set_result(self.result())

        self.add_waiter(copy)
        return future

    def as_future(self) -> asyncio.Future[T_co]:
        """An `asyncio.Future` of the running loop with the same outcome; to cancel it does not cancel the call.

        Raises RuntimeError outside of a coroutine or call-back.
        """
        return asyncio.wrap_future(self.future())

    async def settled(self) -> None:
        """Return once done, with a value or an error."""
        if not self._done:
            await self._future_of_wait()

    # ---- for those who resolve and compose ----------------------------------------------------------------------

    def readiness(self) -> Reply[Any]:
        """What is done once this could be had without waiting for anything but its way here; from any thread."""
        return self

    def add_waiter(self, waiter: Callable[[], object]) -> None:
        """Call `waiter` once done, from any thread."""
        waiters = self._waiters
        if type(waiters) is not list:
            waiters = self._published()
        waiters.append(waiter)
        if self._done:
            self._tell(waiters)

    def _published(self) -> list[Any]:
        """The list of who waits, made if there is none. Several threads may get here at once."""
        with _publishing:
            waiters = self._waiters
            if type(waiters) is not list:
                waiters = self._waiters = [] if waiters is None else [waiters]
            return waiters

    def note(self, trace: Trace) -> None:
        """Call ``trace[0](self, trace)`` once done. For whoever made this reply, before anybody else knows of it.

        As `add_waiter`, with one object for Python's collector to look at in the place of three.
        """
        self._waiters = trace if self._waiters is None else [*self._waiters, trace]

    def remove_waiter(self, waiter: Callable[[], object]) -> None:
        """Do not call `waiter` any more, if it was not called yet."""
        waiters = self._waiters
        if type(waiters) is list and waiter in waiters:
            try:
                waiters.remove(waiter)
            except ValueError:  # it was called meanwhile
                return

    def succeed(self, value: Any) -> None:
        """The call returned `value`. On the node's loop; the first outcome stands."""
        if not self._done:
            self._value = value
            self._done = True
            if self._waiters is not None:
                self._tell(self._waiters)

    def fail(self, error: BaseException) -> None:
        """The call failed. On the node's loop; the first outcome stands."""
        if not self._done:
            self._error = error
            self._done = True
            if self._waiters is not None:
                self._tell(self._waiters)

    def _tell(self, waiters: list[Any] | Trace) -> None:
        if type(waiters) is not list:
            with _publishing:  # another thread may have put it into a list
                found, self._waiters = self._waiters, None
            if type(found) is not list:
                waiters[0](self, waiters)
                return
            waiters = found
        while waiters:
            try:
                waiter = waiters.pop(0)
            except IndexError:  # another thread took the last one
                return
            if isinstance(waiter, asyncio.Future):
                if not waiter.done():
                    waiter.set_result(None)
            elif type(waiter) is tuple:
                waiter[0](self, waiter)
            else:
                waiter()


class _DoneCallback:
    """A waiter that calls `callback` with `reply`, on the loop that runs where it is made, if one does."""

    __slots__ = ("_callback", "_loop", "_reply")

    def __init__(self, reply: Reply[Any], callback: Callable[[Any], object]) -> None:
        self._reply = reply
        self._callback = callback
        self._loop = _get_running_loop()

    def __call__(self) -> None:
        if self._loop is None or self._loop is _get_running_loop():
            self._callback(self._reply)
            return
        try:
            self._loop.call_soon_threadsafe(self._callback, self._reply)
        except RuntimeError:  # that loop is closed: nobody waits any more
            return

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _DoneCallback) and other._callback == self._callback

    __hash__ = None  # type: ignore[assignment]  # it is looked for in lists only


_publishing = threading.Lock()


class Answer(Reply[T_co]):
    """What a service of another node answers, and not one of its actors."""

    __slots__ = ()


def _resolve_elsewhere(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    try:
        loop.call_soon_threadsafe(_resolve, future)
    except RuntimeError:  # that loop is closed: nobody waits any more
        return


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
