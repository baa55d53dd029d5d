"""Which node gets which bundle of a placement group, from what is known of the nodes. Pure.

- STRICT_PACK: all on one node. STRICT_SPREAD: each on a node of its own.
- PACK: on as few nodes as possible. SPREAD: on as many as possible; both best effort, bundle by bundle.

The largest bundles are placed first, and what leads nowhere is taken back, for at most STEPS_MAX steps: packing well is
a hard problem, and a plan that is not found in so many steps is tried again when there is news.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final

from partisan_actors.ids import NodeId
from partisan_actors.scheduler.groups_record import Bundle, GroupStrategy
from partisan_actors.scheduler.policy import Candidate
from partisan_actors.scheduler.resources import NOTHING, Resources

__all__ = ["STEPS_MAX", "plan_bundles", "why_infeasible"]

STEPS_MAX: Final = 10_000


def plan_bundles(
    bundles: Sequence[Bundle],
    strategy: GroupStrategy,
    candidates: Sequence[Candidate],
    rng: Random,
    *,
    kept: Sequence[NodeId | None] = (),
    when_empty: bool = False,
) -> list[NodeId] | None:
    """A node for each bundle, or None when no plan was found. Bundles that have a node in `kept` stay there.

    Counts with what is free, or, `when_empty`, with all that the nodes have.
    """
    search = _Search(bundles, strategy, candidates, rng, kept, when_empty)
    return search.result() if search.place(0) else None


def why_infeasible(
    bundles: Sequence[Bundle], strategy: GroupStrategy, candidates: Sequence[Candidate], rng: Random
) -> str | None:
    """Why even empty nodes could not hold the group; None when they could, or that was not found out."""
    if not candidates:
        return "no node of the cluster takes work"
    for index, bundle in enumerate(bundles):
        if not any(_matches(bundle, each) and bundle.resources.fits(each.total) for each in candidates):
            best = min(candidates, key=lambda each: (len(bundle.resources.shortfall(each.total).amounts), each.node))
            asked = ", ".join([str(bundle.resources), *map(str, bundle.labels)])
            return f"no node has {asked} for bundle {index}; the closest, {best.node}, has {best.total}"
    if strategy == "STRICT_SPREAD" and len(bundles) > len(candidates):
        return f"{len(bundles)} bundles each want a node of their own, and there are {len(candidates)} nodes"
    search = _Search(bundles, strategy, candidates, rng, (), True)
    if search.place(0) or search.steps >= STEPS_MAX:
        return None
    if strategy == "STRICT_PACK":
        return f"no node has {_sum(bundles)} for all bundles together"
    return "no assignment of its bundles to the nodes fits"


class _Search:
    """A search in depth, in the order that the strategy prefers."""

    def __init__(
        self,
        bundles: Sequence[Bundle],
        strategy: GroupStrategy,
        candidates: Sequence[Candidate],
        rng: Random,
        kept: Sequence[NodeId | None],
        when_empty: bool,
    ) -> None:
        self.steps = 0
        self._bundles = bundles
        self._strategy = strategy
        self._candidates = sorted(candidates, key=lambda candidate: candidate.node)
        rng.shuffle(self._candidates)
        self._candidates.sort(key=lambda candidate: (candidate.suspected, candidate.placements))
        self._free = {each.node: each.total if when_empty else each.available for each in candidates}
        self._hosts: list[NodeId | None] = list(kept) or [None] * len(bundles)
        self._used: Counter[NodeId] = Counter(host for host in self._hosts if host is not None)
        missing = [index for index, host in enumerate(self._hosts) if host is None]
        # The largest first: by how much of the best node each would take, then by index, so that it is repeatable.
        most = {index: self._difficulty(bundles[index]) for index in missing}
        self._order = sorted(missing, key=lambda index: (-most[index], index))

    def result(self) -> list[NodeId]:
        """The plan that was found."""
        return [host for host in self._hosts if host is not None]

    def place(self, depth: int) -> bool:
        """Find nodes for all bundles from `depth` on, in the order of this search."""
        if depth == len(self._order):
            return True
        if self._strategy == "STRICT_PACK" and not self._used:
            return self._place_together()
        index = self._order[depth]
        bundle = self._bundles[index]
        for candidate in self._preferred():
            self.steps += 1
            if self.steps > STEPS_MAX:
                return False
            node = candidate.node
            if not _matches(bundle, candidate) or not bundle.resources.fits(self._free[node]):
                continue
            self._free[node] -= bundle.resources
            self._hosts[index] = node
            self._used[node] += 1
            if self.place(depth + 1):
                return True
            self._free[node] += bundle.resources
            self._hosts[index] = None
            self._used[node] -= 1
        return False

    def _place_together(self) -> bool:
        needed = _sum(self._bundles)
        for candidate in self._candidates:
            matches = all(_matches(bundle, candidate) for bundle in self._bundles)
            if matches and needed.fits(self._free[candidate.node]):
                self._hosts = [candidate.node] * len(self._bundles)
                return True
        return False

    def _preferred(self) -> list[Candidate]:
        used = self._used
        match self._strategy:
            case "STRICT_SPREAD":
                return [candidate for candidate in self._candidates if not used[candidate.node]]
            case "STRICT_PACK":
                return [candidate for candidate in self._candidates if used[candidate.node]]
            case "SPREAD":
                return sorted(self._candidates, key=lambda candidate: used[candidate.node])
            case "PACK":
                return sorted(self._candidates, key=lambda candidate: -used[candidate.node])

    def _difficulty(self, bundle: Bundle) -> float:
        shares = [bundle.resources.share_used(free, free - bundle.resources) for free in self._roomy(bundle)]
        return min(shares, default=1.0)

    def _roomy(self, bundle: Bundle) -> list[Resources]:
        return [
            self._free[each.node]
            for each in self._candidates
            if _matches(bundle, each) and bundle.resources.fits(self._free[each.node])
        ]


def _matches(bundle: Bundle, candidate: Candidate) -> bool:
    return all(selector.matches(candidate.labels) for selector in bundle.labels)


def _sum(bundles: Sequence[Bundle]) -> Resources:
    total = NOTHING
    for bundle in bundles:
        total += bundle.resources
    return total
