"""`ray.experimental.queue`: where Ray's queue was once."""

from __future__ import annotations

from partisan_actors.compat.ray.util.queue import Empty, Full, Queue

__all__ = ["Empty", "Full", "Queue"]
