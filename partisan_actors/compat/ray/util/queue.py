"""`ray.util.queue`: the queue of this package, under Ray's path."""

from __future__ import annotations

from partisan_actors.util.queue import Empty, Full, Queue

__all__ = ["Empty", "Full", "Queue"]
