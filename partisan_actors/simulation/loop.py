"""Event loops in virtual time: asyncio's own machinery, one loop a node, all on one clock and one thread.

A loop here runs what is ready and nothing else; it never waits. `Loops` gives the loops their turns: first those that
have something ready, in the order in which they were made; when none has, the clock moves to the next timer of any.
So an hour of sleep takes no time, and what happens depends on nothing outside.

A loop that is stalled until some time gets no turn before it, as a process that is stopped or waits for its disk; one
that is abandoned never gets one again, as a process that was killed.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from asyncio import base_events, events
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

from partisan_actors.simulation.clock import NANOSECONDS_PER_SECOND, nanoseconds

__all__ = ["Loops", "NothingWillHappen", "VirtualLoop", "VirtualTime"]

T = TypeVar("T")

# Turns without time passing, in a row: more is a program that never waits.
TURNS_AT_ONE_MOMENT_MAX: Final = 1_000_000
# What is cancelled at the end gets so many turns to end; what then still runs is dropped where it is.
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
    """One node's loop. Tasks, timers and futures are asyncio's; there are no sockets, signals or child processes.

    What is given to an executor runs at once, on the loop, in its turn.
    """

    _timer_cancelled_count: int  # asyncio's

    def __init__(self, virtual_time: VirtualTime, name: str) -> None:
        super().__init__()
        self._virtual_time = virtual_time
        self._selector = _NoSelector()
        self.name = name
        self.stalled_until_ns = 0
        self.turn_ns = 0  # how long a turn takes
        self.is_abandoned = False

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
            due_ns = math.ceil(scheduled[0].when() * NANOSECONDS_PER_SECOND)
        return max(due_ns, self.stalled_until_ns)

    def turn(self) -> None:
        """Run what is ready now, once."""
        events._set_running_loop(self)
        try:
            self._run_once()  # type: ignore[attr-defined]  # the loop's own turn
        finally:
            events._set_running_loop(None)
        if self.turn_ns:
            self.stalled_until_ns = max(self.stalled_until_ns, self._virtual_time.now_ns + self.turn_ns)

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        future: asyncio.Future[T] = self.create_future()

        def run() -> None:
            if future.cancelled():
                return
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - whoever awaits it gets it
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_soon(run)
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

    def make(self, name: str) -> VirtualLoop:
        """A loop that gets its turns from now on, until it is closed or abandoned."""
        loop = VirtualLoop(self.time, name)
        self._made.append(loop)
        self._loops.append(loop)
        return loop

    def step(self, end_ns: int | None = None) -> bool:
        """One turn of one loop. False, and nothing happens, when nothing is due until `end_ns`, or ever."""
        self._loops = [loop for loop in self._loops if not loop.is_abandoned and not loop.is_closed()]
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
        self.time.now_ns = max(self.time.now_ns, soonest_ns)
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

    def run_until(self, is_done: Callable[[], bool], within_s: float, what: str = "") -> None:
        """Let things happen until `is_done()`, which is asked after every turn.

        Raises TimeoutError when that takes longer than `within_s`, NothingWillHappen when it never comes, and
        RuntimeError when turns follow each other endlessly without time passing.
        """
        end_ns = self.time.now_ns + nanoseconds(within_s)
        moment_ns, turns = self.time.now_ns, 0
        while not is_done():
            if not self.step(end_ns):
                if any(loop.next_ns is not None for loop in self._loops):
                    self.time.now_ns = end_ns
                    raise TimeoutError(f"not within {within_s:g} virtual seconds: {what or is_done}")
                raise NothingWillHappen(f"no loop has anything to do, and yet not: {what or is_done}")
            turns = turns + 1 if self.time.now_ns == moment_ns else 0
            moment_ns = self.time.now_ns
            if turns > TURNS_AT_ONE_MOMENT_MAX:
                raise RuntimeError(f"{turns} turns, and it is still {self.time.now_s} s: something never waits")

    def run(self, loop: VirtualLoop, job: Coroutine[Any, Any, T], within_s: float) -> T:
        """Run `job` as a task of `loop`, with all the others going on, and return its result; see `run_until`."""
        task = loop.create_task(job)
        try:
            self.run_until(task.done, within_s, f"the end of {job}")
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
            loop.stalled_until_ns = loop.turn_ns = 0
            for task in asyncio.all_tasks(loop):
                task.cancel()
        for _ in range(CLOSING_TURNS_MAX):
            if not self.step(self.time.now_ns):
                break
        for loop in self._made:
            loop.close()
        self._loops = self._made = []
