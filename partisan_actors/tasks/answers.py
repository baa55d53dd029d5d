"""How a node answers a task that came the short way."""

from __future__ import annotations

from typing import Any

from partisan_actors.actors.system import ActorSystem
from partisan_actors.node.router import Peer
from partisan_actors.wire.channels import CALLS

__all__ = ["LaterAnswer", "NotTaken"]


class NotTaken(Exception):
    """This node does not run the task, or not yet: it lacks the code, or an actor took what it was waiting for."""


class LaterAnswer:
    """Stands in for the `Reply` of a task that came the short way: its outcome is sent at once."""

    __slots__ = ("_is_done", "_number", "_peer", "_system")

    def __init__(self, system: ActorSystem, peer: Peer, number: int) -> None:
        self._system = system
        self._peer = peer
        self._number = number
        self._is_done = False

    def done(self) -> bool:
        """Whether it was sent."""
        return self._is_done

    def succeed(self, value: Any) -> None:
        """The function returned `value`. The first outcome stands."""
        if not self._is_done:
            self._is_done = True
            self._system.reply_value(self._peer, self._number, value, CALLS)

    def fail(self, error: BaseException) -> None:
        """Why there is no value."""
        if not self._is_done:
            self._is_done = True
            self._system.reply_error(self._peer, self._number, error)
