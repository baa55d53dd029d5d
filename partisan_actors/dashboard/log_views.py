"""What was logged, on all nodes or on one, by all actors or by one: the newest rows, in the order of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from partisan_actors.api.log_service import LOGS
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.parameters import Choice, Integer, Parameter, Text
from partisan_actors.dashboard.schemas import FACTS, array, record
from partisan_actors.telemetry.recent_logs import LEVELS, TAIL_MAX

__all__ = ["LOG_ENDPOINTS"]

LIMIT: Final = 200


async def logs(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """The newest rows of every node that are all that is asked for."""
    query = {
        "limit": given["limit"],
        "level": given["level"],
        "text": given["q"] or "",
        "actor_id": given["actor"] or "",
        "trace_id": given["trace"] or "",
        "logger": given["logger"] or "",
    }
    found = await desk.watcher.survey(LOGS, "tail", query)
    wanted = given["node"]
    answers = [answer for answer in found.answered if wanted is None or answer.name == wanted]
    rows = sorted((row for answer in answers for row in answer.value["rows"]), key=lambda row: row["time"])
    is_cut = len(rows) > given["limit"]
    return {**found.facts(), "cut": is_cut, "rows": rows[-given["limit"] :]}


LOG_ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/logs",
        "The newest log records of all nodes, in the order of time.",
        logs,
        record(
            {
                **FACTS,
                "cut": "flag: whether there are more",
                "rows": array(
                    {
                        "seq": "integer: its number on its node",
                        "time": "number: when it was made, in seconds since 1970",
                        "level": "text: DEBUG, INFO, WARNING, ERROR or CRITICAL, or a level of the program's own",
                        "logger": "text: the logger",
                        "message": "text: what was logged, with the traceback, if there is one",
                        "node": "text: on which node",
                        "actor_id": "text?: by which actor",
                        "actor_class": "text?: and its class",
                        "trace_id": "text?: in which trace",
                    }
                ),
            }
        ),
        "logs",
        (
            Parameter("q", Text(200), "Only messages that contain this, whatever the case."),
            Parameter("level", Choice(LEVELS), "Only records of this level or a more severe one.", "DEBUG"),
            Parameter("node", Text(200), "Only records of this node."),
            Parameter("actor", Text(200), "Only records of the actor with this id."),
            Parameter("trace", Text(32), "Only records made in this trace."),
            Parameter("logger", Text(200), "Only records of this logger."),
            Parameter("limit", Integer(1, TAIL_MAX), "How many rows to tell at most.", LIMIT),
        ),
    ),
)
