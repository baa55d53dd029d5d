"""Placement groups by Ray's names: bundles have "CPU" and "GPU"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import partisan_actors as pa
from partisan_actors import PlacementGroup, get_current_placement_group
from partisan_actors.compat.ray.absent import refuse, refuse_members, refuser_of
from partisan_actors.compat.ray.cluster import in_rays_names
from partisan_actors.compat.ray.identity import to_hex
from partisan_actors.compat.ray.lifecycle import ensure_session

__all__ = [
    "PlacementGroup",
    "get_current_placement_group",
    "get_placement_group",
    "placement_group",
    "placement_group_table",
    "remove_placement_group",
]

__getattr__ = refuser_of("util.placement_group")
refuse_members(PlacementGroup, "PlacementGroup")

_OURS: Final = {"CPU": "num_cpus", "GPU": "num_gpus"}
# What Ray has one word for.
_STATES: Final = {"lost": "REMOVED", "infeasible": "PENDING"}


def placement_group(
    bundles: Sequence[Mapping[str, float]],
    strategy: str | None = None,
    name: str = "",
    lifetime: str | None = None,
    _soft_target_node_id: str | None = None,
    bundle_label_selector: Sequence[Mapping[str, str]] | None = None,
    topology_strategy: object = None,
) -> PlacementGroup:
    """Reserve bundles, all or none. Returns at once; `ready()` is a ref, `wait()` blocks. Raises ValueError."""
    if not isinstance(bundles, Sequence) or not all(isinstance(bundle, Mapping) for bundle in bundles):
        raise ValueError(f"bundles must be a list of maps from resources to amounts, not {bundles!r}")
    if _soft_target_node_id is not None or topology_strategy is not None:
        refuse("_soft_target_node_id or topology_strategy of placement_group", "say bundle_label_selector")
    ensure_session()
    amounts = [{_OURS.get(key, key): amount for key, amount in bundle.items()} for bundle in bundles]
    made = pa.placement_group(amounts, strategy or "PACK", name, lifetime, bundle_label_selector)
    made.bundle_specs = [dict(bundle) for bundle in bundles]
    return made


def remove_placement_group(placement_group: PlacementGroup) -> None:
    """Give its bundles back; what runs in them ends."""
    pa.remove_placement_group(placement_group)


def get_placement_group(placement_group_name: str) -> PlacementGroup:
    """The group of that name. Raises ValueError when there is none."""
    return pa.get_placement_group(placement_group_name)


def placement_group_table(placement_group: PlacementGroup | None = None) -> dict[str, Any]:
    """The row of a group, or of all by their ids."""
    if placement_group is not None:
        return _row(pa.placement_group_table(placement_group))
    return {to_hex(group): _row(row) for group, row in pa.placement_group_table().items()}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    if not row:
        return {}
    bundles = {index: in_rays_names(bundle) for index, bundle in row["bundles"].items()}
    places = {index: node and to_hex(node) for index, node in row["bundles_to_node_id"].items()}
    return {
        **row,
        "placement_group_id": to_hex(row["placement_group_id"]),
        "bundles": bundles,
        "bundles_to_node_id": places,
        "state": _STATES.get(row["state"], row["state"].upper()),
        "stats": {"scheduling_state": row["why"] or row["state"].upper()},
    }
