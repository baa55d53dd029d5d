"""What becomes of actors whose node has gone, be it a node of its own or the process of one isolated actor."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from partisan_actors.actors.parcels import parcel_or_method
from partisan_actors.actors.ref import RESTARTING, UNREACHABLE, Location
from partisan_actors.actors.replies import Answer, Reply
from partisan_actors.errors import ActorNodeDown, ActorUnavailable, PartisanError

if TYPE_CHECKING:
    from partisan_actors.ids import ActorId, NodeId
    from partisan_actors.node.node import Node
    from partisan_actors.node.router import Peer

__all__ = ["RESTART_PATIENCE_S", "fail_calls", "fail_calls_of_all", "host_lost"]

RESTART_PATIENCE_S: Final = 30.0


class Callers(Protocol):
    """What this needs of the actor system."""

    node: Node
    loop: asyncio.AbstractEventLoop
    where_now: Callable[[ActorId], NodeId | PartisanError | None]

    def moved_to(self, location: Location, host: NodeId) -> None:
        """An actor has a new place."""
        ...

    def fail_location(self, location: Location, error: PartisanError) -> None:
        """Everything that waits for this actor, and everything later, fails."""
        ...

    def dead_letter(self, whom: object, method: str | bytes, why: str | BaseException) -> None:
        """A message reached nobody."""
        ...


def fail_calls(peer: Peer, location: Location, why: str) -> None:
    """The process node `peer` has ended, and with it the actor at `location`, the only one that it has had.

    Calls under way fail with ActorStopped, or with ActorUnavailable when the actor is made again. What was asked of the
    node's services, and who watches the actor, is left to be told as for any node.
    """
    pending = peer.pending.items()
    calls = {number: call for number, call in pending if isinstance(call, Reply) and not isinstance(call, Answer)}
    for number, call in calls.items():
        del peer.pending[number]
        again = ActorUnavailable(str(location), f"{why}; it is made again elsewhere")
        call.fail(again if location.can_restart else location.stopped_error(why))


def fail_calls_of_all(peer: Peer, locations: Sequence[Location], why: str) -> None:
    """The node `peer` is down, with all the actors at `locations` that this node has called there.

    If none of them is restarted, each call under way hears that its actor has ended. If some are, nobody knows whose
    calls are whose, and all are left to hear that the node is down.
    """
    if not locations or any(location.can_restart for location in locations):
        return
    whom = str(locations[0]) if len(locations) == 1 else f"there, which is one of {len(locations)},"
    for number, call in list(peer.pending.items()):
        if isinstance(call, Reply) and not isinstance(call, Answer):
            del peer.pending[number]
            call.fail(ActorNodeDown(str(peer.node), why, whom))


def host_lost(system: Callers, location: Location, why: str) -> None:
    """The node is down that an actor was on, for the reason `why`."""
    peer = location.peer
    location.peer = None
    if not location.can_restart:
        node = peer.node if peer is not None else location.actor.node
        record = system.node.directory.find(node)
        is_process = record is not None and bool(record.hosted_by)
        ended = ActorNodeDown(str(node), why, str(location))
        system.fail_location(location, location.stopped_error(why) if is_process else ended)
        return
    location.state = RESTARTING
    now = system.where_now(location.actor)
    if isinstance(now, PartisanError):
        system.fail_location(location, now)
    elif now is not None and system.node.router.peer(now).down is None:
        system.moved_to(location, now)
    else:
        # The timer keeps the location, and so what waits there, also when nobody holds a handle any more.
        system.loop.call_later(RESTART_PATIENCE_S, _give_up_waiting, system, location)


def _give_up_waiting(system: Callers, location: Location) -> None:
    """A restart takes its time. Whoever has waited for it that long is told, and later callers are at once."""
    if location.state != RESTARTING:
        return
    location.state = UNREACHABLE
    parked, location.parked = location.parked, deque()
    why = f"its node is down and it has not been restarted within {RESTART_PATIENCE_S:g} s"
    for item in parked:
        if item.reply is not None:
            item.reply.fail(ActorUnavailable(str(location), why))
        else:
            message = parcel_or_method(item.message, item.buffers)
            system.dead_letter(location, message, ActorUnavailable(str(location), why))
