"""`send_after`: a message that is forwarded later, unless it is cancelled first."""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.api import session
from partisan_actors.api.forwarding import Reference, prepared
from partisan_actors.api.on_loop import on_loop
from partisan_actors.errors import ConfigError, PartisanError

__all__ = ["Timer", "send_after"]

logger = logging.getLogger(__name__)

TIMERS: Final = "timers"
TIMERS_MAX: Final = 100_000
AFTER_S_MAX: Final = 10 * 365 * 86400.0


class Timer:
    """A message that is to be sent later, as `send_after` returns it; from any thread.

    It goes with its node, and needs nobody to hold it: to drop a Timer cancels nothing.
    """

    __slots__ = ("_handle", "_system")

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it is still to be sent."""
        return self._handle is not None

    def cancel(self) -> bool:
        """Do not send it. Returns whether that was in time; from any thread."""
        return self._system.closed is None and on_loop(self._system, self._cancel)

    def _cancel(self) -> bool:
        handle, self._handle = self._handle, None
        if handle is None:
            return False
        handle.cancel()
        _timers(self._system).pop(self, None)
        return True


def send_after(
    after_s: float,
    reference: Reference,
    message: Any,
    *,
    causal: str | None = None,
    channel: str | None = None,
    partition_key: int | str | None = None,
    transitive: bool | None = None,
) -> Timer:
    """`forward` the message in so many seconds, as the running code does now; returns what cancels that.

    Whom `reference` means is found out now, and with the options of `forward` raises what that raises; what goes wrong
    when the time has come is a dead letter, as is a message to somebody who has ended by then. It is sent also when the
    actor that wanted it has ended; not when its node has. Messages due at the same time are sent in any order, and one
    that was changed meanwhile is sent as it is then. Time is that of the node's loop: it does not jump with the clock.

    Raises ConfigError for a time that is none, and beyond 100 000 timers of a node.
    """
    if isinstance(after_s, bool) or not isinstance(after_s, (int, float)) or not 0 <= after_s <= AFTER_S_MAX:
        raise ConfigError("after_s", after_s, "a number of seconds from 0, at most ten years of them")
    system = session.system()
    method = prepared(system, reference, causal, channel, partition_key, transitive)
    timer, context = Timer(system), copy_context()

    def fire() -> None:
        timer._handle = None
        _timers(system).pop(timer, None)
        try:
            method.tell(message)
        except (PartisanError, TypeError) as error:
            system.dead_letter(method._location, method._name, error)

    def begin() -> None:
        timers = _timers(system)
        if len(timers) >= TIMERS_MAX:
            raise ConfigError("timers of this node", len(timers), f"at most {TIMERS_MAX}")
        timers[timer] = None
        timer._handle = system.loop.call_later(after_s, fire, context=context)

    on_loop(system, begin)
    return timer


def _timers(system: ActorSystem) -> dict[Timer, None]:
    """Those that are pending. They end with the node."""
    timers: dict[Timer, None] | None = system.extensions.get(TIMERS)
    if timers is None:
        timers = system.extensions[TIMERS] = {}
        pending = timers

        def end() -> None:
            for timer in list(pending):
                timer._cancel()

        system.on_close.append(end)
    return timers
