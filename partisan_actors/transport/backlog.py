"""What waits on a connection whose peer is slow: how much there may be, and how much there is, for how long."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from partisan_actors.errors import Overloaded
from partisan_actors.transport.flusher import Flusher

__all__ = ["CLOGGED_BYTES", "Backlog"]

CLOGGED_BYTES: Final = 1024 * 1024


class Backlog:
    """The part of a connection that knows. `messages_out` counts those that have left it."""

    peer: Any
    messages_out: int
    # Whether nothing can be written now: the peer is slower than we send, the window of the session is full, or the
    # connection broke.
    is_paused: bool
    queue_bytes_max: int
    _flusher: Flusher
    _out: list[Any]
    _waiting: list[asyncio.Future[None]]
    _queued: int
    _waits_since = 0.0

    @property
    def is_clogged(self) -> bool:
        """Whether so much waits for a slow peer that those who can wait should."""
        return self.is_paused and self._queued > CLOGGED_BYTES

    @property
    def backlog(self) -> tuple[int, int]:
        """How many messages wait that are not begun, and how many bytes."""
        return (len(self._out), self._queued) if self.is_paused else (0, 0)

    @property
    def oldest_wait_s(self) -> float:
        """How long the first of them has been waiting."""
        return self._flusher.time() - self._waits_since if self.is_paused and self._queued else 0.0

    def goes_on(self) -> asyncio.Future[None]:
        """Done once what waits now is being written, or the connection is no more. While it is paused, on its loop."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    def _admit(self, size: int) -> None:
        if not self._queued:
            self._waits_since = self._flusher.time()
        self._queued += size
        if self._queued > self.queue_bytes_max:
            self._queued -= size
            raise Overloaded(str(self.peer), self.queue_bytes_max)
