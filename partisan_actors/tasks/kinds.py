"""What a node remembers of the kinds of tasks that it runs, so that each task of a kind need not find it out again."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

from partisan_actors.actors.context import current_owner, current_system
from partisan_actors.actors.made_calls import begin_noting
from partisan_actors.tasks.spec import TaskKind

if TYPE_CHECKING:
    from partisan_actors.actors.system import ActorSystem

__all__ = ["KINDS_MAX", "Kinds"]

KINDS_MAX: Final = 1_024
"""So many are remembered; then all are forgotten, and found out anew as they come."""


class Kinds:
    """Those of one node. On its loop."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._known: dict[bytes, tuple[TaskKind, Context]] = {}
        self._on_loop: dict[bytes, bool] = {}  # by the hash of the function

    def known(self, packed: bytes) -> tuple[TaskKind, Context]:
        """The kind that was packed so, always the same object, and what its tasks run in copies of.

        Raises whatever unpickling it raises.
        """
        known = self._known.get(packed)
        if known is None:
            kind = TaskKind.unpacked(packed)
            if len(self._known) >= KINDS_MAX:
                self._known.clear()
            known = self._known[packed] = kind, self.context_of(kind)
        return known

    def context_of(self, kind: TaskKind) -> Context:
        """A new context for a task of that kind, whose code belongs to this node."""
        context = Context()
        context.run(current_system.set, self._system)
        context.run(current_owner.set, kind.owner)
        context.run(begin_noting)
        return context

    def runs_on_loop(self, code: bytes, function: Callable[..., Any]) -> bool:
        """Whether the function, whose hash is `code`, is a coroutine function, or an asynchronous generator."""
        known = self._on_loop.get(code)
        if known is None:
            known = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
            if len(self._on_loop) >= KINDS_MAX:
                self._on_loop.clear()
            self._on_loop[code] = known
        return known
