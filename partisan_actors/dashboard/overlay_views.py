"""The overlay: the picture of it, and the stream of what changes in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from partisan_actors.api.event_rows import merge_events
from partisan_actors.api.event_service import EVENTS
from partisan_actors.api.inspection import INSPECT, LIVE
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.overlay_graph import changes_between, graph_of
from partisan_actors.dashboard.overlay_past import MOMENTS_MAX, OF_THE_PAST, known_since, moments_of, picture_at
from partisan_actors.dashboard.parameters import Flag, Integer, Parameter, Text
from partisan_actors.dashboard.problems import Problem
from partisan_actors.dashboard.schemas import FACTS, array, record
from partisan_actors.dashboard.watching import Survey
from partisan_actors.telemetry.event_feed import ROWS_PER_KIND_MAX, TAIL_MAX

__all__ = ["OVERLAY_ENDPOINTS", "CHANGES_PERIOD_S", "changes"]

CHANGES_PERIOD_S: Final = 1.0
# How many events are asked for to go back in time, of all nodes together, and of each at least.
ROWS_MAX: Final = 50_000
ROWS_EACH_MIN: Final = 20
AT_MS_MAX: Final = 253_402_300_799_999  # the end of the year 9999
QUIET_S: Final = 10.0


async def overlay(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Who is whose neighbour, as every node says itself."""
    root, at_ms = given.get("root"), given.get("at_ms")
    if at_ms is not None:
        return await _as_it_was(desk, at_ms / 1000)
    if root is not None:
        await desk.watcher.row_of(root)
    views, ways = await asyncio.gather(desk.watcher.survey(INSPECT, "overlay"), desk.watcher.survey(INSPECT, "ways"))
    trees = await desk.watcher.survey(INSPECT, "tree", root) if given.get("tree", True) else None
    return {
        **views.facts(),
        "root": root,
        "at": None,
        **graph_of(views.rows, _values(views), _values(trees), _values(ways)),
    }


async def _as_it_was(desk: Desk, at: float) -> dict[str, Any]:
    views, (_, tails, _) = await asyncio.gather(desk.watcher.survey(INSPECT, "overlay"), _tails(desk))
    events = merge_events(row for rows in tails.values() for row in rows)
    return {**views.facts(), "root": None, "at": at, **picture_at(views.rows, _values(views), events, at)}


async def past(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """How far back the picture can be had, and when something has changed."""
    found, tails, limit = await _tails(desk)
    since = known_since(tails, limit, ROWS_PER_KIND_MAX)
    events = merge_events(row for rows in tails.values() for row in rows)
    moments = moments_of(row for row in events if since is None or row["time"] >= since)
    if len(moments) == MOMENTS_MAX:
        since = moments[0]["time"]
    return {**found.facts(), "since": since, "until": desk.now(), "moments": moments}


async def _tails(desk: Desk) -> tuple[Survey, dict[str, list[dict[str, Any]]], int]:
    """What each node remembers of the overlay, and how many rows it was asked for."""
    live = sum(row["state"] in LIVE for row in await desk.watcher.members())
    limit = max(ROWS_EACH_MIN, min(TAIL_MAX, ROWS_MAX // max(1, live)))
    found = await desk.watcher.survey(EVENTS, "tail", {"limit": limit, "kinds": list(OF_THE_PAST)})
    return found, {answer.name: answer.value["rows"] for answer in found.answered}, limit


async def changes(desk: Desk) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
    """A picture first, then one whenever it is another one, with what has changed; and a word when nobody answers.

    When nothing changes there is a word about that, too, every QUIET_S, so that a reader who has gone is noticed.
    """
    before: dict[str, Any] | None = None
    told_at = 0.0
    while True:
        try:
            now = await overlay(desk, {})
        except Problem as problem:
            told_at = desk.now()
            yield "problem", problem.plain()
        else:
            if now != before:
                told_at = desk.now()
                yield "overlay", {**now, "changes": changes_between(before, now) if before is not None else []}
                before = now
            elif abs(desk.now() - told_at) > QUIET_S:
                told_at = desk.now()
                yield "quiet", {}
        await asyncio.sleep(CHANGES_PERIOD_S)


def _values(survey: Survey | None) -> dict[str, Any]:
    return {answer.name: answer.value for answer in survey.answered} if survey is not None else {}


OVERLAY_ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/overlay",
        "Who is whose neighbour, the broadcast tree, and the ways through other nodes.",
        overlay,
        record(
            {
                **FACTS,
                "root": "text?: whose broadcasts the tree is for; null for the one that all share",
                "at": "number?: when this was, in seconds since 1970; null for now",
                "nodes": array(
                    {
                        "name": "text: its name",
                        "state": "text: up, suspect or down",
                        "host": "text: the machine it is on",
                        "overlay": "text: how it is connected",
                        "hosted_by": "text: the node whose process it is, or empty",
                        "draining": "flag: whether it takes no new work",
                        "actors": "integer: how many actors it runs",
                        "answered": "flag: whether it has told its neighbours itself",
                        "part": "integer?: in which of the parts it is; null when it is down",
                    }
                ),
                "links": array(
                    {
                        "from": "text: a node",
                        "to": "text: an active neighbour of it",
                        "mutual": "flag: whether both ends have it",
                    }
                ),
                "passive": "object: the passive neighbours of each node that has any",
                "tree": "list: pairs of nodes that pass broadcasts on to each other",
                "ways": "list: from, to, and through which neighbour, where messages go through the overlay",
                "parts": "list: which nodes reach each other over links; one list when there is no partition",
                "one_sided": "list: links that only one end has",
            }
        ),
        "overlay",
        (
            Parameter("root", Text(200, 1), "The node whose broadcasts the tree is for."),
            Parameter("tree", Flag(), "Whether to ask for the broadcast tree.", True),
            Parameter(
                "at_ms",
                Integer(0, AT_MS_MAX),
                "As it was then, in milliseconds since 1970: without tree, ways and passive neighbours.",
            ),
        ),
        problems=(404,),
    ),
    Endpoint(
        "/api/v1/overlay/past",
        "How far back the picture of the overlay can be had, and when something has changed.",
        past,
        record(
            {
                **FACTS,
                "since": "number?: from when on, in seconds since 1970; null when nothing has happened yet",
                "until": "number: now",
                "moments": array(
                    {
                        "time": "number: when",
                        "kind": "text: its kind",
                        "severity": "text: info, warning or error",
                        "about": "text: the node that it is about",
                        "text": "text: a sentence",
                    }
                ),
            }
        ),
        "overlay",
    ),
)
