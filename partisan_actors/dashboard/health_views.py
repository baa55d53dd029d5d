"""Health, for probes: `/alive` says whether the loop of the node turns, `/ready` whether others can rely on it.

Both are about one node: the one that the dashboard runs beside, or else the first that it has found. They are answered
without a token, since probes have none, and tell no more than they need to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from partisan_actors.api.health import HEALTH
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.problems import Problem
from partisan_actors.dashboard.schemas import record

__all__ = ["HEALTH_ENDPOINTS"]


async def alive(desk: Desk, given: Mapping[str, Any]) -> Any:
    """200 when the node answers, 503 when it does not."""
    try:
        found = await desk.watcher.ask_home(HEALTH, "alive")
    except Problem as problem:
        raise Problem(503, "the node does not answer: its loop stands still, or it has ended") from problem
    return {"alive": True, "node": found["node"], "uptime_s": found["uptime_s"]}


async def ready(desk: Desk, given: Mapping[str, Any]) -> Any:
    """200 when the node is a member with neighbours enough, 503 with the reasons when it is not."""
    try:
        found = await desk.watcher.ask_home(HEALTH, "ready")
    except Problem as problem:
        raise Problem(503, "the node does not answer: its loop stands still, or it has ended") from problem
    if not found["ready"]:
        raise Problem(503, f"node {found['node']} is not ready: {'; '.join(found['why'])}")
    return found


HEALTH_ENDPOINTS: Final = (
    Endpoint(
        "/alive",
        "Whether the loop of the node turns.",
        alive,
        record({"alive": "flag: true", "node": "text: which node", "uptime_s": "number: for how long it has been up"}),
        "health",
        is_open=True,
        is_lenient=True,
        problems=(503,),
    ),
    Endpoint(
        "/ready",
        "Whether the node is joined, takes work, and has the neighbours that its overlay wants at least.",
        ready,
        record(
            {
                "ready": "flag: true",
                "node": "text: which node",
                "why": "texts: nothing",
                "neighbours": "integer: how many it has",
                "neighbours_min": "integer: how many it should have at least",
                "others": "integer: how many other nodes are up",
            }
        ),
        "health",
        is_open=True,
        is_lenient=True,
        problems=(503,),
    ),
)
