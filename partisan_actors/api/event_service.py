"""What has happened on one node, for whoever asks: the service of its feed, and what of the node is told to that.

What the feed is told where it happens (restarts, crashes, faults, ...) is not repeated here. This module watches what
the node tells anybody who wants to know: nodes that come and go, neighbours, actors that end, groups; and in each sweep
what is only counted.
"""

from __future__ import annotations

from typing import Any, Final

import partisan_actors
from partisan_actors.actors.cell import Cell
from partisan_actors.actors.reasons import NORMAL, kind_of, reason_of
from partisan_actors.actors.system import ActorSystem
from partisan_actors.ids import GroupId, NodeId
from partisan_actors.node.directory import LEFT, SUSPECT, NodeRecord
from partisan_actors.node.refusals import CLOSED
from partisan_actors.scheduler.groups_record import PENDING, GroupRecord
from partisan_actors.scheduler.scheduler import Scheduler

__all__ = ["EVENTS", "EventService"]

EVENTS: Final = "events"
# Who is told so soon after the start to be up, and is older than this node, was there before: that is no news.
SETTLED_S: Final = 30.0

# Ends that nobody need hear of, and ends that somebody should look at; by `kind_of`.
_QUIET_ENDS: Final = ("out of scope", "node down")
_FAILURES: Final = (
    "constructor failed",
    "unreadable",
    "exited",
    "process ended",
    "ended by a signal",
    "out of memory",
    "superseded",
)


class EventService:
    """Makes a node's feed say what the node knows. Make it with the node, before that starts."""

    def __init__(self, system: ActorSystem, scheduler: Scheduler) -> None:
        self._system = system
        self._node = system.node
        self._feed = system.node.feed
        self._started_at: float | None = None
        self._suspects: dict[NodeId, None] = {}
        self._draining: dict[NodeId, None] = {}
        self._neighbours: dict[str, None] = {}
        self._groups: dict[GroupId, str] = {}
        self._dropped = 0
        self._refused: dict[tuple[str, bool], int] = {}
        system.serve(EVENTS, self)
        system.on_cell_stopped.append(self._cell_stopped)
        if self._node.config.hosted_by:
            return  # a process for isolated work: of the cluster, its host tells
        directory = self._node.directory
        directory.on_up.append(self._up)
        directory.on_change.append(self._changed)
        directory.on_down.append(self._down)
        self._node.on_neighbours.append(self._neighbours_changed)
        self._node.on_given_up.append(lambda: self._feed.tell("node.given_up", self._me))
        self._node.on_left.append(lambda why: self._feed.tell("node.parted", self._me, why=why))
        self._node.on_sweep.append(self._sweep)
        scheduler.groups.on_record.append(self._group_changed)

    async def tail(self, peer: Any, query: dict[str, Any]) -> dict[str, Any]:
        """The newest rows that are all that is asked for; see `EventFeed.tail`. Raises ConfigError."""
        return self._feed.tail(query)

    def started(self) -> None:
        """The node is a member, or the first one."""
        self._started_at = self._system.loop.time()
        node = self._node
        facts = {"id": str(node.me), "address": node.address, "overlay": node.config.overlay}
        self._feed.tell(
            "node.started", self._me, **facts, pid=node.world.process_id(), version=partisan_actors.__version__
        )

    @property
    def _me(self) -> str:
        return self._system.me.name

    # ---- nodes ------------------------------------------------------------------------------------------------

    def _up(self, record: NodeRecord) -> None:
        if record.hosted_by or record.node == self._system.me or self._was_there(record.node):
            return
        address = record.addresses[0] if record.addresses else ""
        self._feed.tell("node.up", record.node.name, id=str(record.node), address=address)

    @property
    def _is_settled(self) -> bool:
        return self._started_at is not None and self._system.loop.time() - self._started_at > SETTLED_S

    def _was_there(self, node: NodeId) -> bool:
        return not self._is_settled and node.incarnation < self._system.me.incarnation

    def _changed(self, record: NodeRecord) -> None:
        node = record.node
        if record.hosted_by or node == self._system.me:
            return
        if (record.state == SUSPECT) != (node in self._suspects):
            if record.state == SUSPECT:
                self._suspects[node] = None
                by = ", ".join(record.suspected_by)
                self._feed.tell("node.suspected", node.name, id=str(node), by=by)
            else:
                del self._suspects[node]
                self._feed.tell("node.refuted", node.name, id=str(node))
        if record.draining != (node in self._draining):
            if record.draining:
                self._draining[node] = None
            else:
                del self._draining[node]
            self._feed.tell("node.draining" if record.draining else "node.undrained", node.name, id=str(node))

    def _down(self, record: NodeRecord, why: str) -> None:
        node = record.node
        self._suspects.pop(node, None)
        self._draining.pop(node, None)
        if record.hosted_by or self._node.is_closing or self._node.has_left:
            return  # who leaves has lost the others, and not they themselves
        kind = "node.left" if record.state == LEFT else "node.down"
        self._feed.tell(kind, node.name, id=str(node), why=why)

    def _neighbours_changed(self) -> None:
        if self._node.is_closing:
            return
        now = dict.fromkeys(node.name for node in self._node.neighbours())
        for kind, names in (
            ("overlay.linked", [name for name in now if name not in self._neighbours]),
            ("overlay.unlinked", [name for name in self._neighbours if name not in now]),
        ):
            for name in names:
                self._feed.tell(kind, name, node=self._me)
        self._neighbours = now

    # ---- actors and groups ------------------------------------------------------------------------------------

    def _cell_stopped(self, cell: Cell) -> None:
        end = kind_of(cell.reason)
        is_normal = end == "exited" and reason_of(cell.reason) == NORMAL
        if end in _QUIET_ENDS or is_normal:
            return
        kind = "actor.failed" if end in _FAILURES else "actor.ended"
        facts = {"what": str(cell), "class": cell.definition.interface.class_name, "end": end, "why": cell.reason}
        self._feed.tell(kind, str(cell.actor), **facts)

    def _group_changed(self, group: GroupId, record: GroupRecord | None) -> None:
        is_settled = self._is_settled or group in self._groups or group.node == self._system.me
        before = self._groups.pop(group, PENDING)
        if record is None:
            return
        if not record.is_over:
            self._groups[group] = record.state
        if record.state in (PENDING, before) or not is_settled:
            return  # of groups that there were before, a newcomer has nothing to tell
        more = {"why": record.why} if record.is_over else {"strategy": record.strategy}
        self._feed.tell(f"group.{record.state}", str(group), what=str(record), **more)

    # ---- what is counted --------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        total = self._system.recorder.dropped
        if total > self._dropped:
            self._feed.tell("exporter.dropped", self._me, dropped=total - self._dropped, total=total)
        self._dropped = total  # less than before where the recorder has begun anew
        for fact in self._node.refusals.facts():
            key, count = (fact["kind"], fact["after_handshake"]), fact["count"]
            before = self._refused.get(key, 0)
            if count > before and fact["kind"] != CLOSED:
                why = f"{fact['kind']}, at first: {fact['first']}"
                more = count - before
                self._feed.tell("connection.refused", self._me, reason=fact["kind"], count=more, why=why)
            self._refused[key] = count
