"""`Flow`: how many bytes a node has others send it at once, in the order in which it asked."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Flow"]


class Flow:
    """At most `bytes_max` at a time, or one value that is larger. Waiting has no bound: whoever waits has asked."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.in_flight = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def room_for(self, size: int) -> AsyncIterator[None]:
        """Room for so many bytes, for as long as the block takes."""
        if self._waiting or not self._fits(size):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((size, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # it had its turn at the same moment
                    self._give_back(size)
                raise
        else:
            self.in_flight += size
        try:
            yield
        finally:
            self._give_back(size)

    def _fits(self, size: int) -> bool:
        return self.in_flight == 0 or self.in_flight + size <= self.bytes_max

    def _give_back(self, size: int) -> None:
        self.in_flight -= size
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.cancelled():
                if not self._fits(size):
                    return
                self.in_flight += size
                turn.set_result(None)
            self._waiting.popleft()
