"""What the running code is: the cell whose method runs, and the system that values being unpickled belong to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partisan_actors.actors.cell import Cell
    from partisan_actors.actors.system import ActorSystem

__all__ = ["current_cell", "current_system"]

# Set inside every method of an actor, on the loop and on threads alike.
current_cell: ContextVar[Cell | None] = ContextVar("partisan_current_cell", default=None)

# Set inside methods and tasks, and while a node decodes a payload, so that refs inside it belong to that node.
current_system: ContextVar[ActorSystem | None] = ContextVar("partisan_current_system", default=None)
