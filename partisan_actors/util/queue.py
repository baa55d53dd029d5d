"""`Queue`: a first-in, first-out queue that lives in an actor, for any number of processes that put and get.

Its methods, and what they raise, are those of `queue.Queue` and of `asyncio.Queue`.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Mapping, Sequence
from typing import Any, Final

import partisan_actors as pa

__all__ = ["Empty", "Full", "Queue"]

# How many callers may wait in one queue; those beyond wait for their turn to do so.
WAITING_MAX: Final = 100_000


class Empty(queue.Empty):
    """There is nothing in the queue, or was not in time."""


class Full(queue.Full):
    """There is no room in the queue, or was not in time."""


@pa.actor(max_concurrency=WAITING_MAX, mailbox_max=WAITING_MAX)
class _Items:
    """The actor. What cannot be done is an answer, and not an error: many a caller asks on purpose."""

    def __init__(self, maxsize: int) -> None:
        self._items: asyncio.Queue[Any] = asyncio.Queue(maxsize)

    async def qsize(self) -> int:
        return self._items.qsize()

    async def put(self, boxed: list[Any], timeout: float | None) -> bool:
        # In a list, because a ref that is an argument of its own would arrive as its value.
        try:
            await asyncio.wait_for(self._items.put(boxed[0]), timeout)
        except TimeoutError:
            return False
        return True

    async def get(self, timeout: float | None) -> tuple[bool, Any]:
        try:
            return True, await asyncio.wait_for(self._items.get(), timeout)
        except TimeoutError:
            return False, None

    async def get_nowait(self) -> tuple[bool, Any]:
        return (True, self._items.get_nowait()) if self._items.qsize() else (False, None)

    async def put_batch(self, items: list[Any]) -> bool:
        limit = self._items.maxsize
        if limit > 0 and self._items.qsize() + len(items) > limit:
            return False
        for item in items:
            self._items.put_nowait(item)
        return True

    async def get_batch(self, count: int) -> tuple[bool, list[Any]]:
        if count > self._items.qsize():
            return False, []
        return True, [self._items.get_nowait() for _ in range(count)]


class Queue:
    """A queue of at most `maxsize` items (0: any number). Send it to others: all copies mean the same queue.

    It lives in an actor, made with `actor_options`, which ends when the last copy is gone, or with `shutdown`; after
    that its methods raise ActorStopped. Those without ``_async`` block their thread. An item whose getter goes down
    between asking and having it is lost.
    """

    def __init__(self, maxsize: int = 0, actor_options: Mapping[str, Any] | None = None) -> None:
        self.maxsize = maxsize
        self.actor: Any = _Items.options(**dict(actor_options or {})).remote(maxsize)

    def __len__(self) -> int:
        return self.size()

    def __bool__(self) -> bool:
        return True  # a queue is one, however few items it has

    def size(self) -> int:
        """How many items there are; by the time you read it, perhaps others."""
        return int(pa.get(self.actor.qsize.remote()))

    def qsize(self) -> int:
        """As `size`."""
        return self.size()

    def empty(self) -> bool:
        """Whether there are none."""
        return self.size() == 0

    def full(self) -> bool:
        """Whether there is no room for another one."""
        return 0 < self.maxsize <= self.size()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add an item, waiting up to `timeout` seconds for room. Raises Full; ValueError for a negative timeout."""
        if not pa.get(self._put(item, block, timeout)):
            raise Full

    async def put_async(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """`put` for coroutines."""
        if not await self._put(item, block, timeout):
            raise Full

    def put_nowait(self, item: Any) -> None:
        """Add an item if there is room. Raises Full."""
        self.put(item, block=False)

    def put_nowait_batch(self, items: Sequence[Any]) -> None:
        """Add all items, or none and raise Full."""
        if isinstance(items, (str, bytes)) or not isinstance(items, Sequence):
            raise TypeError(f"put_nowait_batch takes a list of items, not {type(items).__name__}")
        if not pa.get(self.actor.put_batch.remote(list(items))):
            raise Full(f"there is no room for {len(items)} items: the queue takes {self.maxsize}")

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the oldest item, waiting up to `timeout` seconds for one. Raises Empty; ValueError as `put` does."""
        return _item(pa.get(self._get(block, timeout)))

    async def get_async(self, block: bool = True, timeout: float | None = None) -> Any:
        """`get` for coroutines."""
        return _item(await self._get(block, timeout))

    def get_nowait(self) -> Any:
        """Take the oldest item if there is one. Raises Empty."""
        return self.get(block=False)

    def get_nowait_batch(self, num_items: int) -> list[Any]:
        """Take so many items, or none and raise Empty."""
        if isinstance(num_items, bool) or not isinstance(num_items, int):
            raise TypeError(f"num_items is a whole number, not {type(num_items).__name__}")
        if num_items < 0:
            raise ValueError(f"num_items must not be negative, got {num_items}")
        there, items = pa.get(self.actor.get_batch.remote(num_items))
        if not there:
            raise Empty(f"there are fewer than {num_items} items")
        return list(items)

    def shutdown(self, force: bool = False, grace_period_s: float = 5) -> None:
        """End the queue. What was asked of it has `grace_period_s` seconds to be answered; with `force`, none."""
        if not force:
            pa.wait([pa.terminate(self.actor)], timeout=grace_period_s)
        pa.kill(self.actor)

    def _put(self, item: Any, block: bool, timeout: float | None) -> pa.ObjectRef[bool]:
        if not block:
            return self.actor.put_batch.remote([item])  # type: ignore[no-any-return]  # of any actor
        return self.actor.put.remote([item], _checked(timeout))  # type: ignore[no-any-return]  # of any actor

    def _get(self, block: bool, timeout: float | None) -> pa.ObjectRef[tuple[bool, Any]]:
        if block:
            return self.actor.get.remote(_checked(timeout))  # type: ignore[no-any-return]  # of any actor
        return self.actor.get_nowait.remote()  # type: ignore[no-any-return]  # of any actor


def _checked(timeout: float | None) -> float | None:
    if timeout is not None and timeout < 0:
        raise ValueError(f"'timeout' must be a non-negative number, got {timeout}")
    return timeout


def _item(answer: tuple[bool, Any]) -> Any:
    there, item = answer
    if not there:
        raise Empty
    return item
