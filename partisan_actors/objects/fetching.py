"""What a node knows of a value that it fetches, and of one that it has fetched a moment ago."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from partisan_actors.actors.replies import Answer
from partisan_actors.ids import ObjectId
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.values import dataclass

__all__ = ["Fetched", "Large", "Later", "RecentRefs"]

RECENT_MAX: Final = 64
RECENT_BYTES_MAX: Final = 256 * 1024 * 1024
RECENT_SWEEPS: Final = 2


class Fetched(Answer[Any]):
    """The value of a borrowed ref, on its way; what is known of it when it is large."""

    __slots__ = ("is_mapped", "size_bytes")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.size_bytes = 0
        self.is_mapped = False


@dataclass(frozen=True, slots=True)
class Large:
    """In the place of a value: it takes so many bytes, so make room and ask again."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class Later:
    """In the place of a value that is not there yet: ask again."""


class _Recent:
    """A borrowed ref, and how many sweeps ago it was used."""

    __slots__ = ("age", "ref")

    def __init__(self, ref: ObjectRef[Any]) -> None:
        self.ref = ref
        self.age = 0


class RecentRefs:
    """Borrowed refs that are kept for a moment after their last use: what is mapped already is not mapped again.

    The last one always; of those before it RECENT_MAX, and no more than RECENT_BYTES_MAX of their values. From the
    loop, but `used`.
    """

    def __init__(self) -> None:
        self._refs: dict[ObjectId, _Recent] = {}

    def __len__(self) -> int:
        return len(self._refs)

    def __contains__(self, identity: ObjectId) -> bool:
        return identity in self._refs

    def add(self, ref: ObjectRef[Any]) -> None:
        """The value of `ref` is here, and mapped."""
        self._refs[ref.id] = _Recent(ref)
        total = 0
        for identity, recent in reversed(list(self._refs.items())):
            total += recent.ref.size_bytes
            if total > RECENT_BYTES_MAX and identity != ref.id:
                del self._refs[identity]

    def used(self, identity: ObjectId) -> None:
        """A ref with that id is used again; from any thread."""
        recent = self._refs.get(identity)
        if recent is not None:
            recent.age = 0

    def sweep(self) -> None:
        """Let go of those that were not used since the last but one time."""
        for identity, recent in list(self._refs.items()):
            recent.age += 1
            if recent.age > RECENT_SWEEPS or len(self._refs) > RECENT_MAX:
                del self._refs[identity]

    def clear(self) -> None:
        """Let go of all."""
        self._refs.clear()
