"""What one node tells about itself to whoever asks: commands, tests, and `partisan_actors.nodes()`."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.waits import Waits
from partisan_actors.api.actor_rows import INSPECT, ActorRows
from partisan_actors.api.task_rows import finished_rows, task_rows
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.overlays import shared_options
from partisan_actors.objects.store import ObjectStore
from partisan_actors.scheduler.groups_record import GroupRecord
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.tasks.executor import TaskExecutor
from partisan_actors.tasks.submit import TaskSubmitter

__all__ = ["INSPECT", "LIVE", "Inspection", "node_row"]

# The states in which a node counts: a suspect does, until it is known to be down.
LIVE: Final = ("up", "suspect")
# How many rows one answer has at most, where there could be any number.
ROWS_MAX: Final = 1000


def node_row(record: NodeRecord, me: str) -> dict[str, Any]:
    """One node as a plain row, for people and programs."""
    return {
        "name": record.node.name,
        "id": str(record.node),
        "state": record.state_name,
        "addresses": list(record.addresses),
        "host": record.host,
        "pid": record.pid,
        "overlay": record.overlay,
        "hosts_actors": record.hosts_actors,
        "resources": dict(record.total),
        "available": dict(record.available),
        "labels": dict(record.labels),
        "actors": record.actors,
        "neighbours": list(record.neighbours),
        "suspected_by": list(record.suspected_by),
        "draining": record.draining,
        "hosted_by": record.hosted_by,
        "is_me": record.node.name == me,
    }


def _group_row(record: GroupRecord) -> dict[str, Any]:
    return {
        "id": str(record.group),
        "name": record.name,
        "strategy": record.strategy,
        "state": record.state,
        "why": record.why,
        "owner": str(record.owner) if record.owner is not None else None,
        "bundles": [bundle.plain() for bundle in record.bundles],
        "nodes": [host.name if host is not None else None for host in record.hosts],
    }


class Inspection:
    """Answers questions about this node. Every answer is plain data."""

    def __init__(
        self,
        system: ActorSystem,
        scheduler: Scheduler,
        objects: ObjectStore,
        executor: TaskExecutor,
        submitter: TaskSubmitter,
    ) -> None:
        self._submitter = submitter
        self._system = system
        self._scheduler = scheduler
        self._objects = objects
        self._executor = executor
        self._actor_rows = ActorRows(system, scheduler)
        self._waits = Waits(system)
        self._started = time.monotonic()
        system.serve(INSPECT, self)

    async def nodes(self, peer: Any) -> list[dict[str, Any]]:
        """Every node that this one knows of, up or not."""
        return [node_row(record, self._system.me.name) for record in self._system.node.directory]

    async def views(self, peer: Any) -> dict[str, list[str]]:
        """This node's views of the overlay."""
        return {
            name: [getattr(node, "name", str(node)) for node in view]
            for name, view in self._system.node.driver.stack.views.items()
        }

    async def overlay(self, peer: Any) -> dict[str, Any]:
        """This node's neighbours, whatever the overlay calls them, and its views."""
        return {"neighbours": [node.name for node in self._system.node.neighbours()], "views": await self.views(peer)}

    async def ways(self, peer: Any) -> dict[str, str | None]:
        """The nodes that this one talks with through the overlay, and through which neighbour; None: by a flood."""
        ways = self._system.node.relays.ways()
        return {node.name: None if hop is None else hop.name for node, hop in ways.items()}

    async def tree(self, peer: Any, root: str | None = None) -> dict[str, bool]:
        """This node's neighbours by name, and whether each is eager in the broadcast tree of the node `root`."""
        node = self._system.node
        record = node.directory.records.get(root) if root is not None else None
        links = node.driver.stack.broadcasting.links(record.node if record is not None else None)
        return {getattr(neighbour, "name", str(neighbour)): is_eager for neighbour, is_eager in links.items()}

    async def actors(self, peer: Any) -> list[dict[str, Any]]:
        """The actors of this node."""
        return self._actor_rows.running()

    async def all_actors(self, peer: Any) -> list[dict[str, Any]]:
        """These, those that it is to find a place for, and the last that have ended here."""
        return self._actor_rows.all()

    async def dead_letters(self, peer: Any) -> dict[str, Any]:
        """How many messages have reached nobody here, in all and by reason, and the last of them, the latest first.

        What one held is not told, but whether it is kept, to be sent again.
        """
        letters = self._system.dead_letters
        rows = [letter.plain() for letter in reversed(letters.last)]
        return {"count": letters.count, "reasons": dict(letters.by_reason), "rows": rows}

    async def tasks(self, peer: Any) -> list[dict[str, Any]]:
        """The tasks that it has submitted, or has taken, and that are not done: the first TASK_ROWS_MAX."""
        return task_rows(self._system, self._submitter, self._executor)

    async def all_tasks(self, peer: Any) -> list[dict[str, Any]]:
        """The same, and the last that it has submitted and that are done."""
        return await self.tasks(peer) + finished_rows(self._system, self._submitter)

    async def groups(self, peer: Any) -> list[dict[str, Any]]:
        """The placement groups that this node knows of: the first ROWS_MAX, in the order of their ids."""
        return [_group_row(record) for record in self._scheduler.groups.all()[:ROWS_MAX]]

    async def process_told(self, peer: Any, text: str) -> None:
        """A process of this node tells of the end of its actor, as a row in JSON."""
        if self._system.node.directory.keeper(peer.node) == self._system.me:
            self._actor_rows.told(json.loads(text))

    async def waits(self, peer: Any) -> list[dict[str, Any]]:
        """The calls of its actors, and what each waits for."""
        return [asdict(call) for call in self._waits.calls()]

    async def status(self, peer: Any) -> dict[str, Any]:
        """This node in numbers."""
        node = self._system.node
        return {
            "node": node.me.name,
            "id": str(node.me),
            "cluster": node.cluster,
            "address": node.address,
            "overlay": node.config.overlay,
            "overlay_options": shared_options(node.config),
            "broadcast": node.config.broadcast,
            "broadcast_options": dict(node.config.broadcast_options),
            "channels": {name: asdict(options) for name, options in node.config.channels.items()},
            "session_resume_s": node.config.session_resume_s,
            "checksums": node.config.checksums,
            "delivery": node.config.delivery.plain(),
            "object_store_bytes_max": node.config.object_store_bytes_max,
            "spill_dir": node.config.spill_dir,
            "shared_memory": node.config.shared_memory,
            "namespace": node.config.namespace,
            "pid": os.getpid(),
            "python": sys.version.split()[0],
            "uptime_s": round(time.monotonic() - self._started, 1),
            "actors": len(self._system.local_cells()),
            "tasks_running": self._executor.running,
            "tasks_queued": self._executor.queued,
            "tasks_finished": self._executor.finished,
            "objects_lent": self._objects.lent_count,
            "connected_peers": sum(
                other.is_connected and not other.is_observer for other in node.router.peers.values()
            ),
            "dead_letters": self._system.dead_letters.count,
            "dropped_records": self._system.recorder.dropped,
            "refused_connections": node.refused_connections,
            "broken_connections": node.broken_connections,
            "resumed_lanes": node.sessions.resumed,
            "stalled_connections": node.keep_alive.one_way.cut_count,
            "damaged_frames": node.sessions.damaged_frames,
            "compression": node.dialling.compression_facts(),
            "refusals": node.refusals.facts(),
            "troubles": node.troubles.facts(),
            "tracing": self._system.recorder.facts(),
            "insecure": node.config.takes_anybody,
            "fault_rules": self._fault_rules(),
            "tls": node.credentials.facts() if node.credentials is not None else None,
            "restarts": self._scheduler.guardian.restarts,
            "guarded": self._scheduler.guardian.record_count,
            "reconciled": self._scheduler.guardian.reconciled,
            "total": self._scheduler.room.pool.total.plain(),
            "available": self._scheduler.room.pool.available.plain(),
        }

    def _fault_rules(self) -> int:
        drills = self._system.extensions.get("faults")
        return len(drills.interception) if drills is not None else 0
