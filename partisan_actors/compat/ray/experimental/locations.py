"""`ray.experimental.locations`: where objects are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import partisan_actors as pa

__all__ = ["get_local_object_locations", "get_object_locations"]

_PATIENCE_S: Final = 10.0


def get_object_locations(obj_refs: Sequence[Any], timeout_ms: int = -1) -> dict[Any, dict[str, Any]]:
    """By ref: the ids of the nodes that hold its value, its size in bytes, and whether it is on disk only.

    Raises GetTimeoutError when the owners have not answered by then; below 0 that is ten seconds.
    """
    timeout_s = _PATIENCE_S if timeout_ms < 0 else timeout_ms / 1000
    found = pa.object_locations(obj_refs, timeout=timeout_s)
    return {
        ref: {
            "node_ids": [node.hex() for node in location.nodes],
            "object_size": location.size_bytes,
            "did_spill": location.is_spilled,
        }
        for ref, location in found.items()
    }


def get_local_object_locations(obj_refs: Sequence[Any]) -> dict[Any, dict[str, Any]]:
    """The same: owners are asked, and know."""
    return get_object_locations(obj_refs)
