"""Admission: newcomers are taken in no faster than this node's loop bears it.

Each newcomer means walks, links and broadcasts for everybody. When a thousand join through one contact at once and are
all let in, loops turn so slowly that dials and signs of life come too late, which is taken for failure, and costs more
still. So messages that ask to be taken in wait for their turn, a few in each, and the later the loop runs, the longer
the time between turns. Newcomers wait and ask again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from partisan_actors.ids import NodeId

__all__ = ["Admission"]

# The time between turns while the loop runs in time, and what is added at most when it does not.
TURN_S: Final = 0.02
LATER_S_MAX: Final = 1.0
# How many are taken in at each turn, and from when on the loop counts as late.
IN_A_TURN: Final = 4
LATE_S: Final = 0.05
# Who asks while so many wait is not heard, and will ask again.
WAITING_MAX: Final = 4096


class Admission:
    """The newcomers that wait at one node; `take` lets one in."""

    def __init__(self, loop: asyncio.AbstractEventLoop, take: Callable[[NodeId, object], None]) -> None:
        self._loop = loop
        self._take = take
        self._late_s = 0.0
        self._taken_at = float("-inf")
        # What each asked last, in the order in which they came.
        self._waiting: dict[NodeId, object] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def timer_was_late(self, late_s: float) -> None:
        """Some timer of this loop fired so many seconds after its time."""
        self._late_s = late_s

    def add(self, newcomer: NodeId, message: object) -> None:
        """`newcomer` asks to be taken in: at once, or in its turn."""
        now = self._loop.time()
        if self._timer is None and self._late_s < LATE_S and now - self._taken_at >= TURN_S:
            self._taken_at = now
            self._take(newcomer, message)
        elif newcomer in self._waiting or len(self._waiting) < WAITING_MAX:
            self._waiting[newcomer] = message
            self._wait()

    def close(self) -> None:
        """Take nobody in any more."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        if self._timer is None:
            delay_s = TURN_S + min(self._late_s, LATER_S_MAX)
            self._timer = self._loop.call_later(delay_s, self._fire, self._loop.time() + delay_s)

    def _fire(self, due: float) -> None:
        self._timer = None
        self._late_s = self._loop.time() - due
        for _ in range(min(IN_A_TURN, len(self._waiting))):
            newcomer = next(iter(self._waiting))
            self._take(newcomer, self._waiting.pop(newcomer))
        self._taken_at = self._loop.time()
        if self._waiting:
            self._wait()
