"""`ray.experimental`: where objects are, bars of progress, and the queue under another name."""

from __future__ import annotations

from partisan_actors.compat.ray.absent import refuser_of
from partisan_actors.compat.ray.experimental import queue, tqdm_ray
from partisan_actors.compat.ray.experimental.locations import get_local_object_locations, get_object_locations

__all__ = ["get_local_object_locations", "get_object_locations", "queue", "tqdm_ray"]

__getattr__ = refuser_of("experimental")
