"""The overlay, or a broadcast tree, as text for Graphviz."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["overlay_dot", "tree_dot"]


def overlay_dot(cluster: str, active: Mapping[str, Sequence[str]], passive: Mapping[str, Sequence[str]]) -> str:
    """Nodes with their active links; one that only one end tells of is red, and an arrow; passive ones are dotted."""
    lines = []
    for name in sorted(active):
        for other in sorted(active[name]):
            is_mutual = other not in active or name in active[other]
            if not is_mutual:
                lines.append(f"{_edge(name, other)} [color=red, style=dashed];")
            elif name < other or other not in active:
                lines.append(f"{_edge(name, other)} [dir=none];")
    lines += [
        f"{_edge(name, other)} [color=gray, style=dotted, constraint=false];"
        for name in sorted(passive)
        for other in sorted(passive[name])
    ]
    return _document(cluster, active, lines)


def tree_dot(root: str, eager: Mapping[str, Sequence[str]], lazy: Mapping[str, Sequence[str]]) -> str:
    """Whom each node passes broadcasts of `root` on to; whom it only announces them to is dotted."""
    lines = [f"{_quoted(root)} [shape=doublecircle];"]
    lines += [f"{_edge(name, other)};" for name in sorted(eager) for other in sorted(eager[name])]
    lines += [
        f"{_edge(name, other)} [color=gray, style=dotted, constraint=false];"
        for name in sorted(lazy)
        for other in sorted(lazy[name])
    ]
    return _document(root, eager, lines)


def _document(name: str, nodes: Iterable[str], lines: Iterable[str]) -> str:
    inside = [*(f"{_quoted(each)};" for each in sorted(nodes)), *lines]
    return "\n".join([f"digraph {_quoted(name)} {{", *(f"  {line}" for line in inside), "}"])


def _edge(one: str, other: str) -> str:
    return f"{_quoted(one)} -> {_quoted(other)}"


def _quoted(name: str) -> str:
    return json.dumps(name)
