"""The feed of events of one node: the last of each kind, numbered, as rows of plain data for whoever asks.

Rules kept here:

1.  Each kind has room of its own, so a flood of one of them (a thousand nodes that join) forgets no other.
2.  Numbers go up by one with each event of the node, whatever its kind; who follows them learns how many it has missed.
3.  A row is texts and numbers and never changes, so no object is held, and none changes under the reader's eyes.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from heapq import merge
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.telemetry.event_kinds import KINDS, SEVERITIES

__all__ = ["FIELD_CHARS_MAX", "ROWS_PER_KIND_MAX", "TAIL_MAX", "EventFeed", "check_kinds"]

ROWS_PER_KIND_MAX: Final = 200
# Characters of one field; longer ones are cut.
FIELD_CHARS_MAX: Final = 1_000
# How many rows one answer has at most.
TAIL_MAX: Final = 1_000
NS: Final = 1e-9

_KNOWN: Final = ("after", "limit", "kinds", "severity", "since", "about", "text")


class EventFeed:
    """At most ROWS_PER_KIND_MAX rows of each kind; the oldest is forgotten first. Safe from any thread."""

    def __init__(self, node: str, wall_clock_ns: Callable[[], int]) -> None:
        self._node = node
        self._clock = wall_clock_ns
        self._lock = threading.Lock()
        self._rows: dict[str, deque[dict[str, Any]]] = {}
        self._seq = 0

    def tell(self, kind: str, about: str, **fields: Any) -> None:
        """An event has happened. `fields` are all those that the kind has in the table."""
        known = KINDS[kind]
        assert fields.keys() == known.fields.keys(), f"{kind} has {sorted(known.fields)}, not {sorted(fields)}"
        told = {name: _cut(value) if isinstance(value, str) else value for name, value in fields.items()}
        row = {
            "time": self._clock() * NS,
            "kind": kind,
            "severity": known.severity,
            "node": self._node,
            "about": _cut(about),
            "text": known.sentence.format_map({"about": _cut(about), **told}),
            "fields": told,
        }
        with self._lock:
            self._seq += 1
            rows = self._rows.setdefault(kind, deque(maxlen=ROWS_PER_KIND_MAX))
            rows.append({"seq": self._seq, **row})

    def tail(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """The newest rows, or with `after` the oldest of those that came after that number; at most `limit`.

        `kinds` is a list of kinds or of their first words ("node" is all of "node.up", "node.down", ...), `severity`
        the least that is wanted, `since` a time in seconds since 1970; `about` is equal to the row's, and `text` part
        of its sentence, whatever the case. `next` is for `after` the next time, and `dropped` is how many rows after
        `after` are forgotten. Raises ConfigError for a query that makes no sense.
        """
        asked = _checked(query)
        after: int | None = asked["after"]
        with self._lock:
            every = [row for row in merge(*self._rows.values(), key=_seq_of) if after is None or row["seq"] > after]
            last = self._seq
        found = [row for row in every if _matches(row, asked)]
        limit = asked["limit"]
        chosen = found[-limit:] if after is None else found[:limit]
        is_cut = after is not None and len(found) > limit
        return {
            "rows": chosen,
            "next": chosen[-1]["seq"] if is_cut else last,
            "dropped": max(0, last - after - len(every)) if after is not None else 0,
        }


def check_kinds(kinds: object) -> tuple[str, ...]:
    """Kinds, or their first words, that there are. Raises ConfigError."""
    given = [kinds] if isinstance(kinds, str) else kinds
    words = {*KINDS, *(name.partition(".")[0] for name in KINDS)}
    if not isinstance(given, (list, tuple)):
        raise ConfigError("kinds", str(kinds)[:100], "a list of kinds")
    for each in given:
        if not isinstance(each, str) or each not in words:
            raise ConfigError("kind", str(each)[:100], f"one of {', '.join(KINDS)}, or the first word of some")
    return tuple(given)


def _checked(query: Mapping[str, Any]) -> dict[str, Any]:
    for name in query:
        if name not in _KNOWN:
            raise ConfigError("query", str(name)[:40], f"some of {', '.join(_KNOWN)}")
    after, limit, since = query.get("after"), query.get("limit", 100), query.get("since")
    severity = query.get("severity") or SEVERITIES[0]
    if after is not None and (type(after) is not int or after < 0):
        raise ConfigError("after", str(after)[:40], "a number that was told as `next`")
    if type(limit) is not int or not 1 <= limit <= TAIL_MAX:
        raise ConfigError("limit", str(limit)[:40], f"a number from 1 to {TAIL_MAX}")
    if since is not None and type(since) not in (int, float):
        raise ConfigError("since", str(since)[:40], "a time in seconds since 1970")
    if severity not in SEVERITIES:
        raise ConfigError("severity", str(severity)[:40], f"one of {', '.join(SEVERITIES)}")
    return {
        "after": after,
        "limit": limit,
        "kinds": check_kinds(query.get("kinds") or []),
        "severities": SEVERITIES[SEVERITIES.index(severity) :],
        "since": since,
        "about": query.get("about") or None,
        "text": str(query.get("text") or "").casefold(),
    }


def _matches(row: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    kinds = asked["kinds"]
    return (
        (not kinds or row["kind"] in kinds or row["kind"].partition(".")[0] in kinds)
        and row["severity"] in asked["severities"]
        and (asked["since"] is None or row["time"] >= asked["since"])
        and (asked["about"] is None or row["about"] == asked["about"])
        and (not asked["text"] or asked["text"] in row["text"].casefold())
    )


def _seq_of(row: Mapping[str, Any]) -> int:
    seq: int = row["seq"]
    return seq


def _cut(text: str) -> str:
    return text if len(text) <= FIELD_CHARS_MAX else text[:FIELD_CHARS_MAX] + " ..."
