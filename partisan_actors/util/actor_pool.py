"""`ActorPool`: values handed to whichever actor of a group is free, and the results in either order.

A result has a number, that of its submission, from `submit` until somebody takes it. Nothing runs in the background:
an actor that has finished gets the next value when the pool is used, also while one waits for a result.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import partisan_actors as pa

__all__ = ["ActorPool"]

A = TypeVar("A")
V = TypeVar("V")


@dataclass(slots=True)
class _Work:
    """A value on its way: `made` is what its function gave, one ref or a list of them, or `error` what it raised."""

    made: Any = None
    error: Exception | None = None

    @property
    def refs(self) -> list[pa.ObjectRef[Any]]:
        return self.made if isinstance(self.made, list) else [self.made]


class ActorPool(Generic[A]):
    """A group of actors that share work; for one thread. An actor is in one pool at a time.

    `submit(fn, value)` calls ``fn(actor, value)`` with an actor that is free, now or later; it has to
    return the ref of a call of that actor, or a list of such refs. An actor that has ended fails what it is given.
    """

    def __init__(self, actors: Iterable[A]) -> None:
        self._idle: deque[A] = deque()
        self._busy: dict[int, tuple[A, list[pa.ObjectRef[Any]]]] = {}
        self._waiting: deque[tuple[int, Callable[[A, Any], Any], Any]] = deque()
        self._work: dict[int, _Work] = {}
        self._next = 0
        for actor in actors:
            self.push(actor)

    def submit(self, fn: Callable[[A, V], Any], value: V) -> None:
        """Have it done by an actor that is free, or by the next one that will be. Returns at once."""
        number, self._next = self._next, self._next + 1
        self._work[number] = _Work()
        self._waiting.append((number, fn, value))
        self._hand_out()

    def has_next(self) -> bool:
        """Whether there are results that nobody has taken, ready or not."""
        return bool(self._work)

    def get_next(self, timeout: float | None = None, ignore_if_timedout: bool = False) -> Any:
        """The result of what was submitted first, of all that was not taken. Waits up to `timeout` seconds.

        Raises StopIteration when there is none, TimeoutError, and what the call raised. After a TimeoutError it can be
        asked for again; with `ignore_if_timedout` its place in the order is given up, and None returned.
        """
        if not self._work:
            raise StopIteration("there are no more results")
        number = next(iter(self._work))
        if not self._wait(lambda: self._is_ready(number), timeout):
            if not ignore_if_timedout:
                raise TimeoutError(f"the next result was not there within {timeout} s")
            del self._work[number]
            return None
        return self._take(number)

    def get_next_unordered(self, timeout: float | None = None, ignore_if_timedout: bool = False) -> Any:
        """The result of any of them that is ready. As `get_next`, but nothing is given up after `timeout` seconds."""
        if not self._work:
            raise StopIteration("there are no more results")
        if not self._wait(lambda: any(map(self._is_ready, self._work)), timeout):
            if not ignore_if_timedout:
                raise TimeoutError(f"no result was there within {timeout} s")
            return None
        return self._take(next(filter(self._is_ready, self._work)))

    def map(self, fn: Callable[[A, V], Any], values: Iterable[V]) -> Iterator[Any]:
        """The results for `values`, in their order. All are submitted at once.

        Results of earlier submissions that nobody took are dropped.
        """
        self._submit_all(fn, values)
        return self._results(self.get_next)

    def map_unordered(self, fn: Callable[[A, V], Any], values: Iterable[V]) -> Iterator[Any]:
        """The same, each result as soon as it is ready."""
        self._submit_all(fn, values)
        return self._results(self.get_next_unordered)

    def has_free(self) -> bool:
        """Whether an actor has nothing to do."""
        self._hand_out()
        return bool(self._idle)

    def pop_idle(self) -> A | None:
        """Take an actor that has nothing to do out of the pool; None when all are busy."""
        self._hand_out()
        return self._idle.popleft() if self._idle else None

    def push(self, actor: A) -> None:
        """Add an actor. Raises ValueError for one that is in the pool."""
        if actor in self._idle or any(actor == busy for busy, _ in self._busy.values()):
            raise ValueError("this actor is in the pool already")
        self._idle.append(actor)
        self._hand_out()

    # ---- inside -----------------------------------------------------------------------------------------------

    def _submit_all(self, fn: Callable[[A, V], Any], values: Iterable[V]) -> None:
        self._work.clear()
        self._waiting.clear()
        for value in values:
            self.submit(fn, value)

    def _results(self, take: Callable[[], Any]) -> Iterator[Any]:
        while self._work:
            yield take()

    def _hand_out(self) -> None:
        """Take back the actors that have finished, and give each of the free ones something to do."""
        for number, (actor, refs) in list(self._busy.items()):
            if all(ref.done() for ref in refs):
                del self._busy[number]
                self._idle.append(actor)
        while self._idle and self._waiting:
            number, function, value = self._waiting.popleft()
            work = self._work.get(number)
            if work is None:  # its place was given up
                continue
            try:
                work.made = function(self._idle[0], value)
                if not all(isinstance(ref, pa.ObjectRef) for ref in work.refs):
                    raise TypeError(f"the function of an ActorPool has to return a ref, not {work.made!r}")
            except Exception as error:  # noqa: BLE001 - the user's function: it is what this submission has come to
                work.error = error
            else:
                self._busy[number] = self._idle.popleft(), work.refs

    def _is_ready(self, number: int) -> bool:
        work = self._work[number]
        return work.error is not None or (work.made is not None and all(ref.done() for ref in work.refs))

    def _wait(self, is_there: Callable[[], bool], timeout: float | None) -> bool:
        """Hand out work until it is there, or `timeout` seconds have passed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._hand_out()
            if is_there():
                return True
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            pending = [ref for _, refs in self._busy.values() for ref in refs if not ref.done()]
            if pending:
                pa.wait(pending, timeout=left)
            elif not self._busy:
                raise RuntimeError("there is no actor in the pool that could do what was submitted")

    def _take(self, number: int) -> Any:
        work = self._work.pop(number)
        if work.error is not None:
            raise work.error
        result = pa.get(work.made)
        self._hand_out()
        return result
