"""What a node's record tells of its load: what it has, what of that is free, and how busy it is."""

from __future__ import annotations

from typing import Any

from partisan_actors.actors.system import ActorSystem
from partisan_actors.scheduler.processes import Processes
from partisan_actors.scheduler.room import Room

__all__ = ["describe_load"]


def describe_load(system: ActorSystem, room: Room, processes: Processes) -> dict[str, Any]:
    """For the record of this node; a process that it has counts as one busy actor."""
    cells = system.local_cells()
    busy = sum(1 for cell in cells if cell.is_thread_busy or cell.stepper.active)
    return {
        "total": room.pool.total.plain(),
        "available": room.pool.available.plain(),
        "held": room.pool.held_for_life.plain(),
        "actors": len(cells),
        "draining": room.is_closed,
        "load": float(busy + len(processes.running)),
    }
