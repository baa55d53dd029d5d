"""Where actors are: one `Location` for each actor that this node calls, shared by every handle of it.

A location is *pending* until its actor is placed, *alive* while its node is up, *restarting* while another node is to
take it over, *unreachable* when that takes too long, and *stopped* for good. Messages sent while it is pending or
restarting wait here, in order, at most PARKED_MAX of them.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from partisan_actors.actors.reasons import end_of
from partisan_actors.errors import ActorStopped, ActorUnavailable, PartisanError
from partisan_actors.ids import ActorId

if TYPE_CHECKING:
    from partisan_actors.actors.actor import Interface
    from partisan_actors.node.router import Peer, Pending
    from partisan_actors.telemetry.quick_records import AskedSite

__all__ = ["ALIVE", "PENDING", "RESTARTING", "STOPPED", "UNREACHABLE", "Location", "Parked", "actor_key", "described"]

PENDING: Final = "pending"
ALIVE: Final = "alive"
RESTARTING: Final = "restarting"
UNREACHABLE: Final = "unreachable"
STOPPED: Final = "stopped"

PARKED_MAX: Final = 100_000


def actor_key(actor: ActorId) -> bytes:
    """The actor's id as the twelve bytes that its messages carry."""
    return hashlib.blake2b(str(actor.node).encode(), digest_size=8).digest() + actor.number.to_bytes(4, "big")


def described(class_name: str, name: str | None, actor: ActorId) -> str:
    """An actor, for people."""
    return f"{class_name} {name!r} ({actor})" if name else f"{class_name} ({actor})"


class Parked(NamedTuple):
    """A message that waits for its actor to have a place. `reply` is None for a tell; `sender` is its affinity."""

    number: int
    message: bytes
    buffers: Any
    reply: Pending | None
    channel: str
    sender: int


class Location:
    """Where one actor is now, as far as this node knows."""

    __slots__ = (
        "__weakref__",
        "actor",
        "affinity",
        "can_restart",
        "class_name",
        "ends",
        "error",
        "held_up",
        "interface",
        "key",
        "name",
        "parked",
        "peer",
        "sites",
        "state",
        "tracing",
    )

    def __init__(self, actor: ActorId, class_name: str, name: str | None, can_restart: bool) -> None:
        self.actor = actor
        self.key = actor_key(actor)
        self.class_name = class_name
        self.name = name
        self.can_restart = can_restart
        # What its class says of tracing calls of it, as far as this node has heard.
        self.tracing: str | float | None = None
        # For spans: a connection of `peer`, and the addresses of its ends.
        self.ends: tuple[object, tuple[Any, Any]] | None = None
        # The same, for spans of the short form: a connection, and what is the same of all calls of a method on it.
        self.sites: tuple[object, dict[str, AskedSite]] | None = None
        self.state = PENDING
        self.peer: Peer | None = None
        self.parked: deque[Parked] = deque()
        self.error: PartisanError | None = None
        # In how many queues messages wait for their arguments, see `unready`; and what is known of its methods.
        self.held_up = 0
        self.interface: Interface | None = None
        # Stable over processes and restarts, unlike hash(): the lane of a pair must not change.
        self.affinity = zlib.crc32(self.key)

    def __str__(self) -> str:
        return described(self.class_name, self.name, self.actor)

    def park(self, item: Parked) -> None:
        """Keep a message until the actor has a place. Raises why it never will, or ActorUnavailable at the bound."""
        if self.error is not None:
            raise self.error
        if self.state == UNREACHABLE:
            raise ActorUnavailable(str(self), "its node is down and it has not been restarted yet")
        if len(self.parked) >= PARKED_MAX:
            raise ActorUnavailable(str(self), f"it is {self.state} and {PARKED_MAX} messages wait for it already")
        self.parked.append(item)

    def stopped(self, error: PartisanError) -> list[Parked]:
        """The actor is gone for good; returns the messages that waited for it, to be failed with `error`."""
        self.state = STOPPED
        self.peer = None
        self.error = error
        parked, self.parked = list(self.parked), deque()
        return parked

    def stopped_error(self, reason: str) -> ActorStopped:
        """The error for a call to this actor after it ended."""
        return end_of(str(self), reason)
