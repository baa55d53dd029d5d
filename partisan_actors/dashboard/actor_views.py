"""Actors, what keeps them waiting, and what was asked of the cluster and is not done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from partisan_actors.api.actor_rows import STATES, merge_rows
from partisan_actors.api.deadlock_rows import deadlocks_in
from partisan_actors.api.inspection import INSPECT
from partisan_actors.api.pending import PENDING_WORK
from partisan_actors.api.steering import STEERING
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.paging import page, paging
from partisan_actors.dashboard.parameters import Choice, Flag, Parameter, Text
from partisan_actors.dashboard.problems import Problem
from partisan_actors.dashboard.schemas import FACTS, array, record, table

__all__ = ["ACTOR", "ACTOR_ENDPOINTS", "actor_row"]

ACTOR: Final = Parameter("id", Text(200, 1), "The id of an actor, such as actor:node~1a/2.", in_path=True)

_ACTOR_COLUMNS: Final = {
    "id": "text: its id",
    "class": "text: its class",
    "name": "text?: its name, if it has one",
    "namespace": "text: where that name is its own",
    "node": "text: the node that tells of it",
    "state": "text: alive, stopping, starting, restarting, pending or stopped",
    "mailbox": "integer: how many messages wait",
    "processed": "integer: how many calls have ended",
    "calls_per_s": "number?: how many a second, lately",
    "wait_p95_s": "number?: 95 % of its calls that were timed waited in the mailbox no longer",
    "run_p95_s": "number?: 95 % of them ran no longer",
    "latency_p95_s": "number?: both together",
    "slowest_s": "number?: the longest that one of them waited and ran",
    "memory_bytes": "integer?: memory of its process, if it is isolated; others share theirs",
    "restarts": "integer: how often it was made again",
    "owner": "text?: the node whose end ends it",
    "reason": "text: why it has ended, or waits",
    "kind": "text: the kind of that end",
}
_GROUP_COLUMNS: Final = {
    "id": "text: its id",
    "name": "text: its name, or empty",
    "strategy": "text: how its bundles are spread",
    "state": "text: pending, created, removed or infeasible",
    "why": "text: why it is so",
    "owner": "text?: the node whose end ends it",
    "bundles": "list: the resources of each bundle",
    "nodes": "list: the node of each bundle, null for one that has none",
}
_PENDING_COLUMNS: Final = {
    "what": "text: the task or actor",
    "state": "text: what it does or waits for",
    "from": "text: the node that has submitted it",
    "reasons": "texts: one for each node or so",
}


async def _rows(desk: Desk) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    found = await desk.watcher.survey(INSPECT, "all_actors")
    return found.facts(), merge_rows((row for answer in found.answered for row in answer.value), {})


async def actors(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every actor, wherever it is; those that have ended only when they are asked for."""
    facts, rows = await _rows(desk)
    if not given["ended"] and given["state"] != "stopped":
        rows = [row for row in rows if row["state"] != "stopped"]
    now = desk.now()
    for row in rows:
        row["calls_per_s"] = desk.rates.of((row["id"], row["restarts"]), row["processed"], now)
    return {**facts, "classes": sorted({row["class"] for row in rows}), **page(rows, given, ("class", "node", "state"))}


async def actor_row(desk: Desk, actor: str) -> dict[str, Any]:
    """The row of one actor. Raises Problem when no node tells of it."""
    _, rows = await _rows(desk)
    for row in rows:
        if row["id"] == actor:
            return row
    raise Problem(404, f"no node tells of an actor {actor!r}: it never was, or has ended long ago")


async def actor(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """One actor, and what it is at, if it runs."""
    row = await actor_row(desk, given["id"])
    try:
        now = await desk.watcher.ask_node(row["node"], STEERING, "look", row["id"])
    except Problem:  # it has ended meanwhile, or its node does not answer: the row is what there is
        now = None
    return {"row": row, "now": now}


async def deadlocks(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Which calls wait for each other in a ring."""
    found = await desk.watcher.survey(INSPECT, "waits")
    return {**found.facts(), "rows": deadlocks_in(row for answer in found.answered for row in answer.value)}


async def groups(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every placement group that a node knows of."""
    found = await desk.watcher.survey(INSPECT, "groups")
    # All nodes know all groups; who has just joined may know less, so the latest row of each counts once.
    rows = {row["id"]: row for answer in found.answered for row in answer.value}
    return {**found.facts(), **page(rows.values(), given, ("state",))}


async def tasks(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Tasks and actors that were asked for and are not done, and what each waits for."""
    found = await desk.watcher.survey(PENDING_WORK, "all")
    rows = [{"from": answer.name, **row} for answer in found.answered for row in answer.value]
    return {**found.facts(), **page(rows, given, ("from",))}


ACTOR_ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/actors",
        "Every actor, wherever it is.",
        actors,
        table(_ACTOR_COLUMNS, classes="texts: the classes that there are"),
        "actors",
        (
            *paging(tuple(_ACTOR_COLUMNS), "class"),
            Parameter("class", Text(200), "Only actors of this class."),
            Parameter("node", Text(200), "Only actors of this node."),
            Parameter("state", Choice(STATES), "Only actors in this state."),
            Parameter("ended", Flag(), "Also those that have ended, of which each node remembers the last.", False),
        ),
    ),
    Endpoint(
        "/api/v1/actors/{id}",
        "One actor.",
        actor,
        record(
            {"row": record(_ACTOR_COLUMNS, needed=False), "now": "object?: what it is at; null when it does not run"}
        ),
        "actors",
        (ACTOR,),
        problems=(404,),
    ),
    Endpoint(
        "/api/v1/deadlocks",
        "Calls that wait for each other in a ring, for ever.",
        deadlocks,
        record(
            {
                **FACTS,
                "rows": array(
                    {
                        "calls": "list: the calls of the ring",
                        "waiting": "integer: how many more calls wait for these",
                        "text": "text: all of it, for people",
                    }
                ),
            }
        ),
        "actors",
    ),
    Endpoint(
        "/api/v1/groups",
        "Placement groups.",
        groups,
        table(_GROUP_COLUMNS),
        "actors",
        (
            *paging(("id", "name", "strategy", "state"), "id"),
            Parameter("state", Text(50), "Only groups in this state."),
        ),
    ),
    Endpoint(
        "/api/v1/tasks",
        "Tasks and actors that are not done, or have no place, and what they wait for.",
        tasks,
        table(_PENDING_COLUMNS),
        "actors",
        (
            *paging(("what", "state", "from"), "what"),
            Parameter("from", Text(200), "Only those that this node has submitted."),
        ),
    ),
)
