"""Which node: from what is asked and what is known of the nodes, the order in which to try them, or why none will do.

The strategies, for a request and the nodes that have room for it now:

- "default": the asking node, while less than LOCAL_SHARE of its critical resource is in use; then the others of which
  that is true, in one order for everybody, so that they fill up one after the other, but the first TOP_SHARE of them in
  any order; then the rest, least used first. A request for nothing has no critical resource: least busy first, the
  asking node among the others. What holds the most bytes of a task's large arguments comes before all others.
  How busy a node is, is its load plus what the asking node placed there, which that load may not tell of yet: without
  it, a hundred placements within one period of news would all go to the node that looked idle.
- "spread": where the asking node has placed least itself, then where the load is least: of eight placements in a row
  on four nodes, each gets two.
- "pack": the most used first, and on equal terms the same one for everybody, so that other nodes stay empty.
- "random": any.
- `NodeAffinity`: that node; if soft, then the others as in "default".
- `NodeLabels`: as in "default" among the nodes that match equally many of the soft selectors, most first.
- `InPlacementGroup`: not decided here, but by where the group has its bundles.

Whatever the strategy, a node that is suspected to be down comes after all that are not.

What is equal by these is ordered by the `Random` passed in, lest every node choose the same one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from random import Random
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.scheduler.labels import LabelSelector, parse_selectors
from partisan_actors.scheduler.resources import NOTHING, Resources
from partisan_actors.scheduler.strategies import InPlacementGroup, NodeAffinity, NodeLabels, Strategy, parse_strategy
from partisan_actors.values import dataclass

__all__ = ["LOCAL_SHARE", "TOP_SHARE", "Candidate", "Ranking", "Request", "Verdict", "choose", "parse_fallbacks"]

LOCAL_SHARE: Final = 0.5
"""How much of its critical resource a node fills before others are preferred to it."""

TOP_SHARE: Final = 0.2
"""How many of the nodes that are filled one after the other are tried in any order, lest all go to the first."""

FALLBACKS_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the asking node knows of one node that takes work. A node that hosts nothing is left out by the caller.

    `available`, `held` (by actors, for life) and `load` (any measure of how busy it is) are as that node last told;
    `placements` is how much the asking node has placed there itself, and `local` whether it is that node. One that is
    `suspected` does not answer some others now, and may be down. `argument_bytes` is how much of the work's large
    arguments it holds.
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
    argument_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What an actor or a task needs of a node. `fallbacks` are other labels that will do, in order."""

    resources: Resources = NOTHING
    strategy: Strategy = "default"
    labels: tuple[LabelSelector, ...] = ()
    fallbacks: tuple[tuple[LabelSelector, ...], ...] = ()

    @classmethod
    def parse(
        cls,
        *,
        num_cpus: float = 0,
        num_gpus: float = 0,
        memory: float = 0,
        resources: Mapping[str, float] | None = None,
        placement: object = "default",
        labels: Mapping[str, object] | None = None,
        fallbacks: object = (),
    ) -> Request:
        """From the options of users. Raises ConfigError that names the option, its value and what is allowed."""
        amounts = Resources.of(num_cpus=num_cpus, num_gpus=num_gpus, memory=memory, resources=resources)
        amounts.check_request()
        strategy, selectors = parse_strategy(placement), parse_selectors(labels)
        required = strategy.required() if isinstance(strategy, NodeLabels) else ()
        alternatives = tuple(alternative + required for alternative in parse_fallbacks(fallbacks))
        return cls(amounts, strategy, selectors + required, alternatives)

    def __str__(self) -> str:
        parts = [str(self.resources)] if self.resources else []
        if isinstance(self.strategy, NodeAffinity) and not self.strategy.soft:
            parts.append(f"node {self.strategy}")
        if isinstance(self.strategy, InPlacementGroup):
            parts.append(str(self.strategy))
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


def parse_fallbacks(fallbacks: object) -> tuple[tuple[LabelSelector, ...], ...]:
    """The option `fallback_strategy`, checked: labels, or mappings of which `label_selector` is the only key, in order.

    Raises ConfigError, naming the option.
    """
    allowed = f'a list of at most {FALLBACKS_MAX} of {{"label_selector": {{...}}}}'
    if not isinstance(fallbacks, (list, tuple)) or len(fallbacks) > FALLBACKS_MAX:
        raise ConfigError("fallback_strategy", fallbacks, allowed)
    for fallback in fallbacks:
        if not isinstance(fallback, Mapping) or set(fallback) != {"label_selector"}:
            raise ConfigError("fallback_strategy", fallback, allowed)
    return tuple(parse_selectors(fallback["label_selector"]) for fallback in fallbacks)


