"""The calls that a running method or task has made, so that they can be cancelled with it.

Kept in the context that the method runs in; outside of methods and tasks nothing is kept. What it starts beside
itself, as tasks of asyncio, runs in copies of that context, and shares what is kept there. So that has to be there
before: a thread that runs blocking code has it, and a coroutine has it from its first call on, or from when it starts
its first task, because most make neither.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any, Final, Protocol

__all__ = [
    "NONE_YET",
    "MadeCalls",
    "begin_noting",
    "calls_made_in",
    "has_run",
    "made_calls",
    "note_call",
    "note_in_children",
    "own_calls",
]

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


class Runner(Protocol):
    """What runs blocking code on a thread: `token` names what runs now, None for nothing; `made` is what it called."""

    token: Any
    made: MadeCalls | None


class _OwnCalls(threading.local):
    """Of the blocking code that this thread runs, in whatever context: it may have begun a loop with tasks in it."""

    runner: Runner | None = None

    def get_or_make(self) -> MadeCalls:
        runner = self.runner
        if runner is None or runner.token is None:
            return MadeCalls()
        if runner.made is None:
            runner.made = MadeCalls()
        return runner.made


own_calls: Final = _OwnCalls()

# Stands for an empty one, in the contexts of methods and tasks that have made no call.
NONE_YET: Final = MadeCalls()

# Not empty once this process has run a method or a task: until then there is nothing to look for in a context.
has_run: Final[list[bool]] = []

made_calls: ContextVar[MadeCalls | None] = ContextVar("partisan_made_calls", default=None)


def note_call(made: MadeCalls, ref: Any, location: Any = None, method: str = "") -> None:
    """The running method, whose `made_calls` is `made`, has called something: a method of the actor at `location`."""
    if made is NONE_YET:
        made = own_calls.get_or_make()
        made_calls.set(made)
    made.add(ref, location, method)


def begin_noting() -> None:
    """What runs in the current context, and in copies of it, may call."""
    made_calls.set(NONE_YET)
    if not has_run:
        has_run.append(True)


# How many nodes of each loop want that.
_noting: Final[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, int]] = weakref.WeakKeyDictionary()


def note_in_children(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Have the tasks that methods start on `loop` share what is kept of their calls. Returns what undoes that.

    By the loop's factory of tasks, for asyncio tells nobody else in time. A factory of users' own stays, and then calls
    that such tasks have made before the method's own first are not known.
    """
    if loop.get_task_factory() not in (None, _child):
        return lambda: None
    loop.set_task_factory(_child)
    _noting[loop] = _noting.get(loop, 0) + 1

    def undo() -> None:
        _noting[loop] -= 1
        if not _noting[loop] and loop.get_task_factory() is _child:
            loop.set_task_factory(None)

    return undo


def _child(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    if made_calls.get() is NONE_YET and options.get("context") is None:
        made_calls.set(MadeCalls())
    return asyncio.Task(coroutine, loop=loop, **options)


def calls_made_in(context: Context | None) -> list[Any]:
    """The unanswered calls of what runs in that context."""
    made = context.get(made_calls) if context is not None else None
    return made.pending() if made is not None else []
