"""Guardians: nodes that keep the records of restartable actors, and restart them when their node goes down.

Where a restarted actor lives is announced to everybody as the entry ``actor/<id>`` of the replicated map, with the
stamp ``(life, phase)``; a higher life wins, and an end wins over a start of the same life.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from partisan_actors.actors.ref import Location
from partisan_actors.actors.restart import choose_guardians, may_restart, should_act
from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.tracing import LifeTrace
from partisan_actors.errors import ActorStopped, PartisanError
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.node import Node
from partisan_actors.node.router import Peer
from partisan_actors.scheduler.names import Names
from partisan_actors.scheduler.spec import ActorSpec

__all__ = ["Guardian"]

logger = logging.getLogger(__name__)

SERVICE: Final = "guardian"
PREFIX: Final = "actor/"
RECORDS_MAX: Final = 100_000
_STARTED: Final = 0
_ENDED: Final = 1
_FORGOTTEN: Final = 2
END_TOLD_S: Final = 60.0
# An end on purpose is later than any life.
_LIFE_MAX: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class _Record:
    """A restartable actor, where it lives, and who else would restart it."""

    spec: ActorSpec
    host: NodeId
    guardians: tuple[NodeId, ...]


class Placer(Protocol):
    """What a guardian needs of the scheduler."""

    system: ActorSystem
    node: Node
    names: Names

    async def place(self, spec: ActorSpec) -> NodeId:
        """Find a node that takes the actor. Raises Unplaceable."""
        ...


class Guardian:
    """The records this node keeps."""

    def __init__(self, scheduler: Placer) -> None:
        self._scheduler = scheduler
        self._system = scheduler.system
        self._node = scheduler.node
        self._records: dict[ActorId, _Record] = {}
        self._acting: set[tuple[ActorId, int]] = set()
        self.restarts = 0
        self._system.serve(SERVICE, self)
        self._system.where_now = self.where_now
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

    def dismiss(self, location: Location) -> None:
        """The actor was ended on purpose: nobody restarts it, even if its node goes down in this very moment."""
        if location.can_restart:
            self._write(location.actor, (_LIFE_MAX, _ENDED), None, False, _LIFE_MAX, str(location), "it was killed")

    def where_now(self, actor: ActorId) -> NodeId | ActorStopped | None:
        """Where a restarted actor was announced to be, or that it has ended for good; None without announcement."""
        exchange = self._node.driver.stack.exchange
        entry = exchange.get(f"{PREFIX}{actor}") if exchange is not None else None
        value = entry.value if entry is not None else None
        if not isinstance(value, dict):
            return None
        return ActorStopped(value["what"], value["why"]) if value["host"] is None else NodeId(*value["host"])

    def announce_end(self, spec: ActorSpec, reason: str) -> None:
        """The actor ended on a live node, so it is not restarted; everybody may know."""
        self._announce(spec, None, reason)

    @property
    def record_count(self) -> int:
        """How many records this node keeps."""
        return len(self._records)

    # ---- restarting -------------------------------------------------------------------------------------------

    def _node_down(self, record: NodeRecord, why: str) -> None:
        if self._node.has_left:
            self._records.clear()  # the others go on without this node, and are down for it only
            return
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
        why = f"node {kept.host} went down"
        trace = LifeTrace.restart(self._system.recorder, spec.trace)
        if trace is not None:
            spec = replace(spec, trace=trace.context.pack())
        try:
            host = await self._scheduler.place(spec)
        except PartisanError as error:
            if trace is not None:
                trace.finished(spec.actor, spec.class_name, None, error, spec.life, why)
            self._announce(spec, None, f"its node {kept.host} went down, and it could not be restarted: {error}")
            self._scheduler.names.release(spec)
            return
        finally:
            self._acting.discard((kept.spec.actor, kept.spec.life))
        if isinstance(self.where_now(spec.actor), ActorStopped) or spec.actor not in self._records:
            # It was killed, or its owner went, while it was being placed.
            self._system.notify(host, "scheduler", "stop_here", *spec.actor.node, spec.actor.number)
            return
        self._scheduler.names.settle(spec, host)
        self.restarts += 1
        if trace is not None:
            trace.finished(spec.actor, spec.class_name, host, None, spec.life, why)
        logger.info("restarted %s on node %s (restart %d)", spec, host, spec.life)
        self._announce(spec, host, f"restarted after node {kept.host} went down")
        self._records.pop(spec.actor, None)
        await self.guard(spec, host)

    def _announce(self, spec: ActorSpec, host: NodeId | None, why: str) -> None:
        phase = _STARTED if host is not None else _ENDED
        can_restart = may_restart(spec.life, spec.max_restarts)
        self._write(spec.actor, (spec.life, phase), host, can_restart, spec.life, str(spec), why)

    def _write(
        self,
        actor: ActorId,
        stamp: tuple[int, int],
        host: NodeId | None,
        can_restart: bool,
        restarts: int,
        what: str,
        why: str,
    ) -> None:
        value: dict[str, Any] = {
            "actor": [*actor.node, actor.number],
            "host": list(host) if host is not None else None,
            "restarts": restarts,
            "can_restart": can_restart,
            "what": what,
            "why": why,
        }
        self._node.driver.write(f"{PREFIX}{actor}", stamp, value)
        if host is None:
            # Told to everybody, then forgotten by everybody.
            forgotten = (stamp[0], _FORGOTTEN)
            self._node.loop.call_later(END_TOLD_S, self._node.write, f"{PREFIX}{actor}", forgotten, None)

    def _entry_changed(self, key: str, stamp: tuple[int, ...], value: Any) -> None:
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
