"""`parse_ref`: from the text of a handle, a monitor or a node back to it."""

from __future__ import annotations

from typing import Any

from partisan_actors.actors.actor import AnyMethods, Interface, Method
from partisan_actors.actors.references import ActorText, parse
from partisan_actors.api import session
from partisan_actors.api.actor import ActorHandle, handle_of
from partisan_actors.ids import MonitorId, NodeId

__all__ = ["parse_ref"]

_CONSTRUCTOR = Method("__init__", "sync", 0, None)


def parse_ref(text: str) -> ActorHandle[Any] | MonitorId | NodeId:
    """What `str(handle)`, `str(monitor_ref)` or the id of a node means.

    A handle made from text is equal to the original and does what that does; but its class is not known here, so a
    method that does not exist, or arguments that do not fit, are found out by the actor. What is named may be gone, or
    never have been: calls say so. Raises ConfigError (a ValueError) for any other text.
    """
    found = parse(text)
    if not isinstance(found, ActorText):
        return found
    interface = Interface(found.class_name or "Actor", AnyMethods(), _CONSTRUCTOR)
    return handle_of(session.system(), found.actor, found.name, found.can_restart, found.at, interface)
