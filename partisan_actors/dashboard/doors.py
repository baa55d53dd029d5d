"""How long a dashboard waits for those who connect: half a request, an answer that nobody reads, and too many of them.

Rules kept here, by the times and numbers of `Patience`:

1. Of a request all that comes before its body is there within `idle_s`, counted from the connection or from the answer
   before; its body within `body_s` more. A connection that is kept for later requests is closed after `idle_s`, too.
2. An answer is made and read within `answer_s`; each event of a stream is taken within `write_s`.
3. There are at most `connections_max` connections. Whoever comes then is told so, and may come again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

__all__ = ["Doors", "Patience"]


@dataclass(frozen=True, slots=True)
class Patience:
    """The bounds, in seconds and numbers. An answer may take as long as a drained node or a profile does."""

    idle_s: float = 120.0
    body_s: float = 30.0
    answer_s: float = 300.0
    write_s: float = 20.0
    sweep_s: float = 5.0
    connections_max: int = 256
    streams_max: int = 64


class Doors:
    """Says which connections have kept the others waiting for too long. It is told what they do, by whoever serves."""

    def __init__(self, patience: Patience, clock: Callable[[], float]) -> None:
        self._patience = patience
        self._clock = clock
        # Until when each has to have done what it does, None for a stream: that is watched at each event.
        self._until: dict[Hashable, float | None] = {}

    def is_full(self, open_count: int) -> bool:
        """Rule 3, for somebody who comes."""
        return open_count >= self._patience.connections_max

    def asked(self, connection: Hashable) -> None:
        """A request is there, up to its body."""
        self._until[connection] = self._clock() + self._patience.answer_s

    def streams(self, connection: Hashable) -> None:
        """It is told what happens, for as long as it likes."""
        self._until[connection] = None

    def answered(self, connection: Hashable) -> None:
        """The answer is made. What of it has not been read counts as idle time: that is long enough for a page."""
        self._until[connection] = self._clock() + self._patience.idle_s

    def overdue(self, connections: Iterable[Hashable]) -> list[Hashable]:
        """Of all that are open, those that are to be closed. Others are forgotten."""
        now = self._clock()
        first = now + self._patience.idle_s
        self._until = {each: self._until.get(each, first) for each in connections}
        return [each for each, until in self._until.items() if until is not None and until <= now]
