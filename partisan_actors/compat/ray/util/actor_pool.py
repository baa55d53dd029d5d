"""`ray.util.actor_pool`: the pool of this package, under Ray's path."""

from __future__ import annotations

from partisan_actors.util.actor_pool import ActorPool

__all__ = ["ActorPool"]
