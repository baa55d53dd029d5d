"""What broadcasts cost in this cluster: by node, all together, and how deep the tree is that they take."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from partisan_actors.api.inspection import INSPECT, LIVE
from partisan_actors.dashboard.broadcast_cost import CONTROL, cost_of, depths_of, summed
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.measures import METRICS
from partisan_actors.dashboard.overlay_graph import tree_of
from partisan_actors.dashboard.paging import page, paging
from partisan_actors.dashboard.schemas import table

__all__ = ["BROADCAST_ENDPOINTS"]

_COLUMNS: Final = {
    "node": "text: the node",
    "delivered": "integer: broadcasts of others that arrived here",
    "delivered_per_s": "number?: how many a second, lately",
    "repeated": "integer: how often one of them came once more",
    "redundancy": "number?: how often, for each that was new: the paper's RMR",
    "lazy": "integer: announcements that arrived",
    "graft": "integer: requests for a payload, and for the link to be one of the tree",
    "prune": "integer: requests to be spared payloads over a link",
    "control_each": "number?: these three together, for each broadcast that was new",
    "hops_mean": "number?: over how many links a broadcast came, in the mean",
    "hops_max": "integer?: and at most",
    "eager": "integer?: neighbours to which it passes payloads on",
    "depth": "integer?: over how many links of the tree its own broadcasts reach everybody: the paper's LDH",
    "unreached": "integer?: nodes that the tree does not lead to",
}
_ALL: Final = {
    "links": "integer: links of the tree",
    "depth_min": "integer?: how deep the tree is below the node that is best off",
    "depth_max": "integer?: and below the one that is worst off",
    "lately": "number?: redundancy of what has arrived since somebody looked last",
    "totals": "object: what all have counted, how many came over how many links, and the measures of that",
}


async def broadcasts(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """What broadcasts have cost each node, and all of them."""
    counted, trees = await asyncio.gather(
        desk.watcher.survey(METRICS, "broadcasts"), desk.watcher.survey(INSPECT, "tree", None)
    )
    eager = {answer.name: [name for name, is_on in answer.value.items() if is_on] for answer in trees.answered}
    live = sorted(row["name"] for row in counted.rows if row["state"] in LIVE)
    tree = tree_of({answer.name: answer.value for answer in trees.answered})
    depths = depths_of(live, tree) if tree else {}
    now = desk.now()
    rows = []
    for answer in counted.answered:
        depth, unreached = depths.get(answer.name, (None, None))
        rows.append(
            {
                "node": answer.name,
                **{name: answer.value.get(name, 0) for name in ("delivered", "repeated", *CONTROL)},
                "delivered_per_s": desk.rates.of((answer.row["id"], "broadcasts"), answer.value["delivered"], now),
                **cost_of(answer.value),
                "eager": len(eager[answer.name]) if answer.name in eager else None,
                "depth": depth,
                "unreached": unreached,
            }
        )
    total = summed(answer.value for answer in counted.answered)
    known = [depth for depth, _ in depths.values()]
    return {
        **counted.facts(),
        "links": len(tree),
        "depth_min": min(known, default=None),
        "depth_max": max(known, default=None),
        "lately": _lately(desk, counted.cluster, total, now),
        "totals": {**total, **cost_of(total)},
        **page(rows, given),
    }


def _lately(desk: Desk, cluster: str, total: Mapping[str, Any], now: float) -> float | None:
    came = desk.rates.of((cluster, "broadcasts delivered"), total["delivered"], now)
    again = desk.rates.of((cluster, "broadcasts repeated"), total["repeated"], now)
    return again / came if came and again is not None else None


BROADCAST_ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/broadcasts",
        "What broadcasts cost: redundancy, control messages, hops, and how deep the tree is.",
        broadcasts,
        table(_COLUMNS, **_ALL),
        "overlay",
        paging(tuple(_COLUMNS), "node"),
    ),
)
