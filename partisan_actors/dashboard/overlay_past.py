"""The overlay as it was: the picture of now, with what has happened since taken back. Pure.

Nothing is recorded for this. Every node keeps its last events anyway, so any dashboard can go back, as far as they
reach, to before it was started. What is not known of the past: the broadcast tree, ways through others, passive views,
how many actors there were; and processes of isolated work that have ended. Times are by the clocks of the nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from partisan_actors.dashboard.overlay_graph import graph_of

__all__ = ["MOMENTS_MAX", "OF_THE_PAST", "known_since", "moments_of", "picture_at"]

# The first words of the kinds of events that are about the overlay.
OF_THE_PAST: Final = ("node", "overlay")
MOMENTS_MAX: Final = 2000

_LINKS: Final = ("overlay.linked", "overlay.unlinked")
# The state of a node after an event about it, and before that, as its cluster has them.
_AFTER: Final = {
    "node.started": "up",
    "node.up": "up",
    "node.suspected": "suspect",
    "node.refuted": "up",
    "node.down": "down",
    "node.left": "left",
}
_BEFORE: Final = {
    "node.started": "left",
    "node.up": "left",
    "node.suspected": "up",
    "node.refuted": "suspect",
    "node.down": "up",
    "node.left": "up",
}

Row = Mapping[str, Any]


def picture_at(members: Sequence[Row], views: Mapping[str, Row], events: Sequence[Row], at: float) -> dict[str, Any]:
    """The picture of `graph_of` as it was at the time `at`.

    `members` and `views` are those of now, of each node that has answered; `events` are theirs, in the order of time.
    """
    about: dict[str, list[Row]] = {}
    told: dict[str, list[Row]] = {}
    for event in events:
        if event["kind"] in _LINKS:
            told.setdefault(event["node"], []).append(event)
        else:
            about.setdefault(event["about"], []).append(event)
    rows = {row["name"]: row for row in members}
    known = {**rows, **{name: _unknown(name) for name in about if name not in rows}}
    # Processes of isolated work tell nobody of their neighbours; these tell of them.
    near = {
        name: _neighbours_at(view["neighbours"], told.get(name, ()), at)
        for name, view in views.items()
        if name in rows and not rows[name]["hosted_by"]
    }
    then = [
        {
            **row,
            "state": _state_at(row["state"], about.get(name, ()), at),
            "draining": _is_draining_at(row["draining"], about.get(name, ()), at),
            "neighbours": [],
            "actors": 0,
        }
        for name, row in known.items()
    ]
    # Of a life before its own, a process remembers nothing; then its neighbours' word counts.
    born = {event["about"]: event["time"] for event in events if event["kind"] == "node.started"}
    there = {row["name"] for row in then if row["state"] in ("up", "suspect") and born.get(row["name"], at) <= at}
    shown = {name: {"neighbours": others, "views": {}} for name, others in near.items() if name in there}
    picture = graph_of(then, shown, {}, {})
    # Who answers today says nothing of that day.
    return {**picture, "nodes": [{**node, "answered": True} for node in picture["nodes"]], "passive": {}}


def moments_of(events: Iterable[Row]) -> list[dict[str, Any]]:
    """When something has changed, and what: the last MOMENTS_MAX, in the order of time."""
    found = [
        {name: event[name] for name in ("time", "kind", "severity", "about", "text")}
        for event in events
        if event["kind"] in _LINKS or event["kind"] in _AFTER or event["kind"] in ("node.draining", "node.undrained")
    ]
    return found[-MOMENTS_MAX:]


def known_since(tails: Mapping[str, Sequence[Row]], limit: int, kept: int) -> float | None:
    """From when on nothing is forgotten; None when nothing has happened at all.

    `tails` are the events of each node; it has been asked for `limit`, and keeps the last `kept` of each kind.
    """
    bounds: list[float] = []
    for rows in tails.values():
        if len(rows) >= limit:
            bounds.append(rows[0]["time"])
        counts: dict[str, list[float]] = {}
        for row in rows:
            counts.setdefault(row["kind"], []).append(row["time"])
        bounds += [times[0] for times in counts.values() if len(times) >= kept]
    if bounds:
        return max(bounds)
    return min((rows[0]["time"] for rows in tails.values() if rows), default=None)


def _neighbours_at(now: Iterable[str], events: Iterable[Row], at: float) -> list[str]:
    found = dict.fromkeys(now)
    for event in reversed(list(events)):
        if event["time"] <= at:
            break
        if event["kind"] == "overlay.linked":
            found.pop(event["about"], None)
        else:
            found[event["about"]] = None
    return list(found)


def _state_at(now: str, events: Sequence[Row], at: float) -> str:
    """What the last event before has made of it; else what the first one after has found; else what it is."""
    return str(_then(now, events, at, _AFTER, _BEFORE))


def _is_draining_at(now: bool, events: Sequence[Row], at: float) -> bool:
    after = {"node.draining": True, "node.undrained": False, "node.started": False, "node.up": False}
    before = {"node.draining": False, "node.undrained": True}
    return bool(_then(now, events, at, after, before))


def _then(now: Any, events: Sequence[Row], at: float, after: Row, before: Row) -> Any:
    for event in reversed(events):
        if event["time"] <= at and event["kind"] in after:
            return after[event["kind"]]
    return next((before[event["kind"]] for event in events if event["time"] > at and event["kind"] in before), now)


def _unknown(name: str) -> dict[str, Any]:
    """A node of which nobody knows any more but that it was there."""
    return {"name": name, "state": "left", "host": "", "overlay": "", "hosted_by": "", "draining": False}
