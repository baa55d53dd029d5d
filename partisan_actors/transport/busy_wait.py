"""Waiting for an answer without going to sleep, for as long as answers come soon.

To wake a process that sleeps takes the system longer than a call takes us. So a loop that has just written one message
looks again at once, for `patience_s` at most, as BEAM's schedulers do before they sleep. It does so only after
QUICK_MIN messages in a row have been answered in that time; one that was not, and it sleeps as before until there were
as many again. So what is spent in vain is at most a `patience_s` for every QUICK_MIN answers. Between two looks it
gives way to whoever else wants the processor; if somebody did, it sleeps, too, for then it is most likely that work
that the answer waits for. That counts for CROWDED_COST answers: it goes on looking where that happens now and then, and
does so for one message in CROWDED_COST where it always happens, as on one processor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["PATIENCE_S", "QUICK_MIN", "BusyWait"]

PATIENCE_S: Final = 200e-6
QUICK_MIN: Final = 8
QUICK_MAX: Final = 16
CROWDED_S: Final = 10e-6
"""Giving way took longer than it does when nobody is there to take it."""
CROWDED_COST: Final = 4


class BusyWait:
    """That of one loop. `soon` has it called again in the next turn, `give_way` lets other processes run."""

    __slots__ = ("_clock", "_give_way", "_is_looking", "_patience_s", "_quick", "_soon", "_until")

    def __init__(
        self,
        soon: Callable[[Callable[[], None]], object],
        clock: Callable[[], float],
        give_way: Callable[[], object],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._soon = soon
        self._clock = clock
        self._give_way = give_way
        self._patience_s = patience_s
        # Until when an answer is quick, while one is due; how many in a row were.
        self._until = 0.0
        self._quick = 0
        self._is_looking = False

    def wrote(self) -> None:
        """One message has been written, and nothing else: an answer to it may come at once."""
        self._until = self._clock() + self._patience_s
        if self._quick >= QUICK_MIN and not self._is_looking:
            self._is_looking = True
            self._soon(self._look)

    def heard(self) -> None:
        """Something has arrived."""
        if self._until:
            self._quick = min(self._quick + 1, QUICK_MAX) if self._clock() <= self._until else 0
            self._until = 0.0

    def _look(self) -> None:
        if self._until:
            now = self._clock()
            if now <= self._until:
                self._give_way()
                if self._clock() - now < CROWDED_S:
                    self._soon(self._look)
                    return
                self._quick -= CROWDED_COST
            else:
                self._quick = 0
        self._is_looking = False
