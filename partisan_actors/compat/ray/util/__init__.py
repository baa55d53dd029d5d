"""`ray.util`: pools, a queue, placement groups, and what else Ray has there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import partisan_actors as pa
import partisan_actors.util as ours
from partisan_actors import list_named_actors
from partisan_actors.compat.ray.util import metrics, multiprocessing, queue, scheduling_strategies, state
from partisan_actors.compat.ray.util.actor_pool import ActorPool
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
    "as_completed",
    "deregister_serializer",
    "get_current_placement_group",
    "get_node_ip_address",
    "get_placement_group",
    "inspect_serializability",
    "list_named_actors",
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


def as_completed(refs: Sequence[Any], *, chunk_size: int = 10, yield_obj_refs: bool = False) -> Iterator[Any]:
    """The values of refs as they are ready, or the refs. `chunk_size` is not looked at."""
    for ref in pa.as_completed(refs):
        yield ref if yield_obj_refs else pa.get(ref)


def map_unordered(
    fn: Any, items: Iterable[Any], *, backpressure_size: int = 100, chunk_size: int = 10
) -> Iterator[Any]:
    """The results of ``fn.remote(item)`` as they are ready, so many calls at once. `chunk_size` is not looked at."""
    return ours.map_unordered(fn, items, at_once=backpressure_size)


def get_node_ip_address() -> str:
    """Where the node of this process listens."""
    (row,) = [row for row in pa.nodes(processes=True) if row["is_me"]]
    host, _, _ = row["addresses"][0].rpartition(":")
    return str(host)
