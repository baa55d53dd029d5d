"""`Posting`: from any thread to the loop, in order, with one wake-up for as many calls as come meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["Posting"]


class Posting:
    """What threads have the loop of a node do."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._posted: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._is_awake = False

    def post(self, call: Callable[..., object], *args: Any) -> None:
        """Call on the loop, in order; from any thread."""
        self._posted.append((call, args))
        if not self._is_awake:
            self._is_awake = True
            try:
                self._loop.call_soon_threadsafe(self._run)
            except RuntimeError:  # the loop is closed: the node has ended before its actor's method did
                return

    def _run(self) -> None:
        self._is_awake = False
        posted = self._posted
        for _ in range(len(posted)):
            call, args = posted.popleft()
            call(*args)
