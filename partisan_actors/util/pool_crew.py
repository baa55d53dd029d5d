"""The processes of a `Pool`, and the thread that hands chunks of jobs to those that are free.

All but `start`, `close`, `terminate` and `join` happens on that thread, and so do the users' call-backs.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import partisan_actors as pa
from partisan_actors.util.pool_results import Job
from partisan_actors.util.turns import Turns

__all__ = ["Crew"]


@pa.actor
class _Hand:
    """One process of a pool."""

    def __init__(self, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
        if initializer is not None:
            initializer(*initargs)

    def run(self, function: Callable[..., Any], kind: str, items: list[Any]) -> list[Any]:
        if kind == "apply":
            return [function(*args, **kwargs) for args, kwargs in items]
        if kind == "starmap":
            return [function(*item) for item in items]
        return [function(item) for item in items]


class _Place:
    """Where one process stands, and after it the next one."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.done = 0


class Crew:
    """So many processes. It ends by `terminate`, or when all is done after `close`."""

    def __init__(
        self,
        processes: int,
        options: Mapping[str, Any],
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
        chunks_each: int | None,
    ) -> None:
        self._make = _Hand.options(**options)
        self._arguments = initializer, initargs
        self._chunks_each = chunks_each
        self._is_closing = False
        self._is_terminated = threading.Event()
        self._idle: deque[_Place] = deque(_Place(self._new()) for _ in range(processes))
        self._busy: dict[_Place, tuple[Job, int]] = {}
        self._jobs: deque[Job] = deque()
        self._turns = Turns("partisan-pool")

    def start(self, job: Job) -> None:
        """Have it done, after the jobs that were started before."""
        self._turns.post(lambda: self._started(job))

    def post(self, step: Callable[[], object]) -> None:
        """Do that on the thread of call-backs."""
        self._turns.post(step)

    def look(self) -> None:
        """Somebody has taken a result: there may be more to do."""
        self._turns.post(self._hand_out)

    def close(self) -> None:
        """End when all is done."""
        self._turns.post(self._closed)

    def terminate(self) -> None:
        """End now."""
        if not self._is_terminated.is_set():
            self._is_terminated.set()
            self._turns.post(self._terminated)

    def join(self) -> None:
        """Wait for the end."""
        self._turns.join()

    # ---- on the thread ----------------------------------------------------------------------------------------

    def _started(self, job: Job) -> None:
        self._jobs.append(job)
        self._hand_out()

    def _closed(self) -> None:
        self._is_closing = True
        self._hand_out()

    def _terminated(self) -> None:
        for place in [*self._idle, *self._busy]:
            self._end(place.actor)
        gone = RuntimeError("the pool was terminated before this was done")
        open_jobs = {id(job): job for job in [*self._jobs, *(job for job, _ in self._busy.values())]}
        for job, number in self._busy.values():
            job.deliver(number, [], gone)
        for job in self._jobs:
            job.deliver(job.chunks.count, [], gone)
            job.chunks.count += 1
        for job in open_jobs.values():
            if job.iterator is not None:
                job.iterator.set_total(job.chunks.count)
        self._jobs.clear()
        self._busy.clear()
        self._idle.clear()
        self._turns.end()

    def _hand_out(self) -> None:
        while self._idle and not self._is_terminated.is_set():
            job = next((job for job in self._jobs if self._is_closing or job.may_go_on), None)
            if job is None:
                break
            self._give(self._idle.popleft(), job)
        if self._is_closing and not self._jobs and not self._busy and self._idle:
            for place in self._idle:
                self._end(place.actor)
            self._idle.clear()
            self._turns.end()

    def _give(self, place: _Place, job: Job) -> None:
        """The next chunk of the job, to that process; or it has nothing to do still."""
        number = job.chunks.count
        try:
            chunk = job.chunks.next()
            if chunk is not None:
                ref = place.actor.run.remote(job.function, job.kind, chunk)
        except Exception as error:  # noqa: BLE001 - of the user's iterable, or of what cannot be sent
            job.chunks.count = number + 1
            self._idle.append(place)
            job.deliver(number, [], error)
        else:
            if chunk is None:
                self._idle.append(place)
            else:
                self._busy[place] = job, number
                job.open += 1
                ref.add_done_callback(lambda ref: self._turns.post(lambda: self._ended(place, ref)))
        if job.chunks.is_over:
            self._jobs.remove(job)
            if job.iterator is not None:
                job.iterator.set_total(job.chunks.count)

    def _ended(self, place: _Place, ref: pa.ObjectRef[list[Any]]) -> None:
        if place not in self._busy:  # the pool was terminated meanwhile
            return
        job, number = self._busy.pop(place)
        job.open -= 1
        place.done += 1
        error = ref.exception()
        if isinstance(error, (pa.ActorStopped, pa.NodeDown)) or place.done == self._chunks_each:
            self._end(place.actor)
            place = _Place(self._new())
        self._idle.append(place)
        job.deliver(number, ref.result() if error is None else [], error)
        self._hand_out()

    def _new(self) -> Any:
        return self._make.remote(*self._arguments)

    def _end(self, actor: Any) -> None:
        # It may be gone already, and so may the session; nobody waits for it here.
        with contextlib.suppress(pa.PartisanError):
            pa.kill(actor)
