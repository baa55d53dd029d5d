"""What the running code is: the cell whose method runs, and the system that values being unpickled belong to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from partisan_actors.actors.host import Host, Running
from partisan_actors.ids import NodeId

__all__ = ["current_cell", "current_owner", "current_system", "request_meta"]

# Set inside every method of an actor, on the loop and on threads alike.
current_cell: ContextVar[Running | None] = ContextVar("partisan_current_cell", default=None)

# Whose end ends what the running code creates: the owner of the actor or task that it is. None outside of both.
current_owner: ContextVar[NodeId | None] = ContextVar("partisan_current_owner", default=None)

# Set while a service answers: the extras that came with the request, if any.
request_meta: ContextVar[dict[str, Any] | None] = ContextVar("partisan_request_meta", default=None)

# Set inside methods and tasks, and while a node decodes a payload, so that refs inside it belong to that node.
current_system: ContextVar[Host | None] = ContextVar("partisan_current_system", default=None)
