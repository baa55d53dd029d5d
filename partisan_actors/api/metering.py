"""What one node counts and measures, as plain data, for whoever asks: commands, the dashboard, exporters.

A counter counts from the start of the node's life; `process()` says which life that is.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from typing import Any, Final

import partisan_actors
from partisan_actors.actors.cell import Cell
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api.actor_rows import shown_state
from partisan_actors.api.metric_points import broadcast_row, call_points, channel_points, protocol_points, sent_points
from partisan_actors.objects.store import ObjectStore
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.tasks.executor import TaskExecutor
from partisan_actors.telemetry.histogram import merged
from partisan_actors.telemetry.meters import ASK, OTHERS, TASK, TELL
from partisan_actors.telemetry.metrics import Point, point
from partisan_actors.telemetry.user_metrics import UserMetrics

__all__ = ["METRICS_SERVICE", "ROWS_MAX", "Metering"]

METRICS_SERVICE: Final = "metrics"
# The most rows of one answer. Beyond, those with the least calls or bytes are one row together, named OTHERS.
ROWS_MAX: Final = 2000


class Metering:
    """Answers questions about what this node has counted."""

    def __init__(self, system: ActorSystem, scheduler: Scheduler, objects: ObjectStore, executor: TaskExecutor) -> None:
        self._system = system
        self._scheduler = scheduler
        self._objects = objects
        self._executor = executor
        self._started = time.monotonic()
        self._users = system.extensions["user_metrics"] = UserMetrics()
        system.serve(METRICS_SERVICE, self)

    async def snapshot(self, peer: Any = None) -> list[Point]:
        """A point for each value that this node has of each metric: ours, as tabled, then those of users' own."""
        process = await self.process(peer)
        return [*self._points(), *_process_points(process, self._role), *self._users.points()]

    async def methods(self, peer: Any = None) -> list[dict[str, Any]]:
        """A row for each method and each function of tasks that was called: calls, errors, how long they took."""
        rows = sorted(self._system.meters.rows(self._look().in_flight), key=lambda row: -row["calls"])
        return rows if len(rows) <= ROWS_MAX else [*rows[: ROWS_MAX - 1], _others(rows[ROWS_MAX - 1 :])]

    async def channels(self, peer: Any = None) -> list[dict[str, Any]]:
        """A row for each channel to each node with which it was used: what was sent, received, and waits."""
        rows: list[dict[str, Any]] = [
            {"channel": channel, "peer": other.node.name, **traffic.plain()}
            for channel, other, traffic in self._system.node.traffics.rows()
        ]
        rows.sort(key=lambda row: -(row["sent_bytes"] + row["received_bytes"]))
        if len(rows) <= ROWS_MAX:
            return rows
        rest = rows[ROWS_MAX - 1 :]
        sums = {name: sum(row[name] for row in rest) for name in rest[0] if name not in ("channel", "peer")}
        sums["oldest_wait_s"] = max(row["oldest_wait_s"] for row in rest)
        return [*rows[: ROWS_MAX - 1], {"channel": OTHERS, "peer": OTHERS, **sums}]

    async def broadcasts(self, peer: Any = None) -> dict[str, Any]:
        """What the broadcasts that arrived here have cost: payloads, those that came once more, control, and hops."""
        return broadcast_row(self._system.node)

    async def process(self, peer: Any = None) -> dict[str, Any]:
        """What the process of this node uses, and how late its loop is."""
        node = self._system.node
        # On a thread, for psutil takes a while to load, and the kernel to answer.
        used: dict[str, Any] = await node.loop.run_in_executor(None, _used)
        return {
            **used,
            "loop_lag": node.driver.counts.lag.plain(),
            "uptime_s": time.monotonic() - self._started,
            "version": partisan_actors.__version__,
            "python": sys.version.split()[0],
            "incarnation": node.me.incarnation,
        }

    @property
    def _role(self) -> str:
        config = self._system.node.config
        return "process" if config.hosted_by else "worker" if config.hosts_actors else "driver"

    def _look(self) -> _Look:
        look = _Look()
        for cell in self._system.local_cells():
            look.at(cell)
        for waiting in self._executor.running_tasks.values():
            look.in_flight[TASK, waiting.spec.name, TASK] += 1
        for spec in self._executor.waiting_tasks():
            look.in_flight[TASK, spec.name, TASK] += 1
        return look

    def _points(self) -> list[Point]:
        system, objects, look = self._system, self._objects, self._look()
        node, keeping = system.node, objects.keeping
        states = Counter(record.state_name for record in node.directory)
        placing = Counter(placing.spec.class_name for placing in self._scheduler.placing.values())
        found = call_points(system.meters, look.in_flight)
        found += sent_points(system.outbound.sent)
        found += [point("partisan.mailbox.size", size, name) for name, size in look.mailboxes.items()]
        found += [point("partisan.actor.count", count, *which) for which, count in look.actors.items()]
        restarts = Counter(dict.fromkeys((name for name, _ in look.actors), 0))
        restarts.update(self._scheduler.guardian.restarts_of)
        found += [point("partisan.actor.restarts", count, name) for name, count in restarts.items()]
        found += [point("partisan.actor.count", count, name, "pending") for name, count in placing.items()]
        found += channel_points(node.traffics)
        found += protocol_points(node)
        found += [point("partisan.cluster.nodes", count, state) for state, count in states.items()]
        return [
            *found,
            *(point("partisan.dead_letters", count, *which) for which, count in system.dead_letters.counts.items()),
            point("partisan.task.count", self._executor.running, "running"),
            point("partisan.task.count", self._executor.queued, "queued"),
            point("partisan.object_store.usage", keeping.bytes_used),
            point("partisan.object_store.limit", keeping.bytes_max),
            point("partisan.object_store.requests", objects.hits, "hit"),
            point("partisan.object_store.requests", objects.fetched, "miss"),
            point("partisan.object_store.requests", keeping.spilled_count, "spill"),
            point("partisan.object_store.requests", keeping.restored_count, "restore"),
            point("partisan.telemetry.dropped", system.recorder.dropped),
            point("partisan.telemetry.exported", system.recorder.exported),
            point("partisan.telemetry.export_failed", system.recorder.export_failed),
            point("partisan.node.up", 1),
        ]


