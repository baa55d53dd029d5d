"""Blocking methods that would wait for their own actor: refused where they would begin to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from partisan_actors.actors.context import current_cell
from partisan_actors.actors.interruptions import running_here
from partisan_actors.actors.made_calls import made_calls
from partisan_actors.errors import Deadlocked

__all__ = ["calls_of_itself", "refuse_to_wait"]


def calls_of_itself(refs: Iterable[Any]) -> list[str]:
    """The methods, by those of `refs` that are not done and that the running method has called of its own actor.

    Only where the actor runs nothing beside that method, whose own thread this is.
    """
    cell, made = current_cell.get(), made_calls.get()
    if cell is None or made is None or not cell.runs_alone or running_here() is None:
        return []
    targets = [made.target_of(ref) for ref in refs if not ref.done()]
    return [method for key, method in filter(None, targets) if key == cell.key]


def refuse_to_wait(refs: Iterable[Any]) -> None:
    """Raise Deadlocked if waiting for all of these without a limit would be waiting for ever."""
    methods = calls_of_itself(refs)
    if methods:
        raise Deadlocked(str(current_cell.get()), methods[0])
