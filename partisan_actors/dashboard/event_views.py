"""What has happened in the cluster: the newest events of all nodes, and the stream of those that come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from partisan_actors.api.event_rows import Merging, merge_events
from partisan_actors.api.event_service import EVENTS
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.parameters import Choice, Integer, Parameter, Text
from partisan_actors.dashboard.problems import Problem
from partisan_actors.dashboard.schemas import FACTS, array, record
from partisan_actors.telemetry.event_feed import TAIL_MAX
from partisan_actors.telemetry.event_kinds import KINDS, SEVERITIES

__all__ = ["EVENTS_PERIOD_S", "EVENT_ENDPOINTS", "happenings"]

EVENTS_PERIOD_S: Final = 1.0
QUIET_S: Final = 10.0
LIMIT: Final = 200
# How many rows of each node the stream looks at; of a node that tells more than that in a second, the newest are seen.
STREAMED: Final = 100

_WORDS: Final = tuple(dict.fromkeys(word for name in KINDS for word in (name.partition(".")[0], name)))


async def events(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """The newest events of every node that are all that is asked for, those that many have seen once."""
    query = {
        "limit": given["limit"],
        "kinds": [given["kind"]] if given["kind"] else [],
        "severity": given["severity"],
        "about": given["about"] or "",
        "text": given["q"] or "",
    }
    found = await desk.watcher.survey(EVENTS, "tail", query)
    wanted = given["node"]
    answers = [answer for answer in found.answered if wanted is None or answer.name == wanted]
    rows = merge_events(row for answer in answers for row in answer.value["rows"])
    is_cut = len(rows) > given["limit"]
    return {**found.facts(), "cut": is_cut, "rows": rows[-given["limit"] :]}


async def happenings(desk: Desk) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
    """What comes from now on, as often as there is any, and how complete that is; and a word when nobody answers.

    When nothing happens there is a word about that, too, every QUIET_S, so that a reader who has gone is noticed.
    """
    merging = Merging()
    nexts: dict[str, int] = {}
    told_at = 0.0
    while True:
        try:
            found = await desk.watcher.survey(EVENTS, "tail", {"limit": STREAMED})
        except Problem as problem:
            told_at = desk.now()
            yield "problem", problem.plain()
        else:
            rows = []
            for answer in found.answered:
                life = answer.row["id"]
                rows += [row for row in answer.value["rows"] if row["seq"] > nexts.get(life, -1)]
                nexts[life] = answer.value["next"]
            news = merging.add(rows)
            if news or told_at == 0.0:
                told_at = desk.now()
                yield "events", {**found.facts(), "rows": news[-STREAMED:]}
            elif abs(desk.now() - told_at) > QUIET_S:
                told_at = desk.now()
                yield "quiet", {}
        await asyncio.sleep(EVENTS_PERIOD_S)


EVENT_ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/events",
        "What has happened in the cluster, in the order of time.",
        events,
        record(
            {
                **FACTS,
                "cut": "flag: whether there are more",
                "rows": array(
                    {
                        "seq": "integer: its number on its node",
                        "time": "number: when it was, in seconds since 1970",
                        "kind": "text: its kind",
                        "severity": "text: info, warning or error",
                        "node": "text: the node that has told it first",
                        "seen_by": "texts: all nodes that have told it",
                        "about": "text: whom or what it is about",
                        "text": "text: a sentence",
                        "fields": "object: the particulars of its kind",
                    }
                ),
            }
        ),
        "events",
        (
            Parameter("q", Text(200), "Only events whose sentence contains this, whatever the case."),
            Parameter("kind", Choice(_WORDS), "Only events of this kind, or of these kinds."),
            Parameter("severity", Choice(SEVERITIES), "Only events that are that severe, or more.", SEVERITIES[0]),
            Parameter("about", Text(200), "Only events about this node, actor, name or group."),
            Parameter("node", Text(200), "Only events that this node tells."),
            Parameter("limit", Integer(1, TAIL_MAX), "How many rows to tell at most.", LIMIT),
        ),
    ),
)
