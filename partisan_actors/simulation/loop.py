"""Event loops in virtual time: asyncio's own machinery, one loop a node, all on one clock and one thread.

A loop here runs what is ready and nothing else; it never waits. `Loops` gives the loops their turns: first those that
have something ready, in the order in which they were made; when none has, the clock moves to the next timer of any.
So an hour of sleep takes no time, and what happens depends on nothing outside.

A loop that is stalled until some time gets no turn before it, as a process that is stopped or waits for its disk; one
that is abandoned never gets one again, as a process that was killed.

asyncio promises nothing of what is used here of `BaseEventLoop`: `_run_once`, `_ready`, `_scheduled` and
`_timer_cancelled_count`. They are the same in Python 3.11 to 3.13; a test says what to look at when they are not.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import sys
from asyncio import base_events, events
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from types import FrameType
from typing import Any, Final, TypeVar, cast

from partisan_actors.simulation.clock import NANOSECONDS_PER_SECOND, nanoseconds

__all__ = ["Loops", "NothingWillHappen", "VirtualLoop", "VirtualTime", "frame_text", "where"]

T = TypeVar("T")

# Turns without time passing, in a row: more is a program that never waits.
TURNS_AT_ONE_MOMENT_MAX: Final = 1_000_000
# What is cancelled at the end gets so much virtual time and so many turns to end; the rest is dropped where it is.
CLOSING_S: Final = 30
CLOSING_TURNS_MAX: Final = 10_000


class NothingWillHappen(RuntimeError):
    """What is waited for can never come: no loop has anything ready, and no timer is set."""


class VirtualTime:
    """The clock that all loops of a simulation share; it moves when `Loops` says so."""

    def __init__(self) -> None:
        self.now_ns = 0

    @property
    def now_s(self) -> float:
        """Virtual seconds since the beginning."""
        return self.now_ns / NANOSECONDS_PER_SECOND


class _NoSelector:
    """What asyncio's loop asks for news of sockets: there are none, and it must not wait for any."""

    def select(self, timeout: float | None = None) -> list[Any]:
        return []


