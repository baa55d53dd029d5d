"""The overlay: the picture of it, and the stream of what changes in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from partisan_actors.api.inspection import INSPECT
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.overlay_graph import changes_between, graph_of
from partisan_actors.dashboard.parameters import Flag, Parameter, Text
from partisan_actors.dashboard.problems import Problem
from partisan_actors.dashboard.schemas import FACTS, array, record
from partisan_actors.dashboard.watching import Survey

__all__ = ["OVERLAY_ENDPOINTS", "CHANGES_PERIOD_S", "changes"]

CHANGES_PERIOD_S: Final = 1.0
QUIET_S: Final = 10.0


async def overlay(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Who is whose neighbour, as every node says itself."""
    root = given.get("root")
    if root is not None:
        await desk.watcher.row_of(root)
    views, ways = await asyncio.gather(desk.watcher.survey(INSPECT, "overlay"), desk.watcher.survey(INSPECT, "ways"))
    trees = await desk.watcher.survey(INSPECT, "tree", root) if given.get("tree", True) else None
    return {**views.facts(), "root": root, **graph_of(views.rows, _values(views), _values(trees), _values(ways))}


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
        ),
        problems=(404,),
    ),
)
