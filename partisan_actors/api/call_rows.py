"""`list_calls` and `list_methods`: the calls of actors that have not ended, and how many there were of each method."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from partisan_actors.api import session
from partisan_actors.api.actor_rows import INSPECT
from partisan_actors.api.everybody import answers_of_all, blocking
from partisan_actors.api.metering import METRICS_SERVICE

__all__ = ["list_calls", "list_methods", "merged_counts"]

_ACTOR: Final = re.compile(r"actor:\S+/[0-9a-f]+")
_NAMES: Final = ("class", "method", "kind")
_COUNTS: Final = ("calls", "errors", "in_flight")


def list_calls(
    *, actor: object = None, method: str | None = None, node: str | None = None, timeout: float = 10.0
) -> list[dict[str, Any]]:
    """A row for each call of an actor that runs or waits for its turn, as nodes tell; of those with what is given.

    A row has the keys id (of the caller's node, and the number there), actor (an id), class, method, node (where the
    actor is), state ("running" or "queued"), caller (a node) and waits_s: for how long, at least, it has waited for
    other work. What has ended is counted, in `list_methods`, and not listed; tells, which nobody waits for, are not
    either, nor what concurrency groups have in their queues. A node that does not answer within five seconds is left
    out. Blocks, and raises as `list_actors` does.
    """
    given = {"actor": actor if actor is None else str(actor), "method": method, "node": node}
    rows = [_call(row) for row in _asked(INSPECT, "waits", "list_calls", timeout) if _ACTOR.search(row["actor"])]
    return [row for row in rows if all(value in (None, row[key]) for key, value in given.items())]


def list_methods(*, timeout: float = 10.0) -> list[dict[str, Any]]:
    """A row for each method and each function of tasks that was called, of those that are up: the most called first.

    A row has the keys class ("task" for functions), method, kind ("ask", "tell" or "task"), calls (that have ended),
    errors (so many of them) and in_flight. Nodes count what runs on them, since they were started; of one that is down
    nothing is known. Blocks, and raises as `list_actors` does.
    """
    return merged_counts(_asked(METRICS_SERVICE, "methods", "list_methods", timeout))


def merged_counts(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each method, of those that several nodes tell of one."""
    sums: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        names = {name: row[name] for name in _NAMES}
        total = sums.setdefault(tuple(names.values()), {**names, **dict.fromkeys(_COUNTS, 0)})
        for name in _COUNTS:
            total[name] += row[name]
    return sorted(sums.values(), key=lambda row: (-row["calls"], *(row[name] for name in _NAMES)))


def _call(row: Mapping[str, Any]) -> dict[str, Any]:
    caller, number = row["id"]
    found = _ACTOR.search(row["actor"])
    return {
        "id": f"{caller}/{number}",
        "actor": found.group() if found is not None else "",
        "class": row["actor"].partition(" ")[0],
        "method": row["method"],
        "node": row["node"],
        "state": "running" if row["is_running"] else "queued",
        "caller": caller,
        "waits_s": row["for_s"],
    }


def _asked(service: str, question: str, name: str, timeout: float) -> list[Any]:
    system = session.system()
    answers = blocking(system, answers_of_all(system, service, question), name, "its calls", timeout)
    return [row for answer in answers if answer.why is None for row in answer.value]
