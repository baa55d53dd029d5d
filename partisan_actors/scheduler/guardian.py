"""Guardians: nodes that keep the records of restartable actors, and restart them when their node goes down.

Where a restarted actor lives is announced to everybody as the entry ``actor/<id>`` of the replicated map, with the
stamp ``(life, phase)``; a higher life wins, and an end wins over a start of the same life.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from partisan_actors.actors.restart import choose_guardians, may_restart, should_act
from partisan_actors.errors import ActorStopped, PartisanError
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.router import Peer
from partisan_actors.protocols.broadcast.lww_map import Changed

if TYPE_CHECKING:
    from partisan_actors.scheduler.scheduler import Scheduler
    from partisan_actors.scheduler.spec import ActorSpec

__all__ = ["Guardian"]

logger = logging.getLogger(__name__)

SERVICE: Final = "guardian"
PREFIX: Final = "actor/"
RECORDS_MAX: Final = 100_000
_STARTED: Final = 0
_ENDED: Final = 1


@dataclass(frozen=True, slots=True)
class _Record:
    """A restartable actor, where it lives, and who else would restart it."""

    spec: ActorSpec
    host: NodeId
    guardians: tuple[NodeId, ...]


class Guardian:
    """The records this node keeps."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._system = scheduler.system
        self._node = scheduler.node
        self._records: dict[ActorId, _Record] = {}
        self._acting: set[tuple[ActorId, int]] = set()
        self.restarts = 0
        self._system.serve(SERVICE, self)
        self._node.on_entry[PREFIX] = self._entry_changed
        self._node.directory.on_down.append(self._node_down)

    async def guard(self, spec: ActorSpec, host: NodeId) -> None:
        """An actor was made on `host`: have its record kept, if it may be restarted at all."""
        if not may_restart(spec.life, spec.max_restarts):
            return
        live = [record.node for record in self._node.directory.live() if record.hosts_actors]
        guardians = tuple(choose_guardians(spec.actor, spec.owner, host, live))
        for node in guardians:
            peer = self._node.router.peer(node)
            try:
                await self._system.request(
                    node, SERVICE, "keep", spec, host, guardians, self._system.code.blob_for(peer, spec.code)
                )
            except PartisanError as error:
                logger.warning("node %s could not be made a guardian of %s: %s", node, spec, error)

    async def keep(
        self, peer: Peer, spec: ActorSpec, host: NodeId, guardians: tuple[NodeId, ...], blob: bytes | None
    ) -> None:
        """Another node asks this one to be a guardian."""
        if blob is not None:
            self._system.code.keep(blob)
        if len(self._records) < RECORDS_MAX or spec.actor in self._records:
            self._records[spec.actor] = _Record(spec, host, guardians)
            if not self._node.directory.is_up(host) and host != self._node.me:
                self._consider(self._records[spec.actor])

    def dismiss(self, actor: ActorId) -> None:
        """The actor was ended on purpose: nobody restarts it."""
        record = self._records.pop(actor, None)
        for node in record.guardians if record is not None else ():
            self._system.notify(node, SERVICE, "drop", actor.node.name, actor.node.incarnation, actor.number)

    async def drop(self, peer: Peer, name: str, incarnation: int, number: int) -> None:
        """The actor was ended on purpose."""
        self._records.pop(ActorId(NodeId(name, incarnation), number), None)

    def announce_end(self, spec: ActorSpec, reason: str) -> None:
        """The actor ended on a live node, so it is not restarted; everybody may know."""
        self._announce(spec, None, reason)

    @property
    def record_count(self) -> int:
        """How many records this node keeps."""
        return len(self._records)

    # ---- restarting -------------------------------------------------------------------------------------------

    def _node_down(self, record: NodeRecord, why: str) -> None:
        for kept in list(self._records.values()):
            if kept.spec.owner == record.node:
                del self._records[kept.spec.actor]  # it ends with its owner
            elif kept.host == record.node or record.node in kept.guardians:
                self._consider(kept)

    def _consider(self, kept: _Record) -> None:
        directory = self._node.directory
        key = (kept.spec.actor, kept.spec.life)
        if directory.is_up(kept.host) or key in self._acting:
            return
        if should_act(self._node.me, kept.guardians, directory.is_up):
            self._acting.add(key)
            self._system.background.start(self._restart(kept), f"restart {kept.spec}")

    async def _restart(self, kept: _Record) -> None:
        spec = replace(kept.spec, life=kept.spec.life + 1)
        try:
            host = await self._scheduler.place(spec)
        except PartisanError as error:
            self._announce(spec, None, f"its node {kept.host} went down, and it could not be restarted: {error}")
            return
        finally:
            self._acting.discard((kept.spec.actor, kept.spec.life))
        self.restarts += 1
        logger.info("restarted %s on node %s (restart %d)", spec, host, spec.life)
        self._announce(spec, host, f"restarted after node {kept.host} went down")
        self._records.pop(spec.actor, None)
        await self.guard(spec, host)

    def _announce(self, spec: ActorSpec, host: NodeId | None, why: str) -> None:
        value: dict[str, Any] = {
            "actor": [*spec.actor.node, spec.actor.number],
            "host": list(host) if host is not None else None,
            "restarts": spec.life,
            "can_restart": may_restart(spec.life, spec.max_restarts),
            "what": str(spec),
            "why": why,
        }
        phase = _STARTED if host is not None else _ENDED
        self._node.driver.write(f"{PREFIX}{spec.actor}", (spec.life, phase), value)

    def _entry_changed(self, changed: Changed) -> None:
        value = changed.after.value
        if not isinstance(value, dict):
            return
        name, incarnation, number = value["actor"]
        actor = ActorId(NodeId(name, incarnation), number)
        location = self._system.known_location(actor)
        if location is not None:
            location.can_restart = bool(value["can_restart"])
        if value["host"] is None:
            self._records.pop(actor, None)
            self._system.ended(actor, ActorStopped(value["what"], value["why"]))
        else:
            self._system.moved(actor, NodeId(*value["host"]))
