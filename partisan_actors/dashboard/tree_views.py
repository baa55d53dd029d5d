"""The tree of actors: who has made whom, whose end ends whom, and who makes whom again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from partisan_actors.api.actor_rows import INSPECT, merge_rows
from partisan_actors.api.actor_tree import actor_tree
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.parameters import Flag, Integer, Parameter, Text
from partisan_actors.dashboard.schemas import FACTS, array, record

__all__ = ["TREE_ENDPOINTS"]

LIMIT: Final = 2_000
LIMIT_MAX: Final = 20_000


async def tree(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """The actors of the cluster below whoever has made them; of too many, those that have ended are left out first."""
    found = await desk.watcher.survey(INSPECT, "all_actors")
    rows = merge_rows((row for answer in found.answered for row in answer.value), {})
    if not given["ended"]:
        rows = [row for row in rows if row["state"] != "stopped"]
    if given["node"] is not None:
        rows = [row for row in rows if given["node"] in (row["node"], (row["owner"] or "").partition("~")[0])]
    rows.sort(key=lambda row: row["state"] == "stopped")
    total, limit = len(rows), given["limit"]
    return {**found.facts(), "total": total, "cut": total > limit, "roots": actor_tree(rows[:limit])}


TREE_ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/tree",
        "Who has made whom, whose end ends whom, and who makes whom again.",
        tree,
        record(
            {
                **FACTS,
                "total": "integer: how many actors there are in all",
                "cut": "flag: whether some are left out",
                "roots": array(
                    {
                        "kind": "text: node, or detached for what nobody's end ends",
                        "label": "text: the node that owns what is below",
                        "states": "object: how many actors below are in which state",
                        "children": "list: actors, each with what is known of it, and children of its own",
                    }
                ),
            }
        ),
        "actors",
        (
            Parameter("node", Text(200), "Only actors that are on this node, or owned by it."),
            Parameter("ended", Flag(), "Also those that have ended, of which each node remembers the last.", False),
            Parameter("limit", Integer(1, LIMIT_MAX), "How many actors to tell at most.", LIMIT),
        ),
    ),
)
