"""What a `Pool` has to do, and what its callers wait for: jobs in chunks, `AsyncResult`, `IMapIterator`."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import TimeoutError as PoolTimeout
from typing import Any, Final

__all__ = ["AHEAD_MAX", "AsyncResult", "Chunks", "IMapIterator", "Job"]

logger = logging.getLogger(__name__)

# How many results of `imap` may wait for whoever takes them, before no more are computed.
AHEAD_MAX: Final = 1000


class Chunks:
    """The items of a job, so many at a time, with the number of each chunk."""

    def __init__(self, items: Iterator[Any], size: int) -> None:
        self._items = items
        self._size = size
        self.count = 0
        self.is_over = False

    def next(self) -> list[Any] | None:
        """The next chunk; None at the end. Raises what the iterable raises."""
        try:
            chunk = list(itertools.islice(self._items, self._size))
        except Exception:
            self.is_over = True
            raise
        if not chunk:
            self.is_over = True
            return None
        self.count += 1
        return chunk


@dataclass(slots=True, eq=False)
class Job:
    """A function over items. `deliver` is given each chunk's number, its results, and its error."""

    function: Callable[..., Any]
    kind: str
    chunks: Chunks
    deliver: Callable[[int, list[Any], BaseException | None], object]
    iterator: IMapIterator | None = None
    open: int = 0

    @property
    def may_go_on(self) -> bool:
        """Whether its consumer keeps up."""
        return self.iterator is None or self.iterator.waiting + self.open < AHEAD_MAX


class AsyncResult:
    """What `Pool.apply_async` and its like return."""

    def __init__(
        self,
        parts: int,
        *,
        is_single: bool = False,
        callback: Callable[[Any], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> None:
        self._parts: list[list[Any]] = [[] for _ in range(parts)]
        self._left = parts
        self._is_single = is_single
        self._callback = callback
        self._error_callback = error_callback
        self._done = threading.Event()
        self._error: BaseException | None = None

    def get(self, timeout: float | None = None) -> Any:
        """The result, or raise what went wrong. Raises multiprocessing.TimeoutError after `timeout` seconds."""
        if not self._done.wait(timeout):
            raise PoolTimeout
        if self._error is not None:
            raise self._error
        return self._value()

    def wait(self, timeout: float | None = None) -> None:
        """Return when it is there, or after `timeout` seconds."""
        self._done.wait(timeout)

    def ready(self) -> bool:
        """Whether it is there."""
        return self._done.is_set()

    def successful(self) -> bool:
        """Whether nothing went wrong. Raises ValueError when it is not there yet."""
        if not self._done.is_set():
            raise ValueError(f"{self!r} not ready")
        return self._error is None

    def set_part(self, number: int, results: list[Any], error: BaseException | None) -> None:
        """A chunk is done; for the pool."""
        if self._done.is_set():
            return
        self._left -= 1
        if error is not None:
            self._error = error
        else:
            self._parts[number] = results
        if error is not None or self._left == 0:
            self._finish()

    def finish_empty(self) -> None:
        """There was nothing to do."""
        self._finish()

    def _value(self) -> Any:
        results = list(itertools.chain.from_iterable(self._parts))
        return results[0] if self._is_single else results

    def _finish(self) -> None:
        self._done.set()
        try:
            if self._error is not None:
                if self._error_callback is not None:
                    self._error_callback(self._error)
            elif self._callback is not None:
                self._callback(self._value())
        except Exception:
            logger.exception("a call-back of a pool raised")


class IMapIterator:
    """What `Pool.imap` and `imap_unordered` return: iterate, or call `next(timeout)`."""

    def __init__(self, is_ordered: bool, look: Callable[[], None]) -> None:
        self._is_ordered = is_ordered
        self._look = look
        self._changed = threading.Condition()
        self._ready: deque[tuple[Any, BaseException | None]] = deque()
        self._early: dict[int, list[tuple[Any, BaseException | None]]] = {}
        self._turn = 0
        self._arrived = 0
        self._total: int | None = None

    def __iter__(self) -> IMapIterator:
        return self

    def __next__(self) -> Any:
        return self.next()

    def next(self, timeout: float | None = None) -> Any:
        """The next result. Raises StopIteration, multiprocessing.TimeoutError, and what went wrong with it."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._ready:
                if self._total is not None and self._arrived >= self._total:
                    raise StopIteration
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise PoolTimeout
                self._changed.wait(left)
            value, error = self._ready.popleft()
        self._look()
        if error is not None:
            raise error
        return value

    @property
    def waiting(self) -> int:
        """How many results nobody has taken."""
        return len(self._ready) + len(self._early)

    def set_part(self, number: int, results: list[Any], error: BaseException | None) -> None:
        """A chunk is done; for the pool."""
        parts: list[tuple[Any, BaseException | None]] = [(value, None) for value in results]
        if error is not None:
            parts.append((None, error))
        with self._changed:
            self._arrived += 1
            if not self._is_ordered:
                self._ready.extend(parts)
            else:
                self._early[number] = parts
                while self._turn in self._early:
                    self._ready.extend(self._early.pop(self._turn))
                    self._turn += 1
            self._changed.notify_all()

    def set_total(self, chunks: int) -> None:
        """There are so many chunks, and no more; for the pool."""
        with self._changed:
            self._total = chunks
            self._changed.notify_all()
