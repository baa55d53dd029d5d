"""`ray.nodes` and the resources of the cluster, in Ray's rows and by Ray's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import partisan_actors as pa
from partisan_actors.compat.ray.identity import to_hex

__all__ = ["available_resources", "cluster_resources", "in_rays_names", "nodes"]

_NAMES: Final = {"num_cpus": "CPU", "num_gpus": "GPU"}


def nodes() -> list[dict[str, Any]]:
    """A row for each node that has ever offered a place for work, as far as this one knows."""
    return [_row(row) for row in pa.nodes() if row["hosts_actors"]]


def cluster_resources() -> dict[str, float]:
    """What all nodes offer; and 1.0 for the address of each, as Ray has it, which nothing can ask for."""
    return {**in_rays_names(pa.cluster_resources()), **_addresses()}


def available_resources() -> dict[str, float]:
    """What of it is free, some seconds old at most."""
    free = {name: amount for name, amount in in_rays_names(pa.available_resources()).items() if amount}
    return {**free, **_addresses()}


def _addresses() -> dict[str, float]:
    return {f"node:{row['NodeManagerAddress']}": 1.0 for row in nodes() if row["Alive"]}


def in_rays_names(resources: Mapping[str, float]) -> dict[str, float]:
    """These amounts by the names that Ray has for them."""
    return {_NAMES.get(name, name): amount for name, amount in resources.items()}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    is_alive = row["state"] in ("up", "suspect")
    host, _, port = row["addresses"][0].rpartition(":") if row["addresses"] else ("", "", "0")
    return {
        "NodeID": to_hex(row["id"]),
        "Alive": is_alive,
        "alive": is_alive,
        "NodeManagerAddress": host,
        "NodeManagerHostname": row["host"],
        "NodeManagerPort": int(port),
        "NodeName": row["name"],
        "DeathReason": 0 if is_alive else 1,
        "DeathReasonMessage": "" if is_alive else f"the node is {row['state']}",
        "Resources": in_rays_names(row["resources"]) if is_alive else {},
        "Labels": {**row["labels"], "ray.io/node-id": to_hex(row["id"])},
    }
