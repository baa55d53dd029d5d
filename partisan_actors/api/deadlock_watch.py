"""Deadlocks found without anybody asking: told in the feed of events, and logged, once each.

A ring of calls is closed by one that begins to wait while all others of it wait already. So each node looks at its own
running calls only, which is cheap, and when one of them has waited for RIPE_S for the first time, it asks all nodes
once: if that call has closed a ring, the ring is there now. Calls that wait for long without harm cost one question;
in a large cluster, where that would be a connection to each of many nodes, nobody asks by itself. When a node did not
answer, which may be the one that holds the rest of the ring, all are asked again, each time after twice as long.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from partisan_actors.actors.deadlocks import CallId
from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.waits import Waits
from partisan_actors.api.actor_rows import INSPECT
from partisan_actors.api.deadlock_rows import deadlocks_in
from partisan_actors.api.everybody import answers_of_all

__all__ = ["DeadlockWatch"]

logger = logging.getLogger(__name__)

RIPE_S: Final = 10.0
LOOK_S: Final = 5.0
# A node asks at most so often, whatever ripens meanwhile; in a cluster of more than ALIKE nodes, in proportion less
# often, and in one of more than NODES_MAX not at all.
ASK_S: Final = 10.0
ALIKE: Final = 16
NODES_MAX: Final = 64
# While nodes do not answer, a question comes after so many times the usual pause, at most.
PAUSES_MAX: Final = 32


class DeadlockWatch:
    """Watches the calls that run on one node. `start` it on the loop; it ends with the node."""

    def __init__(
        self, system: ActorSystem, ripe_s: float = RIPE_S, look_s: float = LOOK_S, pause_s: float = ASK_S
    ) -> None:
        self._system = system
        self._ripe_s = ripe_s
        self._look_s = look_s
        self._pause_s = pause_s
        # Since when each call is known to wait.
        self._since: dict[CallId, float] = {}
        self._asked: set[CallId] = set()
        self._told: set[Any] = set()
        self._pauses = 1

    def start(self) -> None:
        """Begin to look."""
        self._system.background.start(self._run(), "watch for deadlocks")

    async def _run(self) -> None:
        waits: Waits = self._system.extensions["waits"]
        while True:
            await asyncio.sleep(self._look_s)
            now = self._system.loop.time()
            waiting = waits.running()
            self._since = {call: self._since.get(call, now) for call in waiting}
            self._asked.intersection_update(waiting)
            ripe = [call for call, since in self._since.items() if now - since >= self._ripe_s]
            nodes = self._system.node.directory.live_count
            if nodes <= NODES_MAX and not self._asked.issuperset(ripe):
                if await self._ask():
                    self._asked.update(ripe)
                    self._pauses = 1
                else:
                    self._pauses = min(self._pauses * 2, PAUSES_MAX)
                await asyncio.sleep(self._pause_s * max(1.0, nodes / ALIKE) * self._pauses)

    async def _ask(self) -> bool:
        """Tell of what is found; returns whether all have answered."""
        answers = await answers_of_all(self._system, INSPECT, "waits")
        found = deadlocks_in([row for answer in answers if answer.why is None for row in answer.value])
        me = self._system.me.name
        rings = {tuple((call["actor"], call["method"]) for call in ring["calls"]): ring for ring in found}
        for key, ring in rings.items():
            if key in self._told or not any(call["node"] == me for call in ring["calls"]):
                continue
            told = {"calls": len(ring["calls"]), "waiting": ring["waiting"], "text": ring["text"]}
            self._system.node.feed.tell("deadlock.found", key[0][0], **told)
            logger.error("calls wait for each other for ever: %s", ring["text"])
        self._told = set(rings)
        return all(answer.why is None for answer in answers)
