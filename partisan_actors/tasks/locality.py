"""Where a task's large arguments are, so that it can go there instead of having them sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from partisan_actors.ids import NodeId
from partisan_actors.node.directory import Directory
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.objects.store import ObjectStore

__all__ = ["LARGE_BYTES", "argument_bytes", "nearest"]

LARGE_BYTES: Final = 100 * 1024
"""What is smaller is sent along without a thought."""


def argument_bytes(store: ObjectStore, directory: Directory, refs: Iterable[ObjectRef[Any]]) -> Counter[NodeId]:
    """How many bytes of the large ones among these refs each node has, or a node of the same host, which shares memory.

    Counts what is ready, as far as this node knows without asking. From the loop.
    """
    found: Counter[NodeId] = Counter()
    for ref in refs:
        place = store.whereabouts(ref) if ref.done() else None
        if place is None or place.size_bytes < LARGE_BYTES:
            continue
        records = map(directory.find, place.nodes)
        hosts = {record.host for record in records if record is not None and record.host}
        for record in directory.live():
            if record.host in hosts or record.node in place.nodes:
                found[record.node] += place.size_bytes
    return found


def nearest(found: Mapping[NodeId, int]) -> frozenset[NodeId]:
    """The nodes that have the most."""
    most = max(found.values(), default=0)
    return frozenset(node for node, size in found.items() if size == most) if most else frozenset()
