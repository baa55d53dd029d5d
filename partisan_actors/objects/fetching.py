"""What a node knows of a value that it fetches, and of one that it has fetched a moment ago."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from partisan_actors.actors.replies import Reply
from partisan_actors.objects.ref import ObjectRef

__all__ = ["Fetched", "Large", "Later", "Recent"]


class Fetched(Reply[Any]):
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


class Recent:
    """A borrowed ref, and how many sweeps ago it was used."""

    __slots__ = ("age", "ref")

    def __init__(self, ref: ObjectRef[Any]) -> None:
        self.ref = ref
        self.age = 0