class VirtualLoop(base_events.BaseEventLoop):
    """One node's loop. Tasks, timers and futures are asyncio's; there are no sockets, signals or child processes."""

    _timer_cancelled_count: int  # asyncio's

    def __init__(self, virtual_time: VirtualTime, name: str) -> None:
        self.name = name
        self._virtual_time = virtual_time
        self._has_turn = False
        super().__init__()
        self._selector = _NoSelector()
        self.stalled_until_ns = 0
        self.turn_ns = 0  # how long a turn takes
        self.is_abandoned = False
        self.failure: BaseException | None = None  # what must end the simulation, not only a call-back
        # Where what is given to an executor runs; at once and on the loop, if it is given no other place.
        self.execute: Callable[[Callable[[], None]], object] = self.call_soon

    def __repr__(self) -> str:
        return f"<VirtualLoop {self.name} at {self.time():.6f} s>"

    def time(self) -> float:
        return self._virtual_time.now_s

    @property
    def next_ns(self) -> int | None:
        """When it has something to do: now, at its next timer, never (None)."""
        if self.is_abandoned or self.is_closed():
            return None
        if self._ready:  # type: ignore[attr-defined]  # asyncio's queue of what is ready
            due_ns = self._virtual_time.now_ns
        else:
            scheduled = self._scheduled  # type: ignore[attr-defined]  # asyncio's heap of timers
            while scheduled and scheduled[0].cancelled():
                # As asyncio does; else the clock would stop at every timer that was set and taken back.
                self._timer_cancelled_count -= 1
                heapq.heappop(scheduled)._scheduled = False
            if not scheduled:
                return None
            when = scheduled[0].when()
            due_ns = math.ceil(when * NANOSECONDS_PER_SECOND)
            if due_ns / NANOSECONDS_PER_SECOND < when:
                due_ns += 1  # no timer is early, by not a hair: who then asks how long is still to wait would spin
        return max(due_ns, self.stalled_until_ns)

    def turn(self) -> None:
        """Run what is ready now, once. Raises `failure`, if it has come to that."""
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)  # type: ignore[attr-defined]  # as run_forever does
        outer = events._get_running_loop()
        events._set_running_loop(self)
        self._has_turn = True
        # How early asyncio lets timers be. Not at all.
        self._clock_resolution = math.ulp(self._virtual_time.now_s)
        try:
            self._run_once()  # type: ignore[attr-defined]  # the loop's own turn
        finally:
            self._has_turn = False
            events._set_running_loop(outer)
            sys.set_asyncgen_hooks(*hooks)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        if self.turn_ns:
            self.stalled_until_ns = max(self.stalled_until_ns, self._virtual_time.now_ns + self.turn_ns)

    def is_running(self) -> bool:
        return self._has_turn

    def run_in_executor(  # type: ignore[override]  # asyncio's has a type of its own for the arguments
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """As asyncio's, wherever `execute` says; the executor is not asked."""
        future: asyncio.Future[T] = self.create_future()

        def run() -> None:
            if future.cancelled():
                return
            result, failure = None, None
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - whoever awaits it gets it
                failure = error
            if future.cancelled():
                return
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(cast("T", result))

        self.execute(run)
        return future

    # What asyncio asks of a loop that this one answers with nothing.

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """A call from another thread need not wake what never sleeps."""


class Loops:
    """All loops of a simulation, and whose turn it is."""

    def __init__(self) -> None:
        self.time = VirtualTime()
        self._made: list[VirtualLoop] = []
        self._loops: list[VirtualLoop] = []  # those that get turns
        self._next = 0
        self.turns = 0
        self._turns_at_once = 0

    def make(self, name: str) -> VirtualLoop:
        """A loop that gets its turns from now on, until it is closed or abandoned."""
        loop = VirtualLoop(self.time, name)
        self._made.append(loop)
        self._loops.append(loop)
        return loop

    def abandon(self, loop: VirtualLoop) -> None:
        """It gets no turn any more."""
        loop.is_abandoned = True
        self._loops.remove(loop)

    def step(self, end_ns: int | None = None) -> bool:
        """One turn of one loop. False, and nothing happens, when nothing is due until `end_ns`, or ever.

        Raises RuntimeError when turns follow each other endlessly without time passing.
        """
        soonest: VirtualLoop | None = None
        soonest_ns = 0
        count = len(self._loops)
        for offset in range(count):
            # From behind the last one that had a turn, or a loop that never rests would leave the others none.
            loop = self._loops[(self._next + offset) % count]
            due_ns = loop.next_ns
            if due_ns is not None and (soonest is None or due_ns < soonest_ns):
                soonest, soonest_ns = loop, due_ns
                if due_ns <= self.time.now_ns:
                    break
        if soonest is None or (end_ns is not None and soonest_ns > end_ns):
            return False
        if soonest_ns > self.time.now_ns:
            self.time.now_ns = soonest_ns
            self._turns_at_once = 0
        self._turns_at_once += 1
        if self._turns_at_once > TURNS_AT_ONE_MOMENT_MAX:
            turns, self._turns_at_once = self._turns_at_once, 0  # so that whoever closes it has turns again
            raise RuntimeError(f"{turns} turns, and it is still {self.time.now_s:g} s: something never waits")
        self._next = self._loops.index(soonest) + 1
        self.turns += 1
        soonest.turn()
        return True

    def run_for(self, seconds: float) -> None:
        """Let virtual time pass."""
        end_ns = self.time.now_ns + nanoseconds(seconds)
        while self.step(end_ns):
            pass
        self.time.now_ns = end_ns

    def run_until(self, is_done: Callable[[], bool], within_s: float, what: Callable[[], str] | None = None) -> None:
        """Let things happen until `is_done()`, which is asked after every turn; `what()` says in errors what that is.

        Raises TimeoutError when that takes longer than `within_s`, NothingWillHappen when it never comes, and what
        `step` raises.
        """
        end_ns = self.time.now_ns + nanoseconds(within_s)
        while not is_done():
            if not self.step(end_ns):
                text = what() if what is not None else getattr(is_done, "__qualname__", repr(is_done))
                if any(loop.next_ns is not None for loop in self._loops):
                    self.time.now_ns = end_ns
                    raise TimeoutError(f"not within {within_s:g} virtual seconds: {text}")
                raise NothingWillHappen(f"nothing is left to happen, and yet not: {text}")

    def run(self, loop: VirtualLoop, job: Coroutine[Any, Any, T], within_s: float) -> T:
        """Run `job` as a task of `loop`, with all the others going on, and return its result; see `run_until`."""
        task = loop.create_task(job)
        try:
            self.run_until(task.done, within_s, lambda: f"the end of {where(task)}")
        finally:
            if not task.done():
                task.cancel()
                self.run_for(0.0)
        return task.result()

    def close(self) -> None:
        """Cancel what still runs, give it its turns to end, and close every loop, also those that were abandoned."""
        self._loops = list(self._made)
        for loop in self._loops:
            loop.is_abandoned = False
            loop.failure = None
            loop.stalled_until_ns = loop.turn_ns = 0
        turns_max = self.turns + CLOSING_TURNS_MAX
        for second in range(CLOSING_S):
            # What waits in a `finally` gets its time; what was begun meanwhile is cancelled too.
            pending = [
                task
                for loop in self._loops
                for task in sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
            ]
            if not pending:
                break
            for task in pending:
                if not task.cancelling():
                    task.cancel()
            end_ns = self.time.now_ns + (NANOSECONDS_PER_SECOND if second else 0)
            while self.turns < turns_max and self.step(end_ns):
                pass
        for loop in self._made:
            loop.close()
        self._loops = self._made = []


def where(task: asyncio.Task[Any]) -> str:
    """What a task is, and where it waits: its innermost frame."""
    awaitable: Any = task.get_coro()
    frame = None
    while awaitable is not None:
        frame = getattr(awaitable, "cr_frame", None) or getattr(awaitable, "gi_frame", None) or frame
        awaitable = getattr(awaitable, "cr_await", None) or getattr(awaitable, "gi_yieldfrom", None)
    place = "" if frame is None else f", which waits in {frame_text(frame)}"
    return f"{getattr(task.get_coro(), '__qualname__', task.get_name())}(){place}"


def frame_text(frame: FrameType) -> str:
    """For people: the function, the file and the line."""
    return f"{frame.f_code.co_name}() at {frame.f_code.co_filename}:{frame.f_lineno}"
