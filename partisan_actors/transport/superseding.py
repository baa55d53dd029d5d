"""Monotonic channels: of the messages that wait to be written, a later one takes the place of an earlier of its key.

What is written already is never taken back, so the last message of a burst always arrives, and those that arrive do so
in order. Nothing is held back on purpose: a lane that can be written takes what there is at the end of the loop's turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["Superseding", "Waiting"]


class Waiting(list[tuple[bytes, Sequence[Any] | None]]):
    """What waits for a connection that is not open yet, in order: messages with their buffers, if any.

    `places` says where the newest of each key stands: a later one takes its place here, or on the connection.
    """

    __slots__ = ("places",)

    def __init__(self, items: Sequence[tuple[bytes, Sequence[Any] | None]] = ()) -> None:
        super().__init__(items)
        self.places: dict[object, int] = {}

    def supersede(self, key: object, message: bytes, buffers: Sequence[Any] | None) -> bool:
        """Put a message in place of the one with that key. False, and nothing is done, if there is none."""
        place = self.places.get(key)
        if place is None:
            return False
        self[place] = (message, buffers)
        return True


class Superseding:
    """The part of a connection that does so. `superseded` counts the messages that were never sent."""

    superseded = 0
    is_paused: bool
    _out: list[Any]
    _queued: int
    # Where the message of each key stands, in that very list; another list means that it was written.
    _places: dict[object, int]
    _places_in: list[Any] | None = None

    def send(self, message: bytes) -> None:
        """As `Connection.send`."""
        raise NotImplementedError

    def send_large(self, message: bytes, buffers: Sequence[Any]) -> None:
        """As `Connection.send_large`."""
        raise NotImplementedError

    def send_newest(self, key: object, message: bytes, buffers: Sequence[Any] | None) -> None:
        """Queue a message in place of the one with the same key that still waits, if any. Raises Overloaded."""
        if self._places_in is not self._out:
            self._places, self._places_in = {}, self._out
        place = self._places.get(key)
        if place is not None:
            if self.is_paused:
                self._queued += _size(message, buffers) - _size_of(self._out[place])
            self._out[place] = message if buffers is None else (message, buffers)
            self.superseded += 1
            return
        place = len(self._out)
        if buffers is None:
            self.send(message)
        else:
            self.send_large(message, buffers)
        if self._places_in is self._out:
            self._places[key] = place

    def _take_places(self, waiting: Waiting) -> None:
        """What has waited is about to be queued: it can be superseded as before."""
        if waiting.places:
            self._places = {key: len(self._out) + place for key, place in waiting.places.items()}
            self._places_in = self._out


def _size(message: bytes, buffers: Sequence[Any] | None) -> int:
    return len(message) + sum(map(len, buffers or ()))


def _size_of(item: Any) -> int:
    return len(item) if type(item) is bytes else _size(*item)
