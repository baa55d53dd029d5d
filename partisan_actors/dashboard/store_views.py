"""What is kept, and what got lost: objects that others may hold, and messages that reached nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from partisan_actors.actors.dead_letters import REASONS
from partisan_actors.api.inspection import INSPECT
from partisan_actors.api.object_rows import OBJECT_ROWS
from partisan_actors.dashboard.endpoints import Desk, Endpoint
from partisan_actors.dashboard.paging import page, paging
from partisan_actors.dashboard.parameters import Choice, Parameter, Text
from partisan_actors.dashboard.schemas import table

__all__ = ["STORE_ENDPOINTS"]

_OBJECT_COLUMNS: Final = {
    "node": "text: the node that owns it",
    "id": "text: its id",
    "size_bytes": "integer: how large it is; 0 for what is small, or not there yet",
    "state": "text: pending, ready or failed",
    "where": "text: memory, shared memory or disk; empty while there is no value",
    "handles": "integer: how many references there are in the process of its owner",
    "holders": "integer: how many other nodes have borrowed it",
    "held_by": "texts: which nodes these are",
    "copies_on": "texts: which of them have fetched its value",
    "on_the_way_s": "number: for how many seconds it is kept yet because of a message that it was sent with",
    "age_s": "number?: how long its owner has kept account of it",
}
_TOLD: Final = tuple(name for name in _OBJECT_COLUMNS if name not in ("node", "holders"))
_LETTER_COLUMNS: Final = {
    "time": "number: when, in seconds since 1970",
    "node": "text: the node on which it got lost",
    "number": "integer: which one of that node",
    "actor": "text: the id of the actor that it was for, or empty",
    "may_resend": "flag: whether what it held is kept, and it can be sent again",
    "whom": "text: for whom it was",
    "method": "text: what was told",
    "sender": "text: the node that has sent it",
    "reason": "text: why it reached nobody, in a few words",
    "why": "text: why it reached nobody",
}


async def objects(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Objects that are large, or that other nodes hold or may be about to, and the memory of each node for its own."""
    found = await desk.watcher.survey(OBJECT_ROWS, "all")
    rows = [
        {"node": answer.name, **{name: row[name] for name in _TOLD}, "holders": len(row["held_by"])}
        for answer in found.answered
        for row in answer.value["rows"]
        if row["role"] == "owner"
    ]
    columns = ("bytes_used", "bytes_max", "shared_bytes", "spilled", "left_out")
    stores = [{"node": answer.name, **{name: answer.value[name] for name in columns}} for answer in found.answered]
    return {**found.facts(), "stores": stores, **page(rows, given, ("node",))}


async def dead_letters(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """The last messages that reached nobody and that nobody waits for, and how many there were in all."""
    found = await desk.watcher.survey(INSPECT, "dead_letters")
    rows = [{"node": answer.name, **row} for answer in found.answered for row in answer.value["rows"]]
    count = sum(answer.value["count"] for answer in found.answered)
    reasons: Counter[str] = Counter()
    for answer in found.answered:
        reasons.update(answer.value["reasons"])
    more = {"count": count, "reasons": dict(reasons.most_common())}
    return {**found.facts(), **more, **page(rows, given, ("node", "reason"))}


_NODE: Final = Parameter("node", Text(200), "Only those of this node.")

STORE_ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/objects",
        "Objects that are large or that other nodes hold, where they are, and who holds them.",
        objects,
        table(_OBJECT_COLUMNS, stores="list: node, bytes_used, bytes_max, shared_bytes, spilled and left_out of each"),
        "objects",
        (*paging(("node", "id", "size_bytes", "state", "where", "handles", "holders", "age_s"), "-size_bytes"), _NODE),
    ),
    Endpoint(
        "/api/v1/dead-letters",
        "Messages that reached nobody: the last of each node.",
        dead_letters,
        table(
            _LETTER_COLUMNS,
            count="integer: how many there were in all",
            reasons="object: how many there were for each reason, the most first",
        ),
        "actors",
        (
            *paging(tuple(_LETTER_COLUMNS), "-time"),
            _NODE,
            Parameter("reason", Choice(REASONS), "Only those that reached nobody for this reason."),
        ),
    ),
)
