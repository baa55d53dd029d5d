"""The calls that a running method or task has made, so that they can be cancelled with it.

Kept in the context that the method runs in, and only from its first call on; outside of methods and tasks nothing is
kept.
"""

from __future__ import annotations

import weakref
from contextvars import Context, ContextVar
from typing import Any, Final

__all__ = ["NONE_YET", "MadeCalls", "begin_noting", "calls_made_in", "has_run", "made_calls", "note_call"]

# So many are kept before those that are over are dropped.
KEPT_MIN: Final = 32


class MadeCalls:
    """Refs, kept weakly, each with the key and the method of the actor that was called, if it was one."""

    __slots__ = ("_limit", "_refs")

    def __init__(self) -> None:
        self._refs: list[tuple[weakref.ref[Any], Any]] = []
        self._limit = KEPT_MIN

    def add(self, ref: Any, location: Any = None, method: str = "") -> None:
        """Another call was made."""
        refs = self._refs
        refs.append((weakref.ref(ref), location and (location.key, method)))
        if len(refs) > self._limit:
            self._refs = [each for each in refs if (found := each[0]()) is not None and not found.done()]
            self._limit = max(KEPT_MIN, 2 * len(self._refs))

    def pending(self) -> list[Any]:
        """The refs that somebody holds and that are not done."""
        found = [each() for each, _ in self._refs]
        return [ref for ref in found if ref is not None and not ref.done()]

    def target_of(self, ref: Any) -> tuple[bytes, str] | None:
        """The key of the actor, and the method, that were called; None if it is another ref."""
        return next((target for each, target in self._refs if each() is ref), None)


# Stands for an empty one, in the contexts of methods and tasks that have made no call.
NONE_YET: Final = MadeCalls()

# Not empty once this process has run a method or a task: until then there is nothing to look for in a context.
has_run: Final[list[bool]] = []

made_calls: ContextVar[MadeCalls | None] = ContextVar("partisan_made_calls", default=None)


def note_call(made: MadeCalls, ref: Any, location: Any = None, method: str = "") -> None:
    """The running method, whose `made_calls` is `made`, has called something: a method of the actor at `location`."""
    if made is NONE_YET:
        made = MadeCalls()
        made_calls.set(made)
    made.add(ref, location, method)


def begin_noting() -> None:
    """What runs in the current context, and in copies of it, may call."""
    made_calls.set(NONE_YET)
    if not has_run:
        has_run.append(True)


def calls_made_in(context: Context | None) -> list[Any]:
    """The unanswered calls of what runs in that context."""
    made = context.get(made_calls) if context is not None else None
    return made.pending() if made is not None else []
