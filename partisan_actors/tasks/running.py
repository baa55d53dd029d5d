"""The task that the running code is."""

from __future__ import annotations

from contextvars import ContextVar

from partisan_actors.tasks.spec import TaskSpec

__all__ = ["current_task"]

# None outside of tasks.
current_task: ContextVar[TaskSpec | None] = ContextVar("partisan_current_task", default=None)
