"""`ray.util`: pools, a queue, placement groups, and what else Ray has there."""

from __future__ import annotations

import partisan_actors as pa
from partisan_actors import list_named_actors
from partisan_actors.compat.ray.absent import refuser_of
from partisan_actors.compat.ray.util import accelerators, metrics, multiprocessing, queue, scheduling_strategies, state
from partisan_actors.compat.ray.util.actor_pool import ActorPool
from partisan_actors.compat.ray.util.completing import as_completed, map_unordered
from partisan_actors.compat.ray.util.debug import disable_log_once_globally, enable_periodic_logging, log_once
from partisan_actors.compat.ray.util.placement_group import (
    get_current_placement_group,
    get_placement_group,
    placement_group,
    placement_group_table,
    remove_placement_group,
)
from partisan_actors.compat.ray.util.serialization import deregister_serializer, register_serializer
from partisan_actors.util import inspect_serializability

__all__ = [
    "ActorPool",
    "accelerators",
    "as_completed",
    "deregister_serializer",
    "disable_log_once_globally",
    "enable_periodic_logging",
    "get_current_placement_group",
    "get_node_ip_address",
    "get_placement_group",
    "inspect_serializability",
    "list_named_actors",
    "log_once",
    "map_unordered",
    "metrics",
    "multiprocessing",
    "placement_group",
    "placement_group_table",
    "queue",
    "register_serializer",
    "remove_placement_group",
    "scheduling_strategies",
    "state",
]


__getattr__ = refuser_of("util")


def get_node_ip_address(address: str | None = None) -> str:
    """Where the node of this process listens. `address` is not looked at."""
    (row,) = [row for row in pa.nodes(processes=True) if row["is_me"]]
    host, _, _ = row["addresses"][0].rpartition(":")
    return str(host)
