"""Messages with large buffers: cut into chunks on the way out, put together where they belong on the way in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import BATCH, BATCH_BYTES_MAX, CHUNK, CHUNK_BYTES, LARGE

if TYPE_CHECKING:
    from partisan_actors.transport.room import Room

__all__ = ["Incoming", "Unframed", "large_frames", "mixed_frames"]

# A frame before it has a header: its kind, its count, and its body in pieces.
Unframed = tuple[int, int, Sequence[Any]]


class Incoming:
    """A large message while its buffers arrive. Raises MemoryError when there is no room.

    There is room for a buffer when its first byte is due, and if it is long, not for all of it at once: see `room`.
    """

    def __init__(self, message: list[Any], sizes: list[int]) -> None:
        self.message = message
        self.missing = sum(map(abs, sizes))
        self._sizes = sizes
        # The buffers of which something has come, or is next to come, and how much of the last one is filled.
        self._rooms: list[Room] = []
        self._filled = 0
        self._go_on()

    @property
    def buffers(self) -> list[bytes | bytearray]:
        """The buffers, once nothing is missing."""
        rooms, self._rooms = self._rooms, []
        return [room.finish() for room in rooms]

    def room(self, most: int) -> memoryview:
        """Where the next bytes of this chunk go; never more than `most`."""
        view = self._rooms[-1].view
        return view[self._filled : min(len(view), self._filled + most)]

    def filled(self, count: int) -> None:
        """`count` bytes were written to what `room` gave."""
        self.missing -= count
        self._filled += count
        if self._filled == len(self._rooms[-1].view) and self.missing:
            self._go_on()

    def _go_on(self) -> None:
        rooms = self._rooms
        if rooms and not rooms[-1].is_whole:
            rooms[-1].grow()
        else:
            rooms.append(_room().room_for(self._sizes[len(rooms)]))
            self._filled = 0

    def rewind(self, count: int) -> None:
        """The last `count` bytes will come again: what a chunk that did not arrive in whole had filled."""
        self.missing += count
        while count > self._filled:
            count -= self._filled
            self._rooms.pop()
            self._filled = self._rooms[-1].size
        self._filled -= count

    def copy(self, part: memoryview) -> None:
        """Bytes that came in the shared buffer."""
        while len(part):
            room = self.room(len(part))
            count = len(room)
            room[:] = part[:count]
            self.filled(count)
            part = part[count:]


@cache
def _room() -> ModuleType:
    from partisan_actors.transport import room  # and with it ctypes, which a node may never need

    return room


def mixed_frames(out: Sequence[Any], batch_bytes_max: int = BATCH_BYTES_MAX) -> Iterator[Unframed]:
    """The frames, in order, that small messages (bytes) and large ones (message, buffers) are written as.

    Small ones are collected up to that size; a longer one has a frame to itself.
    """
    batch: list[bytes] = []
    size = 0
    for item in out:
        is_small = type(item) is not tuple
        if batch and not (is_small and size + len(item) <= batch_bytes_max):
            yield BATCH, len(batch), batch
            batch, size = [], 0
        if is_small:
            batch.append(item)
            size += len(item)
        else:
            yield from large_frames(*item)
    if batch:
        yield BATCH, len(batch), batch


def large_frames(message: bytes, buffers: Sequence[Any]) -> Iterator[Unframed]:
    """The frames, in order, that a packed message and its buffers are written as; no buffer is copied."""
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    # Bytes arrive as bytes (a negative size says so), anything else as a buffer that may be written to. The message is
    # spliced in as it is: [[sizes], message].
    sizes = [-len(view) if type(buffer) is bytes else len(view) for view, buffer in zip(views, buffers, strict=True)]
    yield LARGE, 0, [b"\x92" + pack(sizes) + message]
    for view in views:
        for start in range(0, len(view), CHUNK_BYTES):
            yield CHUNK, 0, [view[start : start + CHUNK_BYTES]]
