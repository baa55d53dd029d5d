"""Services: what every node answers under a well-known key, such as ``@scheduler`` or ``@objects``.

A service is a plain object whose coroutine methods take the asking Peer first. It is called by the same messages as an
actor, but each request runs as a background job of its own, because requests of a service are independent. What comes
thousands of times a second does without: see `answers_later`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVar

from partisan_actors.actors.context import current_system, request_meta
from partisan_actors.actors.host import Host
from partisan_actors.node.router import Peer

__all__ = ["Service", "answers_later"]

F = TypeVar("F", bound=Callable[..., None])


def answers_later(method: F) -> F:
    """Mark a method of a service that is called at once, and answers by itself: with the peer, number and meta first.

    It must not raise. `number` is that of the reply, `meta` what came with the message, or None.
    """
    method.__dict__["answers_later"] = True
    return method


class Service:
    """Stands in a system's table of cells; hands requests to `target`."""

    def __init__(self, system: Host, name: str, target: object, channel: str) -> None:
        self._channel = channel
        self._system = system
        self._name = name
        self._target = target
        # The methods that answer later, found once: for plain arguments, without a further look.
        self._later: dict[str, Any] = {
            name: getattr(target, name)
            for name, method in inspect.getmembers_static(type(target))
            if getattr(method, "answers_later", False)
        }

    def __str__(self) -> str:
        return f"service {self._name}"

    def call(self, peer: Peer, m: list[Any]) -> None:
        """A request with scalar arguments arrived."""
        later = self._later.get(m[3])
        if later is not None:
            later(peer, m[1], None, *m[4:])
        else:
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
        """A request arrived."""
        later = self._later.get(name)
        if later is not None and number is not None:
            later(peer, number, meta, *(args()[0] if callable(args) else args))
            return
        method: Any = None if name.startswith("_") else getattr(self._target, name, None)
        if not inspect.iscoroutinefunction(method):
            if number is not None:
                error = AttributeError(f"{self} has no request {name!r}: do all nodes run the same version?")
                self._system.reply_error(peer, number, error)
            return
        # In a context of its own, and not in that of whoever had this connection opened.
        context = Context()
        context.run(current_system.set, self._system)
        context.run(request_meta.set, meta)
        self._system.background.start(self._run(peer, number, method, args), f"{self}.{name} for {peer.node}", context)

    async def _run(self, peer: Peer, number: int | None, method: Any, args: Any) -> None:
        try:
            if callable(args):
                args, _ = args()
            value = await method(peer, *args)
        except Exception as error:
            if number is None:
                raise
            self._system.reply_error(peer, number, error)
        else:
            if number is not None:
                self._system.reply_value(peer, number, value, self._channel)
