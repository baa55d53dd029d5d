"""Which node: from what is asked and what is known of the nodes, the order in which to try them, or why none will do.

The strategies, for a request and the nodes that have room for it now:

- "default": the asking node, while less than LOCAL_SHARE of its critical resource is in use; then the others, least
  used first. A request for nothing has no critical resource: least busy first, the asking node among the others.
  How busy a node is, is its load plus what the asking node placed there, which that load may not tell of yet: without
  it, a hundred placements within one period of news would all go to the node that looked idle.
- "spread": where the asking node has placed least itself, then where the load is least: of eight placements in a row
  on four nodes, each gets two.
- "pack": the most used first, and on equal terms the same one for everybody, so that other nodes stay empty.
- "random": any.
- `NodeAffinity`: that node; if soft, then the others as in "default".

Whatever the strategy, a node that is suspected to be down comes after all that are not.

What is equal by these is ordered by the `Random` passed in, lest every node choose the same one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from partisan_actors.ids import NodeId
from partisan_actors.scheduler.labels import LabelSelector, parse_selectors
from partisan_actors.scheduler.resources import NOTHING, Resources
from partisan_actors.scheduler.strategies import NodeAffinity, Strategy, parse_strategy

__all__ = ["LOCAL_SHARE", "Candidate", "Ranking", "Request", "Verdict", "choose"]

LOCAL_SHARE: Final = 0.5
"""How much of its critical resource the asking node fills before it prefers others."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the asking node knows of one node that takes work. A node that hosts nothing is left out by the caller.

    `available`, `held` (by actors, for life) and `load` (any measure of how busy it is) are as that node last told;
    `placements` is how much the asking node has placed there itself, and `local` whether it is that node. One that is
    `suspected` does not answer some others now, and may be down.
    """

    node: NodeId
    total: Resources
    available: Resources
    held: Resources = NOTHING
    labels: Mapping[str, str] = field(default_factory=dict)
    load: float = 0.0
    local: bool = False
    placements: int = 0
    suspected: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What an actor or a task needs of a node."""

    resources: Resources = NOTHING
    strategy: Strategy = "default"
    labels: tuple[LabelSelector, ...] = ()

    @classmethod
    def parse(
        cls,
        *,
        num_cpus: float = 0,
        num_gpus: float = 0,
        memory: float = 0,
        resources: Mapping[str, float] | None = None,
        placement: object = "default",
        labels: Mapping[str, str] | None = None,
    ) -> Request:
        """From the options of users. Raises ConfigError that names the option, its value and what is allowed."""
        amounts = Resources.of(num_cpus=num_cpus, num_gpus=num_gpus, memory=memory, resources=resources)
        return cls(amounts, parse_strategy(placement), parse_selectors(labels))

    def __str__(self) -> str:
        parts = [str(self.resources)] if self.resources else []
        if isinstance(self.strategy, NodeAffinity) and not self.strategy.soft:
            parts.append(f"node {self.strategy}")
        parts += [f"label {selector}" for selector in self.labels]
        return ", ".join(parts) or "nothing in particular"


