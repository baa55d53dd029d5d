"""The flusher: whoever has something to send is flushed once per turn of the loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from operator import attrgetter
from typing import Final, Protocol

from partisan_actors.transport.busy_wait import BusyWait
from partisan_actors.wire.codec import unpacker
from partisan_actors.wire.frames import FRAME_BYTES_MAX

__all__ = ["Flushable", "Flusher"]

_priority = attrgetter("priority")
# A call that is made alone, and perhaps the acknowledgement of the answer before it.
FEW: Final = 2


class Flushable(Protocol):
    """Something with output: a connection."""

    is_marked: bool
    priority: int
    # Whether it is for calls, which are answered; and how many messages it has written.
    is_for_calls: bool
    messages_out: int

    def flush(self) -> None:
        """Write out what waits."""
        ...


class Flusher:
    """Collects the connections that have something to send; each is flushed once per loop turn, by priority."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive_bytes: int = 256 * 1024) -> None:
        self._loop = loop
        self.time = loop.time
        self._dirty: list[Flushable] = []
        self._scheduled = False
        self.receiving = False
        self.busy_wait: BusyWait | None = None
        # Filled and emptied within one call-back of the loop, so every connection of a loop can share it.
        self.receive_view = memoryview(bytearray(receive_bytes))
        self.renew_unpacker()

    def renew_unpacker(self) -> None:
        """Begin with an empty decoder of batches. Connections share it, for it takes 56 KiB, as they do `receive_view`.

        `fed_bytes` is how many it was ever given: when a batch has been handled, it has read as many.
        """
        self.unpacker = unpacker(FRAME_BYTES_MAX + 1)
        self.fed_bytes = 0

    def mark(self, connection: Flushable) -> None:
        """`connection` has output. Flushed when the current read is handled, or else in the next loop turn."""
        self._dirty.append(connection)
        if not self._scheduled and not self.receiving:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def soon_threadsafe(self, call: Callable[[], None]) -> None:
        """From any thread: call in the next loop turn."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the connection with it
            self._loop.call_soon_threadsafe(call)

    def soon(self, call: Callable[[], None]) -> None:
        """Call when the running call-back of the loop is over."""
        self._loop.call_soon(call)

    def flush(self) -> None:
        """Write out everything that waits."""
        self._scheduled = False
        dirty, self._dirty = self._dirty, []
        if len(dirty) > 1:
            dirty.sort(key=_priority, reverse=True)
        elif dirty and self.busy_wait is not None and dirty[0].is_for_calls:
            self._flush_one(dirty[0], self.busy_wait)
            return
        for connection in dirty:
            connection.is_marked = False
            connection.flush()

    def _flush_one(self, connection: Flushable, busy_wait: BusyWait) -> None:
        connection.is_marked = False
        before = connection.messages_out
        connection.flush()
        if 0 < connection.messages_out - before <= FEW:
            busy_wait.wrote()
