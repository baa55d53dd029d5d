"""The inbox of a node: who takes what is sent to the node itself, and to none of its actors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from partisan_actors.actors.context import current_system
from partisan_actors.actors.host import Host
from partisan_actors.errors import ActorNotFound
from partisan_actors.node.router import Peer
from partisan_actors.portable import in_words

__all__ = ["MESSAGE", "Inbox"]

# The method that takes a message: an actor's, and the only one of an inbox.
MESSAGE: Final = "on_message"


class Inbox:
    """Stands in a system's table of cells, and hands every message to `take`, in the order in which they arrive."""

    def __init__(self, system: Host, take: Callable[[Any], None]) -> None:
        self._system = system
        self._take = take

    def __str__(self) -> str:
        return f"the inbox of node {self._system.me}"

    def call(self, peer: Peer, m: list[Any]) -> None:
        """A question arrived: nobody answers here."""
        self.deliver(peer, m[1], m[3], m[4:])

    def deliver(
        self,
        peer: Peer,
        number: int | None,
        name: str,
        args: Any,
        kwargs: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
    ) -> None:
        """A message arrived. One that cannot be unpickled here is a dead letter."""
        if number is not None:
            self._system.reply_error(peer, number, ActorNotFound(f"behind {self}: there are no answers"))
            return
        token = current_system.set(self._system)
        try:
            (message,) = args()[0] if callable(args) else args
        except Exception as error:  # noqa: BLE001 - unpickling users' values may raise anything
            self._system.dead_letter(self, name, f"it cannot be unpickled here: {in_words(error)}")
            return
        finally:
            current_system.reset(token)
        self._take(message)
