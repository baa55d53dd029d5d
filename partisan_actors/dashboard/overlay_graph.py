"""The overlay as a picture needs it: nodes, links, the broadcast tree, ways through others, separate parts. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

__all__ = ["changes_between", "graph_of", "parts_of", "tree_of"]

CHANGES_MAX: Final = 500

Views = Mapping[str, Mapping[str, Any]]


def graph_of(rows: Sequence[Mapping[str, Any]], views: Views, trees: Views, ways: Views) -> dict[str, Any]:
    """The picture of the nodes in `rows`, of which those in `views` have told their neighbours themselves.

    What another one did not tell is taken from its row, which is older. A link is `mutual` unless one end that has
    answered does not have it.
    """
    shown = [row for row in rows if row["state"] != "left"]
    names = {row["name"] for row in shown}
    near = {
        row["name"]: [name for name in views.get(row["name"], row)["neighbours"] if name in names]
        for row in shown
        if row["state"] != "down"
    }
    links = _links(near, views)
    parts = parts_of(near, [(link["from"], link["to"]) for link in links])
    part_of = {name: number for number, part in enumerate(parts) for name in part}
    return {
        "nodes": [_node(row, views, part_of) for row in shown],
        "links": links,
        "passive": {
            name: sorted(other for other in view["views"].get("passive", ()) if other in names)
            for name, view in sorted(views.items())
            if name in names
        },
        "tree": tree_of(trees),
        "ways": sorted(
            ([name, to, by] for name, known in ways.items() for to, by in known.items() if name in near and to in names)
        ),
        "parts": parts,
        "one_sided": [[link["from"], link["to"]] for link in links if not link["mutual"]],
    }


def _node(row: Mapping[str, Any], views: Views, part_of: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "state": row["state"],
        "host": row["host"],
        "overlay": row["overlay"],
        "hosted_by": row["hosted_by"],
        "draining": row["draining"],
        "actors": row["actors"],
        "answered": row["name"] in views,
        "part": part_of.get(row["name"]),
    }


def _links(near: Mapping[str, Collection[str]], views: Views) -> list[dict[str, Any]]:
    """Each once, from whoever has it; of two that have it, from the one that comes first in the alphabet."""
    links = []
    for name in sorted(near):
        for other in sorted(set(near[name])):
            is_back = name in near.get(other, ())
            if is_back and other < name:
                continue
            # Of who has not answered, nobody can say that it lacks something.
            links.append({"from": name, "to": other, "mutual": is_back or other not in views})
    return links


def tree_of(trees: Views) -> list[list[str]]:
    """The pairs of nodes of which at least one passes payloads on to the other."""
    eager = {
        (min(name, other), max(name, other)) for name, links in trees.items() for other, is_on in links.items() if is_on
    }
    return [list(pair) for pair in sorted(eager)]


def parts_of(nodes: Iterable[str], links: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Which nodes can reach each other over links: the largest part first, each in the order of names."""
    others: dict[str, list[str]] = {name: [] for name in nodes}
    for one, other in links:
        if one in others and other in others:
            others[one].append(other)
            others[other].append(one)
    seen: set[str] = set()
    parts = []
    for name in sorted(others):
        if name in seen:
            continue
        part, todo = [], [name]
        seen.add(name)
        while todo:
            each = todo.pop()
            part.append(each)
            for other in others[each]:
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        parts.append(sorted(part))
    return sorted(parts, key=lambda part: (-len(part), part[0]))


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, str]]:
    """What has changed from one picture to the next, for people: the first CHANGES_MAX, of nodes before links."""
    found: list[dict[str, str]] = []
    old = {node["name"]: node["state"] for node in before["nodes"]}
    new = {node["name"]: node["state"] for node in after["nodes"]}
    for name, state in new.items():
        if name not in old:
            found.append({"kind": "joined", "node": name, "text": f"{name} is {state}"})
        elif old[name] != state:
            found.append({"kind": state, "node": name, "text": f"{name} is {state}, it was {old[name]}"})
    found += [{"kind": "left", "node": name, "text": f"{name} has left"} for name in old if name not in new]
    was = {(link["from"], link["to"]) for link in before["links"]}
    now = {(link["from"], link["to"]) for link in after["links"]}
    found += [
        {"kind": "linked", "node": a, "other": b, "text": f"{a} and {b} are linked"} for a, b in sorted(now - was)
    ]
    found += [
        {"kind": "unlinked", "node": a, "other": b, "text": f"{a} and {b} are linked no more"}
        for a, b in sorted(was - now)
    ]
    if len(before["parts"]) != len(after["parts"]):
        count = len(after["parts"])
        text = "the overlay is in one part again" if count == 1 else f"the overlay is in {count} parts"
        found.append({"kind": "parts", "node": "", "text": text})
    return found[:CHANGES_MAX]
