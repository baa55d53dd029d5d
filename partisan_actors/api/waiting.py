"""Waiting for several refs: for all of them, for some, or for each as it comes. For threads, and `Completed` for both.

Whoever waits here lends what its task holds to others, as every blocking wait does.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Generic, TypeVar

from partisan_actors.actors.blocking import gate
from partisan_actors.actors.replies import while_blocked
from partisan_actors.actors.self_waits import calls_of_itself, refuse_to_wait
from partisan_actors.errors import CallTimeout
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.objects.stream import ObjectRefGenerator

__all__ = ["Completed", "wait_for_all", "wait_for_some"]

T = TypeVar("T")


def wait_for_all(refs: Sequence[ObjectRef[Any]], timeout: float | None) -> None:
    """Block until all are ready, or one has failed.

    Raises CallTimeout after `timeout` seconds, RuntimeError on the loop that the refs wait for, and Deadlocked in a
    blocking method that would wait for its own actor.
    """
    for ref in refs:
        ref.begin_fetch()  # all of them at once, not each when it is its turn
    pending = next((ref for ref in reversed(refs) if not ref.done()), None)
    if pending is None:
        return
    _check_loop(refs, "get would block the loop that it waits for: use await there")
    if timeout is None:
        refuse_to_wait(refs)
    deadline = _Deadline(timeout)
    bell = gate()
    stores = {ref.store for ref in refs}
    for store in stores:
        store.on_failure.append(bell.open)
    try:
        with _blocked():
            # The last is likely to be ready last: waiting for it first wakes this thread once, not once for each.
            for ref in reversed(refs):
                if ref.done():
                    continue
                ref.add_waiter(bell.open)
                try:
                    while not ref.done() and not any(other.has_failed for other in refs):
                        if not bell.wait(deadline.left()):
                            raise CallTimeout(f"{sum(not other.done() for other in refs)} of {len(refs)} refs", timeout)
                finally:
                    ref.remove_waiter(bell.open)
                if not ref.done():
                    return  # another one has failed
    finally:
        for store in stores:
            store.on_failure.remove(bell.open)


def wait_for_some(refs: Sequence[ObjectRef[Any]], count: int, timeout: float | None, *, fetch: bool) -> list[int]:
    """Block until `count` are ready, or `timeout` seconds have passed: the positions of those that are, in order.

    Without `fetch`, one that is ready where it lives counts, too, and nothing is brought here. Raises RuntimeError on
    the loop that the refs wait for.
    """
    waitables: list[Any] = [ref if fetch or ref.done() else _readiness(ref) for ref in refs]
    if sum(each.done() for each in waitables) < count:
        _check_loop(refs, "wait would block the loop that it waits for: use asyncio.wait there")
        if timeout is None and len(refs) - len(calls_of_itself(refs)) < count:
            refuse_to_wait(refs)
        bell = gate()
        for each in waitables:
            each.add_waiter(bell.open)
        deadline = _Deadline(timeout)
        try:
            with _blocked():
                for _ in range(count):
                    if not bell.wait(deadline.left()):
                        break
        finally:
            for each in waitables:
                each.remove_waiter(bell.open)
    return [position for position, each in enumerate(waitables) if each.done()]


def _readiness(ref: Any) -> Any:
    """What tells when it is ready where it lives: a generator's items come by themselves."""
    return ref if isinstance(ref, ObjectRefGenerator) else ref.store.readiness(ref)


class Completed(Generic[T]):
    """The refs in the order in which they become ready: an iterator for threads, and one for coroutines of any loop.

    One that has failed is ready. For one consumer; raises CallTimeout when `timeout` seconds are over before the end.
    """

    def __init__(self, refs: Sequence[ObjectRef[T]], timeout: float | None) -> None:
        self._refs = refs
        self._ready: deque[ObjectRef[T]] = deque()
        self._left = len(refs)
        self._deadline = _Deadline(timeout)
        self._timeout = timeout
        self._ring: Callable[[], object] | None = None
        for ref in refs:
            ref.add_waiter(partial(self._done, ref))

    def __iter__(self) -> Iterator[ObjectRef[T]]:
        return self

    def __aiter__(self) -> AsyncIterator[ObjectRef[T]]:
        return self

    def __len__(self) -> int:
        return self._left

    def _done(self, ref: ObjectRef[T]) -> None:
        self._ready.append(ref)
        ring = self._ring
        if ring is not None:
            ring()

    def __next__(self) -> ObjectRef[T]:
        if self._left == 0:
            raise StopIteration
        if not self._ready:
            _check_loop(self._refs, "this would block the loop that it waits for: use `async for` there")
            bell = gate()
            self._ring = bell.open
            with _blocked():
                while not self._ready:
                    if not bell.wait(self._deadline.left()) and not self._ready:
                        raise self._late()
            self._ring = None
        return self._next()

    async def __anext__(self) -> ObjectRef[T]:
        if self._left == 0:
            raise StopAsyncIteration
        while not self._ready:
            loop = asyncio.get_running_loop()
            rung = asyncio.Event()
            self._ring = partial(_ring_on, loop, rung)
            if self._ready:  # it came between the look and the bell
                break
            try:
                async with asyncio.timeout(self._deadline.left()):
                    await rung.wait()
            except TimeoutError as error:
                raise self._late() from error
            finally:
                self._ring = None
        return self._next()

    def _next(self) -> ObjectRef[T]:
        self._left -= 1
        return self._ready.popleft()

    def _late(self) -> CallTimeout:
        return CallTimeout(f"{self._left} of {len(self._refs)} refs", self._timeout or 0.0)


def _ring_on(loop: asyncio.AbstractEventLoop, rung: asyncio.Event) -> None:
    try:
        loop.call_soon_threadsafe(rung.set)
    except RuntimeError:  # that loop is closed: nobody waits any more
        return


class _Deadline:
    """So many seconds from now; None: never."""

    def __init__(self, timeout: float | None) -> None:
        self._at = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        """The seconds that are left, 0 when it is over."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())


def _check_loop(refs: Sequence[ObjectRef[Any]], text: str) -> None:
    loop = asyncio._get_running_loop()
    if loop is not None and any(ref.store.loop is loop for ref in refs):
        raise RuntimeError(text)


def _blocked() -> AbstractContextManager[None]:
    lending = while_blocked.get()
    return nullcontext() if lending is None else lending()
