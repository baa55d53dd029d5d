"""What people do to the actors of a node from outside, beside calling them: end them, or have them made again.

Each request says in words who asks, and is logged with that, because nobody else will know.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from partisan_actors.actors.cell import ALIVE, STARTING, Cell
from partisan_actors.actors.parcels import readdressed
from partisan_actors.actors.ref import Location
from partisan_actors.actors.replies import Reply
from partisan_actors.actors.restart import may_restart
from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.terminating import TERMINATE
from partisan_actors.errors import ActorNotFound, ConfigError
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.wire.channels import CALLS

__all__ = ["STEERING", "Steering"]

logger = logging.getLogger(__name__)

STEERING: Final = "steering"
HEAD_MAX: Final = 20


class Steering:
    """Takes such requests for the actors that run on this node. Each raises ActorNotFound when that one does not."""

    def __init__(self, system: ActorSystem, scheduler: Scheduler) -> None:
        self._system = system
        self._scheduler = scheduler
        system.serve(STEERING, self)

    async def kill(self, peer: Any, actor: str, who: str) -> None:
        """End an actor now, for good. Returns when it has ended."""
        cell = self._cell(actor)
        self._audit(who, "kills", cell)
        await self._scheduler.kill(self._location(cell), no_restart=True)

    async def restart(self, peer: Any, actor: str, who: str) -> None:
        """End an actor now, and have it made again, here or elsewhere. Raises ConfigError for one that may not be."""
        cell = self._cell(actor)
        if not may_restart(cell.options.life, cell.options.max_restarts):
            lives = f"made with max_restarts={cell.options.max_restarts}, and restarted {cell.options.life} times"
            raise ConfigError("actor", f"{cell}, {lives}", "an actor that may be restarted once more")
        self._audit(who, "restarts", cell)
        await self._scheduler.kill(self._location(cell), no_restart=False)

    async def stop(self, peer: Any, actor: str, who: str) -> None:
        """Have an actor end when it comes to this in its mailbox, for good. Returns at once."""
        cell = self._cell(actor)
        self._audit(who, "stops", cell)
        told: Reply[Any] = Reply(self._system.loop)
        self._system.ask(self._location(cell), TERMINATE, (), {}, told)

    async def resend(self, peer: Any, number: int, actor: str, class_name: str, host: str, who: str) -> dict[str, Any]:
        """Send what a dead letter of this node held to an actor of that class on node `host`, and forget the letter.

        It is one more message: one that does not arrive is one more dead letter. Raises ConfigError when it is not
        kept.
        """
        letters = self._system.dead_letters
        kept = next((letter for letter in letters.last if letter.number == number), None)
        if kept is None or kept.parcel is None:
            why = "too large, or its arguments are gone" if kept is not None else "not among the last"
            raise ConfigError("dead letter", number, f"one that is kept; this one is {why}")
        try:
            target, place = ActorId.parse(actor), NodeId.parse(host)
        except ValueError as error:
            raise ConfigError("actor and node", f"{actor} on {host}", "ids of an actor and of a node") from error
        location = self._system.location(target, class_name, None, False, None)
        self._system.found(location, place)  # now: nobody here may have a handle of it
        letters.take(number)
        text = f"{kept.method} of {kept.whom}"
        logger.warning("audit: %s sends %s again, to %s", who, text, location)
        self._system.node.feed.tell("actor.steered", actor, who=who, did=f"sends {kept.method} again to", what=actor)
        self._system.outbound.dispatch(
            location, 0, readdressed(kept.parcel, location.key), None, None, CALLS, None, None
        )
        return {"method": kept.method, "whom": kept.whom}

    async def note(self, peer: Any, did: str, who: str) -> None:
        """Somebody does something to this node, "asks to drain" it for one: that is logged here, too."""
        me = self._system.me.name
        logger.warning("audit: %s %s node %s", who, did, me)
        self._system.node.feed.tell("node.steered", me, who=who, did=did)

    async def look(self, peer: Any, actor: str) -> dict[str, Any]:
        """What an actor is at: what waits in front of its mailbox and what runs, how long calls took, its options."""
        cell = self._cell(actor)
        waiting = [message.method.name for message, _ in zip(list(cell.mailbox), range(HEAD_MAX), strict=False)]
        running = [
            item.method.name for item in list(cell.stepper.active.values())[:HEAD_MAX] if hasattr(item, "method")
        ]
        options = cell.options
        return {
            "actor": str(cell),
            "waiting": cell.mailbox_size,
            "head": waiting,
            "running": running,
            "times": cell.times.plain() if cell.times is not None else None,
            "is_thread_busy": cell.is_thread_busy,
            "may_restart": may_restart(options.life, options.max_restarts),
            "max_restarts": options.max_restarts,
            "max_concurrency": options.max_concurrency,
            "mailbox_max": options.mailbox_max,
            "methods": sorted(cell.definition.interface.methods),
        }

    def _audit(self, who: str, did: str, cell: Cell) -> None:
        logger.warning("audit: %s %s %s", who, did, cell)
        self._system.node.feed.tell("actor.steered", str(cell.actor), who=who, did=did, what=str(cell))

    def _cell(self, actor: str) -> Cell:
        try:
            found = self._system.cell(ActorId.parse(actor))
        except ValueError as error:
            raise ConfigError("actor", actor, "the id of an actor, such as actor:node~1a/2") from error
        if found is None or found.state not in (STARTING, ALIVE):
            raise ActorNotFound(f"{actor} on node {self._system.me.name}")
        return found

    def _location(self, cell: Cell) -> Location:
        options, can_restart = cell.options, bool(cell.options.max_restarts)
        class_name = cell.definition.interface.class_name
        location = self._system.location(cell.actor, class_name, options.name, can_restart, None)
        self._system.found(location, self._system.me)  # now: who has no handles of it has not heard where it is
        return location
