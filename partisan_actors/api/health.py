"""How a node is, for whoever sends it work or ends it: whether its loop turns, and whether it is ready.

The two are apart because the remedies are: a node whose loop stands still has to be started anew, and one that is not
ready has to be waited for.
"""

from __future__ import annotations

import time
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.node.overlays import neighbours_min
from partisan_actors.scheduler.scheduler import Scheduler

__all__ = ["HEALTH", "Health"]

HEALTH: Final = "health"


class Health:
    """Answers for one node. That it answers at all says that its loop turns."""

    def __init__(self, system: ActorSystem, scheduler: Scheduler) -> None:
        self._system = system
        self._scheduler = scheduler
        self._started = time.monotonic()
        system.serve(HEALTH, self)

    async def alive(self, peer: Any) -> dict[str, Any]:
        """Its name, and for how long it has been up."""
        return {"node": self._system.me.name, "uptime_s": round(time.monotonic() - self._started, 1)}

    async def ready(self, peer: Any) -> dict[str, Any]:
        """Whether it is a member that others can rely on; if not, why not, in sentences.

        It is when it is in its cluster, takes work, and has as many neighbours as its overlay wants at least, or as
        there are other nodes.
        """
        node = self._system.node
        others = sum(record.is_live for record in node.directory.records.values() if record.node != node.me)
        neighbours = len(node.neighbours())
        wanted = min(neighbours_min(node.config), others)
        why = []
        if node.is_leaving or node.is_closing:
            why.append("it is leaving the cluster")
        elif not node.directory.is_up(node.me):
            why.append("it is not a member of its cluster")
        if self._scheduler.room.is_closed:
            why.append("it is drained and takes no new work")
        if neighbours < wanted:
            why.append(f"it has {neighbours} of at least {wanted} neighbours")
        return {
            "node": node.me.name,
            "ready": not why,
            "why": why,
            "neighbours": neighbours,
            "neighbours_min": wanted,
            "others": others,
        }
