"""Guardians: nodes that keep the records of restartable actors, and restart them when their node goes down.

Where a restarted actor lives is announced to everybody as the entry ``actor/<id>`` of the replicated map, with the
stamp ``(life, phase)``; a higher life wins, and an end wins over a start of the same life.

During a partition both sides may restart an actor. When they meet, the map keeps one announcement, and whoever hosts
another life of that actor ends it. Not so with a quorum: then only a side that has the majority of all known nodes
restarts it, and on any other side its host ends it, and makes it again if nobody else has when the sides meet.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from dataclasses import replace
from typing import Any, Final, Protocol

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.reasons import end_of
from partisan_actors.actors.ref import Location
from partisan_actors.actors.refusing import STOPPED, STOPPING
from partisan_actors.actors.restart import choose_guardians, may_restart, should_act
from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.tracing import LifeTrace, failing_calls
from partisan_actors.errors import ActorStopped, ActorUnavailable, NodeDown, NodeError, PartisanError
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.directory import LEFT, NodeRecord
from partisan_actors.node.node import Node
from partisan_actors.node.router import Peer
from partisan_actors.scheduler.names import Names
from partisan_actors.scheduler.spec import ActorSpec
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.values import dataclass

__all__ = ["Guardian"]

logger = logging.getLogger(__name__)

SERVICE: Final = "guardian"
PREFIX: Final = "actor/"
RECORDS_MAX: Final = 100_000
_STARTED: Final = 0
_ENDED: Final = 1
_FORGOTTEN: Final = 2
END_TOLD_S: Final = 60.0
NO_QUORUM: Final = "its quorum needs more than half of the nodes that this one knows, and that many are not up"
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
    hosted: dict[ActorId, ActorSpec]

    async def place(self, spec: ActorSpec) -> NodeId:
        """Find a node that takes the actor. Raises Unplaceable."""
        ...

    def forget(self, actor: ActorId) -> ActorSpec | None:
        """What an actor holds here is free; nobody is told of its end. Returns what it was made of."""
        ...


class Guardian:
    """The records this node keeps."""

    def __init__(self, scheduler: Placer) -> None:
        self._scheduler = scheduler
        self._system = scheduler.system
        self._node = scheduler.node
        self._records: dict[ActorId, _Record] = {}
        # Who guards the actors of this node.
        self._guarded: dict[ActorId, tuple[NodeId, ...]] = {}
        self._acting: set[tuple[ActorId, int]] = set()
        # Actors of this node that are to be restarted once they have ended, and why they end.
        self._reliving: dict[ActorId, tuple[ActorSpec, str]] = {}
        # Those with a quorum that this node has ended for the want of it.
        self._suspended: dict[ActorId, ActorSpec] = {}
        self.restarts = 0
        self.restarts_of: Counter[str] = Counter()
        # Lives that were ended because another one of the same actor was found when a partition healed.
        self.reconciled = 0
        self._system.serve(SERVICE, self)
        self._system.where_now = self.where_now
        self._node.on_entry[PREFIX] = self._entry_changed
        self._node.directory.on_down.append(self._node_down)
        self._node.directory.on_up.append(self._node_up)
        self._system.on_cell_stopped.append(self._cell_stopped)

    async def guard(self, spec: ActorSpec, host: NodeId) -> None:
        """An actor was made on `host`: have its record kept, if it may be restarted at all."""
        if not may_restart(spec.life, spec.max_restarts):
            return
        live = [record.node for record in self._node.directory.live() if record.hosts_actors]
        guardians = tuple(choose_guardians(spec.actor, spec.owner, host, live))
        for node in (*guardians, host):
            peer = self._node.router.peer(node)
            try:
                await self._system.request(
                    node, SERVICE, "keep", spec, host, guardians, self._system.code.blob_for(peer, spec.code)
                )
            except NodeDown as error:  # that happens, most of all when a program ends; the others guard it
                logger.info("node %s could not be made a guardian of %s: %s", node, spec, error)
            except PartisanError as error:
                logger.warning("node %s could not be made a guardian of %s: %s", node, spec, error)

    async def keep(
        self, peer: Peer, spec: ActorSpec, host: NodeId, guardians: tuple[NodeId, ...], blob: bytes | None
    ) -> None:
        """Another node asks this one to be a guardian, or tells the host who they are."""
        if blob is not None:
            self._system.code.keep(blob)
        if host == self._node.me:
            self._guarded[spec.actor] = guardians
        elif len(self._records) < RECORDS_MAX or spec.actor in self._records:
            self._records[spec.actor] = _Record(spec, host, guardians)
            if not self._node.directory.is_up(host):
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
        return end_of(value["what"], value["why"]) if value["host"] is None else NodeId(*value["host"])

    def announce_end(self, spec: ActorSpec, reason: str) -> None:
        """The actor ended on a live node, so it is not restarted; everybody may know."""
        self._announce(spec, None, reason)

    async def ask_to_restart(self, host: NodeId, actor: ActorId) -> None:
        """Have an actor killed and made again."""
        with contextlib.suppress(NodeError, ActorUnavailable):  # then it is restarted because of that
            recorder = self._system.recorder
            cause = recorder.current() if recorder.enabled else None
            trace = cause.pack() if cause is not None else b""
            await self._system.request(host, SERVICE, "restart_here", *actor.node, actor.number, trace)

    async def restart_here(self, peer: Peer, name: str, incarnation: int, number: int, trace: bytes = b"") -> bool:
        """Another node asks to kill an actor of this one that is to be restarted. Answers when it ends.

        `trace` is the context of whoever kills it, if that is traced.
        """
        cell = self._system.cell(ActorId(NodeId(name, incarnation), number))
        cause = TraceContext.unpack(trace)
        if cell is not None and cause is not None:
            failing_calls(self._system).note(cell.actor, cause, self._system.recorder.clock())
        return cell is not None and self.end_life(cell, f"it was killed by node {peer.node.name}")

    def end_life(self, cell: Cell, why: str) -> bool:
        """End an actor of this node, and restart it if it may be: here, or wherever there is room.

        Callers get ActorUnavailable then, and ActorStopped otherwise. Returns whether it ends only now.
        """
        if cell.state in (STOPPING, STOPPED):
            return False
        spec = None
        if may_restart(cell.options.life, cell.options.max_restarts):
            spec = self._scheduler.forget(cell.actor)  # so that this end is nobody's business
        if spec is None:
            cell.stop(why)
            return True
        self._relive(cell, spec, why)
        return True

    def _relive(self, cell: Cell, spec: ActorSpec, why: str) -> None:
        cell.cause = ActorUnavailable(str(cell), f"{why}, and is to be restarted")
        self._reliving[cell.actor] = spec, why
        cell.stop(why)

    def _cell_stopped(self, cell: Cell) -> None:
        self._guarded.pop(cell.actor, None)
        spec, why = self._reliving.pop(cell.actor, (None, ""))
        if spec is not None:
            self._restart_later(_Record(spec, self._node.me, ()), why)

    def _restart_later(self, kept: _Record, why: str) -> None:
        self._acting.add((kept.spec.actor, kept.spec.life))
        self._system.background.start(self._restart(kept, why), f"restart {kept.spec}")

    @property
    def has_majority(self) -> bool:
        """Whether more than half of the nodes that this one knows of, and that have not left, are up.

        Processes of isolated work do not count: they come and go with their hosts.
        """
        records = [record for record in self._node.directory.records.values() if not record.hosted_by]
        known = sum(record.state != LEFT for record in records)
        return 2 * sum(record.is_live for record in records) > known

    @property
    def restarting(self) -> int:
        """How many actors this node is about to make again, here or elsewhere."""
        return len(self._reliving) + len(self._acting)

    def guardians_of(self, actor: ActorId) -> tuple[NodeId, ...]:
        """The nodes that would restart an actor of this one, in the order in which they act."""
        return self._guarded.get(actor, ())

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
        for actor, guardians in list(self._guarded.items()):
            spec = self._scheduler.hosted.get(actor)
            if spec is not None and record.node in guardians and spec.owner != record.node:
                guarding = self.guard(spec, self._node.me)
                self._system.background.start(guarding, f"find another guardian of {spec}")
        in_need = [spec for spec in self._scheduler.hosted.values() if spec.quorum]
        for spec in in_need if in_need and not self.has_majority else ():
            self._suspend(spec)

    def _node_up(self, record: NodeRecord) -> None:
        if not self.has_majority:
            return
        for kept in list(self._records.values()):
            if kept.spec.quorum:
                self._consider(kept)
        suspended, self._suspended = self._suspended, {}
        for actor, spec in suspended.items():
            if self.where_now(actor) is None or self._life_now(actor) <= spec.life:
                self._restart_later(_Record(spec, self._node.me, ()), "its node was without a quorum")

    def _suspend(self, spec: ActorSpec) -> None:
        cell = self._system.cell(spec.actor)
        if cell is None or self._scheduler.forget(spec.actor) is None:
            return
        why = "its node has lost the quorum"
        cell.cause = ActorUnavailable(str(cell), f"{why}: it goes on where there is one")
        self._suspended[spec.actor] = spec
        logger.warning("%s ends on node %s: %s", spec, self._node.me, why)
        cell.stop(why)

    def taken_for_down(self) -> None:
        """The others took this node for down and know better now: say where its restartable actors are."""
        for actor, spec in list(self._scheduler.hosted.items()):
            if spec.max_restarts and not self._end_if_elsewhere(actor, spec):
                self._announce(spec, self._node.me, "its node was taken for down, and is up")

    def _end_if_elsewhere(self, actor: ActorId, spec: ActorSpec) -> bool:
        """End an actor of this node of which another node has a later life, or the same one."""
        now = self.where_now(actor)
        if not isinstance(now, NodeId) or now == self._node.me or self._life_now(actor) < spec.life:
            return False
        cell = self._system.cell(actor)
        self._scheduler.forget(actor)  # so that its end is not announced as that of the other one
        why = f"another life of it is on node {now}"
        logger.warning("%s ends on node %s: %s", spec, self._node.me, why)
        self.reconciled += 1
        if cell is not None:
            cell.cause = ActorUnavailable(str(cell), why)
            cell.stop(why)
        return True

    def _life_now(self, actor: ActorId) -> int:
        exchange = self._node.driver.stack.exchange
        entry = exchange.get(f"{PREFIX}{actor}") if exchange is not None else None
        return entry.stamp[0] if entry is not None else 0

    def _consider(self, kept: _Record) -> None:
        directory = self._node.directory
        key = (kept.spec.actor, kept.spec.life)
        if directory.is_up(kept.host) or key in self._acting or (kept.spec.quorum and not self.has_majority):
            return
        if should_act(self._node.me, kept.guardians, directory.is_up):
            self._restart_later(kept, f"node {kept.host} went down")

    async def _restart(self, kept: _Record, why: str) -> None:
        spec = replace(kept.spec, life=kept.spec.life + 1)
        trace = LifeTrace.restart(self._system, spec.actor, spec.trace)
        if trace is not None:
            spec = replace(spec, trace=trace.context.pack())
        try:
            host = await self._scheduler.place(spec)
        except PartisanError as error:
            if trace is not None:
                trace.finished(spec.actor, spec.class_name, None, error, spec.life, why, spec.name, spec.max_restarts)
            self._announce(spec, None, f"{why}, and it could not be restarted: {error}")
            named = {"what": str(spec), "class": spec.class_name, "cause": why, "why": str(error)}
            self._node.feed.tell("actor.not_restarted", str(spec.actor), **named)
            self._scheduler.names.release(spec)
            return
        finally:
            self._acting.discard((kept.spec.actor, kept.spec.life))
        is_kept = spec.actor in self._records or kept.host == self._node.me
        if isinstance(self.where_now(spec.actor), ActorStopped) or not is_kept:
            # It was killed, or its owner went, while it was being placed.
            self._system.notify(host, "scheduler", "stop_here", *spec.actor.node, spec.actor.number)
            return
        self._scheduler.names.settle(spec, host)
        self.restarts += 1
        self.restarts_of[spec.class_name] += 1
        if trace is not None:
            trace.finished(spec.actor, spec.class_name, host, None, spec.life, why, spec.name, spec.max_restarts)
        told = {"what": str(spec), "class": spec.class_name, "to": host.name, "restarts": spec.life, "cause": why}
        self._node.feed.tell("actor.restarted", str(spec.actor), **told)
        logger.info("restarted %s on node %s (restart %d)", spec, host, spec.life)
        self._announce(spec, host, f"restarted: {why}")
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
            self._system.ended(actor, end_of(value["what"], value["why"]))
        else:
            self._told_of_life(actor, NodeId(*value["host"]), value["restarts"])
            self._system.moved(actor, NodeId(*value["host"]))

    def _told_of_life(self, actor: ActorId, host: NodeId, life: int) -> None:
        """An actor has begun another life: what this node keeps or runs of former ones is over."""
        kept = self._records.get(actor)
        if kept is not None and kept.spec.life <= life:
            if host == self._node.me:
                del self._records[actor]
            elif kept.host != host:
                self._records[actor] = replace(kept, spec=replace(kept.spec, life=life), host=host)
        self._suspended.pop(actor, None)
        mine = self._scheduler.hosted.get(actor)
        if mine is not None:
            self._end_if_elsewhere(actor, mine)