@dataclass(frozen=True, slots=True)
class Ranking:
    """Where to try, best first: `nodes` seem to have room now, `busy` will when tasks are done, `full` when actors end.

    At least one node is named. Each of `nodes` may still refuse, because what is known of it is old; when none takes
    it, there is room later: wait for news of a node, and choose again.
    """

    nodes: tuple[NodeId, ...]
    busy: tuple[NodeId, ...]
    full: tuple[NodeId, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """No node that is known could ever hold the request: the fields of `errors.Unplaceable` but its first.

    `closest` is the node that comes closest, None when there is no node at all.
    """

    needed: str
    best_node: str
    closest: NodeId | None


def choose(request: Request, candidates: Sequence[Candidate], rng: Random) -> Ranking | Verdict:
    """The nodes to try for `request`, or the verdict that no one of `candidates` could hold it even when empty.

    The answer depends on the candidates and the state of `rng`, not on the order they are given in.
    """
    known = sorted(candidates, key=_node)
    able = [candidate for candidate in known if _could_hold(request, candidate)]
    if not able:
        return _verdict(request, known)
    rng.shuffle(able)
    roomy = [candidate for candidate in able if request.resources.fits(candidate.available)]
    others = [candidate for candidate in able if not request.resources.fits(candidate.available)]
    busy = [candidate for candidate in others if _frees_up(request, candidate)]
    full = [candidate for candidate in others if not _frees_up(request, candidate)]
    return Ranking(_ordered(request, roomy), _ordered(request, busy), _ordered(request, full))


def _could_hold(request: Request, candidate: Candidate) -> bool:
    return (
        _is_allowed(request, candidate)
        and all(selector.matches(candidate.labels) for selector in request.labels)
        and request.resources.fits(candidate.total)
    )


def _frees_up(request: Request, candidate: Candidate) -> bool:
    # Told by others, so it need not make sense: what is held may exceed what there is.
    return candidate.held.fits(candidate.total) and request.resources.fits(candidate.total - candidate.held)


def _is_allowed(request: Request, candidate: Candidate) -> bool:
    strategy = request.strategy
    return not isinstance(strategy, NodeAffinity) or strategy.soft or strategy.means(candidate.node)


def _ordered(request: Request, shuffled: list[Candidate]) -> tuple[NodeId, ...]:
    # Sorting is stable, so what has equal keys keeps the order that the shuffle gave it.
    match request.strategy:
        case "random":
            ordered = shuffled
        case "spread":
            ordered = sorted(shuffled, key=lambda candidate: (candidate.placements, candidate.load))
        case "pack":
            ordered = sorted(shuffled, key=lambda candidate: _pack_key(request, candidate))
        case "default":
            ordered = sorted(shuffled, key=lambda candidate: _default_key(request, candidate))
        case NodeAffinity() as affinity:
            ordered = sorted(shuffled, key=lambda candidate: _default_key(request, candidate))
            ordered.sort(key=lambda candidate: not affinity.means(candidate.node))
    return tuple(candidate.node for candidate in sorted(ordered, key=_is_suspected))


def _is_suspected(candidate: Candidate) -> bool:
    return candidate.suspected


def _default_key(request: Request, candidate: Candidate) -> tuple[Any, ...]:
    busy = candidate.load + candidate.placements
    if not request.resources:
        return (busy,)
    share = _share_used(request, candidate)
    stays_home = candidate.local and share < LOCAL_SHARE
    return (not stays_home, share, busy)


def _pack_key(request: Request, candidate: Candidate) -> tuple[Any, ...]:
    return (-_share_used(request, candidate), -candidate.load, not candidate.local, candidate.node)


def _share_used(request: Request, candidate: Candidate) -> float:
    return request.resources.share_used(candidate.total, candidate.available)


def _verdict(request: Request, known: Sequence[Candidate]) -> Verdict:
    if not known:
        return Verdict(str(request), "none: no node of the cluster takes work", None)
    best = min(known, key=lambda candidate: _distance(request, candidate))
    lacks = [_mismatch(selector, best.labels) for selector in request.labels if not selector.matches(best.labels)]
    short = request.resources.shortfall(best.total)
    if short:
        lacks.append(f"short of {short}")
    if not _is_allowed(request, best):
        lacks.append("not the node asked for")
    return Verdict(str(request), f"{best.node}, which has {best.total} ({'; '.join(lacks)})", best.node)


def _mismatch(selector: LabelSelector, labels: Mapping[str, str]) -> str:
    return f"{selector.key} is {labels[selector.key]!r}" if selector.key in labels else f"no label {selector.key}"


def _distance(request: Request, candidate: Candidate) -> tuple[Any, ...]:
    # The node asked for is the one to talk about, whatever it lacks; then whoever breaks the fewest conditions, and of
    # those whoever has the most of what it is short of. The order of ids decides between equals.
    wanted = dict(request.resources.amounts)
    short = request.resources.shortfall(candidate.total).amounts
    unmatched = sum(not selector.matches(candidate.labels) for selector in request.labels)
    missing_share = sum(units / wanted[name] for name, units in short)
    return (not _is_allowed(request, candidate), unmatched + len(short), missing_share)


def _node(candidate: Candidate) -> NodeId:
    return candidate.node
