"""What one node tells of its actors: those that run, wait for a place, are restarted, and the last that have ended."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from partisan_actors.actors.cell import ALIVE, FINISHING, STARTING, Cell
from partisan_actors.actors.options import CellOptions
from partisan_actors.actors.reasons import kind_of
from partisan_actors.actors.refusing import STOPPING
from partisan_actors.actors.signals import SERVICE, Signals
from partisan_actors.actors.system import ActorSystem
from partisan_actors.ids import ActorId
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.scheduler.spec import ActorSpec
from partisan_actors.telemetry.actor_times import NOT_TIMED

__all__ = ["ENDED_MAX", "INSPECT", "STATES", "ActorRows", "merge_rows", "shown_state"]

# The service that tells these rows.
INSPECT: Final = "inspect"

# How many links, and how many monitors, of one actor are told.
TIES_SHOWN_MAX: Final = 20
# How many ends a node remembers for this.
ENDED_MAX: Final = 1000
PENDING: Final = "pending"
RESTARTING: Final = "restarting"
STOPPED: Final = "stopped"
# In the order in which one row of an actor is preferred to another one, which another node tells.
STATES: Final = (ALIVE, "stopping", STARTING, RESTARTING, PENDING, STOPPED)

_SHOWN: Final = {STARTING: STARTING, ALIVE: ALIVE, FINISHING: "stopping", STOPPING: "stopping"}


class ActorRows:
    """Those of one node. Make it with the node: what ended before is not known to it."""

    def __init__(self, system: ActorSystem, scheduler: Scheduler) -> None:
        self._system = system
        self._scheduler = scheduler
        # Whether this process is for one actor, whose memory is that of the process then.
        self._is_alone = bool(system.node.config.hosted_by)
        self._signals: Signals | None = system.extensions.get(SERVICE)
        self._ended: deque[dict[str, Any]] = deque(maxlen=ENDED_MAX)
        system.on_cell_stopped.append(self._cell_stopped)
        scheduler.isolated.on_ended.append(self._process_ended)

    def running(self) -> list[dict[str, Any]]:
        """The actors of this node."""
        return [self._of_cell(cell, shown_state(cell)) for cell in self._system.local_cells()]

    def all(self) -> list[dict[str, Any]]:
        """These, and those that this node is to find a place for, and those that have ended here, the latest first."""
        waiting = [self._of_spec(placing.spec) for placing in self._scheduler.placing.values()]
        return [*self.running(), *waiting, *reversed(self._ended)]

    def _cell_stopped(self, cell: Cell) -> None:
        row = self._of_cell(cell, STOPPED)
        self._ended.append(row)
        host = self._system.node.directory.keeper(self._system.me)
        if host is not None:  # this is a process for that actor alone, and ends with it: its host remembers
            self._system.notify(host, INSPECT, "process_told", json.dumps(row))

    def told(self, row: dict[str, Any]) -> None:
        """A process of this node tells of the end of its actor."""
        self._ended.append(row)

    def _process_ended(self, spec: ActorSpec, why: str) -> None:
        """One that has not told of it has crashed."""
        known = next((row for row in reversed(self._ended) if row["id"] == str(spec.actor)), None)
        if known is None or known["restarts"] < spec.life:
            self._ended.append(self._of_spec(spec, STOPPED, why))

    def _of_cell(self, cell: Cell, state: str) -> dict[str, Any]:
        options = cell.options
        class_name = cell.definition.interface.class_name
        row = self._row(cell.actor, class_name, options, state, options.life, cell.reason)
        ties = self._signals.watching.of(cell.actor) if self._signals is not None else []
        return {
            **row,
            "mailbox": cell.mailbox_size,
            "processed": cell.processed,
            **(NOT_TIMED if cell.times is None else cell.times.figures()),
            "memory_bytes": _resident_bytes() if self._is_alone and state != STOPPED else None,
            "held_by": [str(node) for node in self._scheduler.scope.holders.of(cell.actor)],
            "guardians": [node.name for node in self._scheduler.guardian.guardians_of(cell.actor)],
            "links": [str(tie.subject) for tie in ties if tie.is_link][:TIES_SHOWN_MAX],
            "monitors": [str(tie.subject) for tie in ties if not tie.is_link][:TIES_SHOWN_MAX],
        }

    def _of_spec(
        self, spec: ActorSpec, state: str = "", why: str = "it waits for a node that takes it"
    ) -> dict[str, Any]:
        state = state or (RESTARTING if spec.life else PENDING)
        return self._row(spec.actor, spec.class_name, spec, state, spec.life, why)

    def _row(
        self, actor: ActorId, class_name: str, made: CellOptions | ActorSpec, state: str, life: int, reason: str
    ) -> dict[str, Any]:
        is_over = state in (STOPPED, "stopping")
        return {
            "id": str(actor),
            "class": class_name,
            "name": made.name,
            "namespace": made.namespace,
            "node": self._system.me.name,
            "state": state,
            "reason": reason,
            "kind": kind_of(reason) if is_over else "",
            "mailbox": 0,
            "processed": 0,
            **NOT_TIMED,
            "memory_bytes": None,
            "restarts": life,
            "owner": str(made.owner) if made.owner is not None else None,
            "held_by": [],
            "made_by": made.made_by,
            "max_restarts": made.max_restarts,
            "guardians": [],
            "links": [],
            "monitors": [],
        }


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:  # not on Linux; there it is read by itself, because loading psutil would hold the actor up
        import psutil

        return int(psutil.Process().memory_info().rss)
    return pages * os.sysconf("SC_PAGE_SIZE")


def shown_state(cell: Cell) -> str:
    """The state of an actor of this node, as one of STATES."""
    return _SHOWN.get(cell.state, cell.state)


def merge_rows(rows: Iterable[Mapping[str, Any]], wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each actor, of those that several nodes tell of one, that has everything `wanted` has.

    A later life is preferred, then the state that comes first in STATES.
    """
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = best.get(row["id"])
        if known is None or _rank(row) < _rank(known):
            best[row["id"]] = dict(row)
    found = [row for row in best.values() if all(row[column] == value for column, value in wanted.items())]
    return sorted(found, key=lambda row: (row["class"], row["node"], row["id"]))


def _rank(row: Mapping[str, Any]) -> tuple[bool, int, int]:
    # Of an actor that has ended somewhere, and lives elsewhere, the end is not the news.
    return row["state"] == STOPPED, -row["restarts"], STATES.index(row["state"])
