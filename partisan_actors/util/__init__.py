"""What stands on the face and could be a user's own: pools, a queue, an executor. Above `api`, by public names only."""

from __future__ import annotations

from partisan_actors.util.actor_pool import ActorPool
from partisan_actors.util.executor import ClusterExecutor
from partisan_actors.util.map_unordered import map_unordered
from partisan_actors.util.queue import Empty, Full, Queue
from partisan_actors.util.serializability import Unserializable, inspect_serializability
from partisan_actors.util.supervision import Child
from partisan_actors.util.supervisor import Supervisor

__all__ = [
    "ActorPool",
    "Child",
    "ClusterExecutor",
    "Empty",
    "Full",
    "Queue",
    "Supervisor",
    "Unserializable",
    "inspect_serializability",
    "map_unordered",
]
