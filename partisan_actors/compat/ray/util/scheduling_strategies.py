"""Ray's classes for where work is placed; each knows the placement that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import partisan_actors as pa
from partisan_actors import DoesNotExist, Exists, In, NotIn
from partisan_actors.compat.ray.identity import from_hex
from partisan_actors.compat.ray.strategies import Strategy

__all__ = [
    "DoesNotExist",
    "Exists",
    "In",
    "NodeAffinitySchedulingStrategy",
    "NodeLabelSchedulingStrategy",
    "NotIn",
    "PlacementGroupSchedulingStrategy",
]


@dataclass(frozen=True)
class PlacementGroupSchedulingStrategy(Strategy):
    """In a placement group: in its bundle of that index, or in any (-1)."""

    placement_group: Any
    placement_group_bundle_index: int = -1
    placement_group_capture_child_tasks: bool | None = None

    def placement(self) -> pa.InPlacementGroup:
        captures = bool(self.placement_group_capture_child_tasks)
        return pa.InPlacementGroup(self.placement_group, self.placement_group_bundle_index, captures)


@dataclass(frozen=True)
class NodeAffinitySchedulingStrategy(Strategy):
    """On the node of that id, or when `soft`, elsewhere if it cannot be there."""

    node_id: str
    soft: bool

    def placement(self) -> pa.NodeAffinity:
        return pa.NodeAffinity(from_hex(self.node_id), self.soft)


@dataclass(frozen=True)
class NodeLabelSchedulingStrategy(Strategy):
    """On a node with such labels: those that it must have, and those that it had better have."""

    hard: Mapping[str, Any] | None = None
    soft: Mapping[str, Any] | None = field(default=None, kw_only=True)

    def placement(self) -> pa.NodeLabels:
        return pa.NodeLabels(dict(self.hard or {}), dict(self.soft or {}))
