"""A long wire as arithmetic: bytes arrive after a delay, and only so many may be on the way unacknowledged. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["NEVER", "DelayLine"]

NEVER: Final = float("inf")


class DelayLine:
    """One direction of one connection. Times are in seconds on any one clock, sizes in bytes.

    What is put in comes out `delay_s` later, in order. As a TCP sender may have a window of bytes on the way that
    nobody has acknowledged, and an acknowledgement takes as long as the data took, `room` shrinks by what is put in and
    grows again one delay after it came out: one connection carries at most ``window_bytes / (2 * delay_s)`` a second.
    """

    __slots__ = ("_delay_s", "_returning", "_room", "_travelling")

    def __init__(self, delay_s: float, window_bytes: int) -> None:
        self._delay_s = delay_s
        self._room = window_bytes
        self._travelling: deque[tuple[float, bytes]] = deque()
        self._returning: deque[tuple[float, int]] = deque()

    def put(self, data: bytes, now: float) -> None:
        """Send `data` on its way. It may be more than there is room for: then the room is negative for a while."""
        self._room -= len(data)
        self._travelling.append((now + self._delay_s, data))

    def take(self, now: float) -> list[bytes]:
        """What has arrived by now. Their acknowledgements set out at the same time."""
        arrived = []
        while self._travelling and self._travelling[0][0] <= now:
            arrived.append(self._travelling.popleft()[1])
        if arrived:
            self._returning.append((now + self._delay_s, sum(map(len, arrived))))
        return arrived

    def room(self, now: float) -> int:
        """How many bytes may still be sent before an acknowledgement comes."""
        while self._returning and self._returning[0][0] <= now:
            self._room += self._returning.popleft()[1]
        return self._room

    def next_event(self) -> float:
        """When something will have arrived or been acknowledged next; NEVER on an empty wire."""
        travelling = self._travelling[0][0] if self._travelling else NEVER
        returning = self._returning[0][0] if self._returning else NEVER
        return min(travelling, returning)

    @property
    def is_empty(self) -> bool:
        """Whether everything that was put in has come out."""
        return not self._travelling
