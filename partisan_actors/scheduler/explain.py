"""Why a node does not take some work now, in words for people. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Final

from partisan_actors.ids import NodeId
from partisan_actors.scheduler.policy import Candidate, Request
from partisan_actors.scheduler.pool import Pool
from partisan_actors.scheduler.resources import Resources
from partisan_actors.scheduler.strategies import NodeAffinity

__all__ = ["HOLDERS_TOLD", "explain", "why_not", "why_queued"]

HOLDERS_TOLD: Final = 5
"""How many of those who hold something are named, the largest first."""


def explain(request: Request, candidates: Sequence[Candidate]) -> list[tuple[NodeId, str]]:
    """What each node says to the request, in the order of ids."""
    known = sorted(candidates, key=lambda candidate: candidate.node)
    return [(candidate.node, why_not(request, candidate)) for candidate in known]


def why_not(request: Request, candidate: Candidate) -> str:
    """Why that node does not take it, as far as is known; or that it has room."""
    strategy, needs = request.strategy, request.resources
    if isinstance(strategy, NodeAffinity) and not strategy.allows(candidate.node):
        return f"is not the node asked for, {strategy}"
    choices = [request.labels, *request.fallbacks]
    if not any(all(selector.matches(candidate.labels) for selector in labels) for labels in choices):
        wrong = [each.mismatch(candidate.labels) for each in request.labels if not each.matches(candidate.labels)]
        return f"has not the labels: {'; '.join(wrong)}"
    if not needs.fits(candidate.total):
        return f"has {_of(needs, candidate.total)} in all, and is short of {needs.shortfall(candidate.total)}"
    if not needs.fits(candidate.available):
        return f"has {_of(needs, candidate.available)} free; actors hold {_of(needs, candidate.held)} for life"
    return "is suspected to be down" if candidate.suspected else "has room, as far as is known"


def why_queued(request: Request, pools: Sequence[Pool], name_of: Callable[[Hashable], str]) -> str:
    """Why a task waits at a node that would take it: what is free there, and who has the rest."""
    needs = request.resources
    free = " or ".join(_of(needs, pool.available) for pool in pools) or "nothing"
    names = {name for name, _ in needs.amounts}
    holders = []
    for pool in pools:
        for token in pool:
            held = Resources(tuple(each for each in pool.held(token).amounts if each[0] in names))
            if held:
                holders.append((-held.amounts[0][1], f"{name_of(token)} ({held})"))
    told = ", ".join(text for _, text in sorted(holders)[:HOLDERS_TOLD]) or "nobody"
    more = len(holders) - HOLDERS_TOLD
    return f"it needs {request}; free: {free}; held by {told}{f' and {more} more' if more > 0 else ''}"


def _of(needs: Resources, amounts: Resources) -> str:
    there = dict(amounts.amounts)
    parts = [Resources(((name, there[name]),)) if there.get(name) else f"no {_name(name)}" for name, _ in needs.amounts]
    return ", ".join(map(str, parts)) or "nothing"


def _name(name: str) -> str:
    return {"num_cpus": "CPU", "num_gpus": "GPU"}.get(name, name)
