"""What a measurement may ask of either side: the small interfaces that the floor and ours both stand behind."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

__all__ = ["AwaitedPeer", "BlockingPeer"]


class AwaitedPeer(Protocol):
    """An adder in another process, called from a loop. Each call starts at once and is awaited by the caller."""

    @property
    def pid(self) -> int:
        """The process that answers."""
        ...

    def add(self, amount: int) -> Awaitable[object]:
        """Add to the total; an async method where there is a difference."""
        ...

    def add_sync(self, amount: int) -> Awaitable[object]:
        """Add to the total; a sync method where there is a difference."""
        ...

    def size(self, payload: bytes) -> Awaitable[object]:
        """The length of `payload`, as its receiver found it."""
        ...


class BlockingPeer(Protocol):
    """The same adder, called from a thread without a loop."""

    def add_and_get(self, amount: int) -> object:
        """Add and wait for the answer."""
        ...

    def add_and_get_many(self, amount: int, calls: int) -> object:
        """Add `calls` times without waiting in between, then wait for every answer."""
        ...
