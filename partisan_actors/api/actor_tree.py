"""The tree of actors: who has made whom, whose end ends whom, and who makes whom again.

At the top are the nodes that own actors, and what is detached and so owned by nobody. Below them stand the actors that
their programs and tasks have made, and below each actor those that it has made itself. An actor whose maker is not
known any more stands where its owner does, with a word about its maker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["DETACHED", "actor_tree", "supervision_of"]

DETACHED: Final = "detached"
# Deeper than that, actors stand beside their maker, and say who that is: JSON cannot be nested without end.
DEPTH_MAX: Final = 100


def supervision_of(row: Mapping[str, Any]) -> str:
    """What becomes of an actor when its node goes down, and who sees to that, in words."""
    most = row["max_restarts"]
    if not most:
        return "ends with its node"
    limit = "without limit" if most < 0 else f"{row['restarts']} of {most} times so far"
    guardians = f", by {', '.join(row['guardians'])}" if row["guardians"] else ""
    return f"made again {limit}{guardians}"


def actor_tree(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The roots of the tree of these rows (of which there is one for each actor), each with its `children`.

    A root has kind "node" or "detached", `label` and `states`: how many actors below it are in which state. An actor
    has kind "actor", what its row has, `supervision` in words, and `made_by` only where its maker is not its parent.
    """
    every = {row["id"]: row for row in rows}
    children: dict[str, list[Mapping[str, Any]]] = {}
    roots: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(every.values(), key=lambda row: (row["class"], row["name"] or "", row["id"])):
        if row["made_by"] in every and not _is_above(every, row["id"], row["made_by"]):
            children.setdefault(row["made_by"], []).append(row)
        else:
            roots.setdefault(row["owner"] or DETACHED, []).append(row)
    return [_root(owner, theirs, children) for owner, theirs in sorted(roots.items())]


def _is_above(every: Mapping[str, Mapping[str, Any]], actor: str, below: str) -> bool:
    """Whether `actor` has made `below`, or whoever has: never so among rows that are true, and never to hang on."""
    seen: set[str] = set()
    while below in every and below not in seen:
        if below == actor:
            return True
        seen.add(below)
        below = every[below]["made_by"]
    return False


def _root(owner: str, rows: list[Mapping[str, Any]], children: Mapping[str, list[Mapping[str, Any]]]) -> dict[str, Any]:
    root: dict[str, Any] = {
        "kind": DETACHED if owner == DETACHED else "node",
        "label": owner,
        "states": Counter(),
        "children": [],
    }
    todo = [(root, row, 1) for row in reversed(rows)]
    while todo:
        parent, row, depth = todo.pop()
        made = {
            **{name: row[name] for name in _SHOWN},
            "kind": "actor",
            "supervision": supervision_of(row),
            "made_by": "" if parent.get("id") == row["made_by"] else row["made_by"],
            "children": [],
        }
        parent["children"].append(made)
        root["states"][row["state"]] += 1
        below = made if depth < DEPTH_MAX else parent
        todo += [(below, child, depth + 1) for child in reversed(children.get(row["id"], []))]
    root["states"] = dict(sorted(root["states"].items()))
    return root


_SHOWN: Final = (
    *("id", "class", "name", "node", "state", "reason"),
    *("restarts", "max_restarts", "guardians", "links", "monitors"),
)
