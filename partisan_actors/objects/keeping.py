"""The large values that a node owns, as they travel: encoded once, kept under a limit, and on disk beyond it.

The rules this file keeps:

1. Only values of KEPT_BYTES_MIN or more are counted, and kept here; they are what others are sent, without encoding.
2. When there is no room, what was used least lately is written to disk, and its ref's value is AWAY until somebody
   wants it. A file stays for as long as its value lives, so a value that comes and goes is written once.
3. What cannot be written stays in memory. Then `make_room` raises ObjectStoreFull; what is here already is readable.
   Refs and handles in a value that is on disk are kept here, so whose they are does not change with where it is.
4. Memory that user code itself holds on to, an array it was given, is its own and not counted.

Any thread may call; what finalizers do takes no lock.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from partisan_actors.errors import ObjectStoreFull
from partisan_actors.objects.ref import AWAY, ObjectRef
from partisan_actors.objects.spilling import Spilled, Spiller

__all__ = ["KEPT_BYTES_MIN", "Keeping", "Kept", "is_large", "size_of"]

logger = logging.getLogger(__name__)

KEPT_BYTES_MIN: Final = 256 * 1024
LOOKED_AT_MAX: Final = 100


class Kept:
    """One value. `body` is None while it is on disk only."""

    __slots__ = ("body", "buffers", "held", "ref", "since", "size", "spilled", "stays")

    def __init__(
        self,
        ref: weakref.ref[ObjectRef[Any]],
        body: Any,
        buffers: Sequence[Any],
        size: int,
        has_refs: bool,
        since: float = 0.0,
    ) -> None:
        self.ref = ref
        self.since = since
        self.body: Any = body
        self.buffers = buffers
        self.size = size
        self.spilled: Spilled | None = None
        # The refs and handles in it, once that was looked at; what cannot be looked at stays in memory.
        self.held: list[Any] | None = None if has_refs else []
        self.stays = False


class Keeping:
    """The large values of one node. `decode` makes a value of what is kept, `held_by` finds the refs in that.

    `clock` tells since when it is kept.
    """

    def __init__(
        self,
        bytes_max: int,
        spiller: Spiller,
        decode: Callable[[Any, Sequence[Any]], Any],
        held_by: Callable[[Any, Sequence[Any]], list[Any]],
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._clock = clock
        self.bytes_max = bytes_max
        self.bytes_used = 0
        self.spilled_count = self.restored_count = 0
        self._spiller = spiller
        self._decode = decode
        self._held_by = held_by
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Kept] = OrderedDict()  # by the id of the ref; what was used last is last
        self._gone: deque[tuple[int, Kept]] = deque()

    def __len__(self) -> int:
        return len(self._kept)

    def make_room(self, size: int) -> None:
        """See to it that so many bytes more may be kept. Raises ObjectStoreFull, naming the figures and the reason."""
        while True:
            with self._lock:
                self._settle()
                unknown = self._make_room(size)
            if unknown is None:
                return
            self._look_into(unknown)

    def _make_room(self, size: int) -> Kept | None:
        """With the lock. Returns what would have to go, when nobody knows yet which refs are in that."""
        why = "that is more than all of it" if size > self.bytes_max else "what is in it cannot be written to disk"
        for kept in list(self._kept.values()):
            if self.bytes_used + size <= self.bytes_max:
                return None
            if kept.body is not None and not kept.stays:
                if kept.held is None:
                    return kept
                try:
                    self._spill(kept)
                except OSError as error:
                    why = f"nothing more can be written to disk ({error})"
                    break
        if self.bytes_used + size > self.bytes_max:
            raise ObjectStoreFull(size, self.bytes_max, self.bytes_used, why)
        return None

    def _look_into(self, kept: Kept) -> None:
        """Find the refs in it. Not with the lock: it runs code of users."""
        body, buffers = kept.body, kept.buffers
        if body is None or kept.held is not None:
            return  # another thread was faster
        try:
            kept.held = self._held_by(body, buffers)
        except Exception:  # users' own __setstate__ may raise anything
            logger.warning("a value stays in memory, for it cannot be decoded again", exc_info=True)
            kept.stays = True

    def keep(self, ref: ObjectRef[Any], body: Any, buffers: Sequence[Any], *, has_refs: bool = False) -> None:
        """Keep what the value of `ref`, which is there, was made of, for as long as there is that ref.

        What `has_refs` inside, or handles of actors, keeps those as well.
        """
        kept = Kept(weakref.ref(ref), body, buffers, size_of(body, buffers), has_refs, self._clock())
        ref.size_bytes = kept.size
        with self._lock:
            self._settle()
            self._kept[id(ref)] = kept
            self.bytes_used += kept.size
        weakref.finalize(ref, self._ref_gone, id(ref), kept).atexit = False

    def find(self, ref: ObjectRef[Any]) -> tuple[Any, Sequence[Any]] | None:
        """What the value of `ref` is made of, from memory or from disk; None when it is not kept. Raises OSError."""
        with self._lock:
            self._settle()
            kept = self._kept.get(id(ref))
            if kept is None:
                return None
            self._kept.move_to_end(id(ref))
            if kept.body is not None:
                return kept.body, kept.buffers
            assert kept.spilled is not None
            return self._spiller.read(kept.spilled)

    def all(self) -> dict[ObjectRef[Any], Kept]:
        """What is kept, by the refs that there are."""
        with self._lock:
            self._settle()
            found = [(kept.ref(), kept) for kept in self._kept.values()]
        return {ref: kept for ref, kept in found if ref is not None}

    def is_spilled(self, ref: ObjectRef[Any]) -> bool:
        """Whether the value of `ref` is on disk only."""
        kept = self._kept.get(id(ref))
        return kept is not None and kept.ref() is ref and kept.body is None

    def bring_back(self, ref: ObjectRef[Any]) -> Any:
        """The value of `ref`, which was AWAY. Raises OSError."""
        if self.is_spilled(ref):
            with suppress(ObjectStoreFull):  # it has to be readable all the same
                self.make_room(ref.size_bytes)
        with self._lock:
            self._settle()
            value = ref._value
            if value is not AWAY:
                return value
            kept = self._kept[id(ref)]
            self._kept.move_to_end(id(ref))
            if kept.body is None:
                assert kept.spilled is not None
                kept.body, kept.buffers = self._spiller.read(kept.spilled)
                self.bytes_used += kept.size
                self.restored_count += 1
            body, buffers = kept.body, kept.buffers
        value = self._decode(body, buffers)  # not with the lock: it may run code of users
        with self._lock:
            if kept.body is not None and ref._value is AWAY:
                ref._value = value
        return value

    def trim(self) -> None:
        """Spill what is over the limit, as far as that can be done."""
        with suppress(ObjectStoreFull):
            self.make_room(0)

    def _spill(self, kept: Kept) -> None:
        ref = kept.ref()
        if ref is None:
            return  # it is about to be forgotten
        if kept.spilled is None:
            kept.spilled = self._spiller.write(kept.body, kept.buffers)
            self.spilled_count += 1
        ref._value = AWAY
        kept.body, kept.buffers = None, ()
        self.bytes_used -= kept.size

    def _ref_gone(self, key: int, kept: Kept) -> None:
        self._gone.append((key, kept))
        if self._lock.acquire(blocking=False):  # else whoever has it, or comes next, does this
            try:
                self._settle()
            finally:
                self._lock.release()

    def _settle(self) -> None:
        """Let go of what belonged to refs that are gone. With the lock."""
        while self._gone:
            key, kept = self._gone.popleft()
            if self._kept.get(key) is kept:
                del self._kept[key]
            if kept.body is not None:
                self.bytes_used -= kept.size
            if kept.spilled is not None:
                self._spiller.remove(kept.spilled.path)

    def sweep(self) -> None:
        """Let go of what nobody has let go of yet."""
        with self._lock:
            self._settle()

    def close(self) -> None:
        """The node has stopped: take all files away."""
        self._spiller.close()


def is_large(value: Any, depth: int = 2) -> bool:
    """Whether there are KEPT_BYTES_MIN in one piece in `value`, or in what it holds, as far as a look can tell."""
    kind = type(value)
    if kind in (bytes, bytearray):
        return len(value) >= KEPT_BYTES_MIN
    if kind in (list, tuple, dict):
        parts = value.values() if kind is dict else value
        return depth > 0 and any(is_large(part, depth - 1) for part in islice(parts, LOOKED_AT_MAX))
    if hasattr(kind, "nbytes"):  # as arrays have
        size = value.nbytes
        return isinstance(size, int) and size >= KEPT_BYTES_MIN
    return False


def size_of(body: Any, buffers: Sequence[Any]) -> int:
    """How many bytes an encoded value has."""
    return len(body) + sum(memoryview(buffer).nbytes for buffer in buffers)
