"""Segments: the shared memory of one node, as files that other nodes of this host map, and its maps of theirs.

The rules this file keeps:

1. A segment is written once, by its node, before anybody else knows of it, and never again while anybody has it.
2. Whoever maps a segment of another node first makes a link of its own to it. Memory is given back when the last link
   is gone and the last map of it: nobody needs to be asked, and nobody's end takes it from others.
3. A view of a segment keeps it. When the last view is gone, so is this node's link; a segment of its own is kept for a
   moment, to be written again once nobody else has a link, because new memory costs several times a copy.
4. `bytes_used` never exceeds `bytes_max`, and the links of others count for nothing there. Where there is no room, or
   no memory, `copy` says so by None: whoever sends then copies as if there were no shared memory.

`copy`, `find` and `adopt` may be called from any thread.
"""

from __future__ import annotations

import itertools
import os
import threading
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from partisan_actors.objects.places import Place

__all__ = ["Piece", "Segments"]

# Where a buffer may begin in a segment.
ALIGNMENT: Final = 64
# What is kept to be written again: so many bytes at most, in so many files.
SPARE_BYTES_MAX: Final = 256 * 1024 * 1024
SPARES_MAX: Final = 16
# The system allows a process some 65,000 maps; each view of a segment of its own is one of them.
MAPS_MAX: Final = 16_384


class Piece(NamedTuple):
    """A part of a segment: the number of the segment at its node, how large it is, and where the part is."""

    segment: int
    segment_bytes: int
    offset: int
    size: int


class _Room(NamedTuple):
    """Where a segment of this node is mapped."""

    address: int
    end: int
    segment: int


class _Spare(NamedTuple):
    """A segment that nobody here has a view of any more."""

    segment: int
    size: int


