"""What users ask about the cluster: its nodes and its resources, as this process's node knows them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from partisan_actors.api import session
from partisan_actors.api.inspection import LIVE, node_row

__all__ = ["available_resources", "cluster_resources", "nodes"]


def nodes(*, processes: bool = False) -> list[dict[str, Any]]:
    """One row for every node this process knows of, ended ones too. Any thread may ask.

    A row has the keys name, id, state ("up", "suspect", "down" or "left"), addresses, host, pid, overlay, hosts_actors,
    resources, available, labels, actors, neighbours, suspected_by, draining, hosted_by and is_me. With `processes`
    there is a row for each process of isolated actors and tasks, too; its `hosted_by` names the node that has it.
    """
    system = session.system()
    records = [record for record in system.node.directory if processes or not record.hosted_by]
    return [node_row(record, system.me.name) for record in records]


def cluster_resources() -> dict[str, float]:
    """All that the nodes which are up, or suspect, offer: amounts by resource, memory in bytes. Any thread may ask."""
    return _sum("resources")


def available_resources() -> dict[str, float]:
    """What of `cluster_resources` is free, as this node has heard: some seconds ago, and a minute with many nodes.

    So work that fits may have to wait, and the other way round: the node that is asked decides.
    """
    return _sum("available")


def _sum(column: str) -> dict[str, float]:
    total: Counter[str] = Counter()
    for row in nodes():
        if row["state"] in LIVE:
            total.update(row[column])
    return {name: float(amount) for name, amount in sorted(total.items())}
