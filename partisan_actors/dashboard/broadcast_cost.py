"""What broadcasts cost, in Plumtree's measures: redundancy, control messages, hops, and how deep the tree is. Pure.

The *relative message redundancy* (RMR) of the paper's section 4 is how many payloads arrive for each that is new, less
one: 0 on a tree. Its *last delivery hop* (LDH) is over how many links a broadcast comes to whom it reaches last: from a
node, that is how deep the tree is below it, as long as no link of the tree fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

__all__ = ["CONTROL", "cost_of", "depths_of", "mean_hops", "summed"]

# What is sent beside payloads, by Plumtree's names.
CONTROL: Final = ("lazy", "graft", "prune")
COUNTED: Final = ("delivered", "payloads", "repeated", *CONTROL)
# From how many nodes the depth of the tree is measured: that takes as many steps as there are links, for each.
ROOTS_MAX: Final = 200


def summed(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What nodes have counted, together."""
    total: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    hops: Counter[str] = Counter()
    for row in rows:
        total.update({name: row.get(name, 0) for name in COUNTED})
        hops.update(row["hops"])
    return {**total, "hops": dict(sorted(hops.items(), key=lambda each: int(each[0])))}


def cost_of(counts: Mapping[str, Any]) -> dict[str, float | int | None]:
    """The measures of what one node, or all together, has counted; None where nothing has arrived yet."""
    delivered = counts["delivered"]
    return {
        "redundancy": counts["repeated"] / delivered if delivered else None,
        "control_each": sum(counts.get(name, 0) for name in CONTROL) / delivered if delivered else None,
        "hops_mean": mean_hops(counts["hops"]),
        "hops_max": max(map(int, counts["hops"]), default=None),
    }


def mean_hops(hops: Mapping[str, int]) -> float | None:
    """Over how many links a broadcast came, in the mean."""
    count = sum(hops.values())
    return sum(int(links) * number for links, number in hops.items()) / count if count else None


def depths_of(nodes: Sequence[str], tree: Iterable[Sequence[str]]) -> dict[str, tuple[int, int]]:
    """By node: over how many links of the tree the furthest is reached from it, and how many are not reached at all.

    Of the first ROOTS_MAX nodes.
    """
    near: dict[str, list[str]] = {name: [] for name in nodes}
    for one, other in tree:
        if one in near and other in near:
            near[one].append(other)
            near[other].append(one)
    return {root: _depth(root, near) for root in nodes[:ROOTS_MAX]}


def _depth(root: str, near: Mapping[str, Sequence[str]]) -> tuple[int, int]:
    seen = {root}
    rim, depth = [root], 0
    while True:
        # In the order in which they are met, each once.
        rim = list(dict.fromkeys(other for each in rim for other in near[each] if other not in seen))
        if not rim:
            return depth, len(near) - len(seen)
        seen.update(rim)
        depth += 1