class _Look:
    """What the actors of a node do at this moment."""

    def __init__(self) -> None:
        self.actors: Counter[tuple[str, str]] = Counter()
        self.mailboxes: Counter[str] = Counter()
        self.in_flight: Counter[tuple[str, str, str]] = Counter()

    def at(self, cell: Cell) -> None:
        name = cell.meters.name
        self.actors[name, shown_state(cell)] += 1
        waiting, running = ([], []) if cell.is_idle else (cell.waiting(), cell.running())
        self.mailboxes[name] += len(waiting)
        for message in (*waiting, *running):
            self.in_flight[name, message.method.name, TELL if message.number is None else ASK] += 1


def _used() -> dict[str, Any]:
    import psutil  # not above: a node that is not asked need not load it

    process = psutil.Process()
    times = os.times()
    return {
        "cpu_s": times.user + times.system,
        "cpu_user_s": times.user,
        "cpu_system_s": times.system,
        "rss_bytes": process.memory_info().rss,
        "fds": process.num_fds(),
        "threads": threading.active_count(),
    }


def _process_points(process: dict[str, Any], role: str) -> list[Point]:
    return [
        point("partisan.loop.lag", process["loop_lag"], role),
        point("process.cpu.time", process["cpu_user_s"], "user"),
        point("process.cpu.time", process["cpu_system_s"], "system"),
        point("process.memory.usage", process["rss_bytes"]),
        point("process.open_file_descriptor.count", process["fds"]),
        point("process.thread.count", process["threads"]),
        point("process.uptime", process["uptime_s"]),
    ]


def _others(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "class": OTHERS,
        "method": OTHERS,
        "kind": OTHERS,
        **{name: sum(row[name] for row in rows) for name in ("calls", "errors", "in_flight")},
        **{name: merged(row[name] for row in rows) for name in ("wait", "run")},
    }