def choose(request: Request, candidates: Sequence[Candidate], rng: Random) -> Ranking | Verdict:
    """The nodes to try for `request`, or the verdict that no one of `candidates` could hold it even when empty.

    Of its labels and their fallbacks, the first count for which a node has room now; or else for which one ever could.
    The answer depends on the candidates and the state of `rng`, not on the order they are given in.
    """
    known = sorted(candidates, key=_node)
    first = _choose(request, known, rng)
    if isinstance(first, Ranking) and first.nodes:
        return first
    for labels in request.fallbacks:
        answer = _choose(replace(request, labels=labels), known, rng)
        if isinstance(answer, Ranking) and (answer.nodes or isinstance(first, Verdict)):
            first = answer
            if answer.nodes:
                break
    return first


def _choose(request: Request, known: list[Candidate], rng: Random) -> Ranking | Verdict:
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
    return not isinstance(strategy, NodeAffinity) or strategy.allows(candidate.node)


def _ordered(request: Request, shuffled: list[Candidate]) -> tuple[NodeId, ...]:
    # Sorting is stable, so what has equal keys keeps the order that the shuffle gave it.
    match request.strategy:
        case "random":
            ordered = shuffled
        case "spread":
            ordered = sorted(shuffled, key=lambda candidate: (candidate.placements, candidate.load))
        case "pack":
            ordered = sorted(shuffled, key=lambda candidate: _pack_key(request, candidate))
        case NodeAffinity() as affinity:
            ordered = _hybrid(request, shuffled)
            ordered.sort(key=lambda candidate: not affinity.means(candidate.node))
        case NodeLabels() as strategy:
            wanted = strategy.preferred()
            ordered = _hybrid(request, shuffled)
            ordered.sort(key=lambda each: sum(not selector.matches(each.labels) for selector in wanted))
        case _:
            ordered = _hybrid(request, shuffled)
            ordered.sort(key=lambda candidate: -candidate.argument_bytes)
    return tuple(candidate.node for candidate in sorted(ordered, key=_is_suspected))


def _is_suspected(candidate: Candidate) -> bool:
    return candidate.suspected


def _hybrid(request: Request, shuffled: list[Candidate]) -> list[Candidate]:
    if not request.resources:
        return sorted(shuffled, key=_busy)
    # First those in `shuffled` that are below the share, whose order is the one for everybody, but for the top few.
    top = set(range(math.ceil(TOP_SHARE * len(shuffled))))
    shares = {each.node: _share_used(request, each) for each in shuffled}
    open_ones = [each for each in shuffled if shares[each.node] < LOCAL_SHARE]
    ranks = {node: place for place, node in enumerate(sorted(each.node for each in open_ones))}

    def key(candidate: Candidate) -> tuple[Any, ...]:
        rank = ranks.get(candidate.node)
        if rank is None:
            return (2, shares[candidate.node], _busy(candidate))
        return (0,) if candidate.local else (1, 0 if rank in top else rank)

    return sorted(shuffled, key=key)


def _busy(candidate: Candidate) -> float:
    return candidate.load + candidate.placements


def _pack_key(request: Request, candidate: Candidate) -> tuple[Any, ...]:
    return (-_share_used(request, candidate), -candidate.load, not candidate.local, candidate.node)


def _share_used(request: Request, candidate: Candidate) -> float:
    return request.resources.share_used(candidate.total, candidate.available)


def _verdict(request: Request, known: Sequence[Candidate]) -> Verdict:
    if not known:
        return Verdict(str(request), "none: no node of the cluster takes work", None)
    best = min(known, key=lambda candidate: _distance(request, candidate))
    lacks = [selector.mismatch(best.labels) for selector in request.labels if not selector.matches(best.labels)]
    short = request.resources.shortfall(best.total)
    if short:
        lacks.append(f"short of {short}")
    if not _is_allowed(request, best):
        lacks.append("not the node asked for")
    return Verdict(str(request), f"{best.node}, which has {best.total} ({'; '.join(lacks)})", best.node)


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