class Segments:
    """The segments of one node."""

    def __init__(self, place: Place, bytes_max: int) -> None:
        self._place = place
        self.bytes_max = bytes_max
        self.bytes_used = 0
        self.bytes_adopted = 0
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._pid = os.getpid()  # a child made by fork must not take the files away
        self._starts: list[int] = []
        self._rooms: dict[int, _Room] = {}  # by where they start
        self._addresses: dict[int, int] = {}  # by segment
        self._condemned: set[int] = set()
        # Told by finalizers, which may run anywhere, even where the lock is held: so they take no lock.
        self._unmapped: deque[tuple[int, int, bool]] = deque()
        self._spares: list[_Spare] = []
        self._old_spares = 0  # so many of them were there at the last `trim` already
        self._maps = 0
        self._is_closed = False

    @property
    def path(self) -> Path:
        """The directory they are in."""
        return self._place.path

    def copy(self, buffers: Sequence[Any]) -> list[memoryview] | None:
        """Read-only views of copies of these buffers, in one new segment; None when there is no room for them."""
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        offsets, size = _laid_out(views)
        segment = self._take_room(size)
        if segment is None:
            return None
        path = self.path / f"{segment:x}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(descriptor, size)
                for view, offset in zip(views, offsets, strict=True):
                    _write(descriptor, view, offset)
                address, whole = _mapping().map_file(
                    descriptor, size, partial(self._unmapped.append, (segment, size, True))
                )
            finally:
                os.close(descriptor)
        except OSError:  # the memory of this host is full, most likely
            with self._lock:
                self._maps -= 1
                self._let_go(_Spare(segment, size))
            return None
        with self._lock:
            self._add(_Room(address, address + size, segment))
        return [whole[offset : offset + len(view)] for view, offset in zip(views, offsets, strict=True)]

    def _add(self, room: _Room) -> None:
        self._settle()  # first: another one may have been at this address
        insort(self._starts, room.address)
        self._rooms[room.address] = room
        self._addresses[room.segment] = room.address

    def find(self, view: memoryview) -> Piece | None:
        """Which part of which segment of this node a view shows; None when it shows something else."""
        if not self._rooms:
            return None
        start = _mapping().address_of(view)
        with self._lock:
            self._settle()
            place = bisect_right(self._starts, start) - 1
            room = self._rooms[self._starts[place]] if place >= 0 else None
        if room is None or not start + view.nbytes <= room.end:
            return None
        return Piece(room.segment, room.end - room.address, start - room.address, view.nbytes)

    def adopt(self, origin: Path, pieces: Sequence[Piece]) -> list[memoryview]:
        """Views of parts of segments of the node whose place is `origin`. Raises OSError, ValueError for nonsense."""
        wholes: dict[int, memoryview] = {}
        views = []
        for piece in pieces:
            if not 0 <= piece.offset <= piece.offset + piece.size <= piece.segment_bytes:
                raise ValueError(f"{piece} is not within its segment")
            whole = wholes.get(piece.segment)
            if whole is None:
                whole = wholes[piece.segment] = self._link(origin / f"{piece.segment:x}", piece.segment_bytes)
            views.append(whole[piece.offset : piece.offset + piece.size])
        return views

    def _link(self, theirs: Path, size: int) -> memoryview:
        segment = next(self._numbers)
        mine = self.path / f"{segment:x}"
        os.link(theirs, mine, follow_symlinks=False)
        try:
            descriptor = os.open(mine, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if os.fstat(descriptor).st_size != size:
                    raise ValueError(f"{theirs} is not {size} bytes long")
                note = partial(self._dropped, segment, size)
                mapped: tuple[int, memoryview] = _mapping().map_file(descriptor, size, note)
            finally:
                os.close(descriptor)
        except BaseException:
            mine.unlink(missing_ok=True)
            raise
        with self._lock:
            self._maps += 1
            self.bytes_adopted += size
            self._add(_Room(mapped[0], mapped[0] + size, segment))
        return mapped[1]

    def _dropped(self, segment: int, size: int) -> None:
        self._unmapped.append((segment, size, False))
        self._unlink(segment)

    # ---- room -------------------------------------------------------------------------------------------------

    def _take_room(self, size: int) -> int | None:
        """The number of a segment of that size that may be written, new or spare."""
        with self._lock:
            self._settle()
            if self._is_closed or self._maps >= MAPS_MAX:
                return None
            spare = self._spare_for(size)
            if spare is None:
                while self._spares and self.bytes_used + size > self.bytes_max:
                    self._old_spares -= 1
                    self._let_go(self._spares.pop(0))
                if self.bytes_used + size > self.bytes_max:
                    return None
            self._maps += 1
            self.bytes_used += size - (spare.size if spare is not None else 0)
            return next(self._numbers) if spare is None else spare.segment

    def _spare_for(self, size: int) -> _Spare | None:
        for place in range(len(self._spares) - 1, -1, -1):
            spare = self._spares[place]
            if size <= spare.size <= 2 * size and self.bytes_used + size - spare.size <= self.bytes_max:
                try:
                    is_mine_alone = os.stat(self.path / f"{spare.segment:x}").st_nlink == 1
                except OSError:
                    is_mine_alone = False
                if is_mine_alone:
                    self._old_spares -= place < self._old_spares
                    return self._spares.pop(place)
        return None

    def _settle(self) -> None:
        """Take note of what was unmapped. With the lock."""
        while self._unmapped:
            segment, size, is_own = self._unmapped.popleft()
            self._maps -= 1
            address = self._addresses.pop(segment, None)
            if address is not None:
                del self._rooms[address]
                self._starts.remove(address)
            if not is_own:
                self.bytes_adopted -= size
                continue
            spare = _Spare(segment, size)
            spares_bytes = sum(each.size for each in self._spares)
            has_room = len(self._spares) < SPARES_MAX and spares_bytes + size <= SPARE_BYTES_MAX
            if has_room and not self._is_closed and segment not in self._condemned:
                self._spares.append(spare)
            else:
                self._let_go(spare)

    def _let_go(self, spare: _Spare) -> None:
        self.bytes_used -= spare.size
        self._condemned.discard(spare.segment)
        self._unlink(spare.segment)

    def _unlink(self, segment: int) -> None:
        if os.getpid() == self._pid:
            with suppress(OSError):
                os.unlink(self.path / f"{segment:x}")

    def condemn(self, view: memoryview) -> None:
        """The segment of `view` is not to be written again: somebody who does not answer may map it yet."""
        piece = self.find(view)
        if piece is not None:
            self._condemned.add(piece.segment)

    def trim(self) -> None:
        """Give back what was kept to be written again, and has not been since the last time."""
        with self._lock:
            self._settle()
            while self._old_spares > 0 and self._spares:
                self._old_spares -= 1
                self._let_go(self._spares.pop(0))
            self._old_spares = len(self._spares)

    def close(self) -> None:
        """Take all files away. What is mapped stays mapped for as long as there are views of it."""
        with self._lock:
            self._is_closed = True
            self._settle()
            while self._spares:
                self._let_go(self._spares.pop())
        self._place.close()


@cache
def _mapping() -> ModuleType:
    from partisan_actors.objects import mapping  # and with it ctypes, which a node may never need

    return mapping


def _laid_out(views: Sequence[memoryview]) -> tuple[list[int], int]:
    offsets, end = [], 0
    for view in views:
        start = -(-end // ALIGNMENT) * ALIGNMENT
        offsets.append(start)
        end = start + len(view)
    return offsets, max(1, end)


def _write(descriptor: int, data: memoryview, offset: int) -> None:
    while data:
        count = os.pwrite(descriptor, data, offset)
        data, offset = data[count:], offset + count
