"""`swarm`: runs that follow from nothing but a number each: size, overlay, faults and workload are drawn from its seed.

What fails is pinned (what chance selected is written out) and shrunk, so that the answer to a seed is either nothing or
the smallest plan found under which that cluster breaks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.faults.operations import (
    Crash,
    Cut,
    Delay,
    Duplicate,
    Hold,
    Join,
    Leave,
    Loss,
    Operation,
    Reorder,
    Reset,
    Restart,
    Slow,
    Stall,
)
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.faults.selectors import ALL, REST, Selector
from partisan_actors.faults.shrink import shrink
from partisan_actors.simulation.coverage import Coverage
from partisan_actors.simulation.scenario import Outcome, Scenario, play
from partisan_actors.simulation.stacks import Stacks
from partisan_actors.simulation.streams import stream

__all__ = ["SHRINK_TRIES_MAX", "Swarm", "Verdict", "draw_plan", "judge_seed"]

# The first node is everybody's contact: as long as it is up, nobody has a reason to be alone.
SPARED: Final = ("n0",)
CHAOS_S: Final = 60.0
OPERATIONS_MAX: Final = 12
SHRINK_TRIES_MAX: Final = 200
# How many of the clusters learn of failures by their detectors alone.
SILENT_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Swarm:
    """What is the same in all runs: which overlays there are to draw from, and how large clusters become."""

    overlays: Sequence[str] = ("hyparview",)
    overlay_options: Mapping[str, Any] = field(default_factory=dict)
    nodes_max: int = 40
    within_s: float = 300.0

    def check(self) -> None:
        """Raises ConfigError when there is no such overlay, or the options are not valid for one of them."""
        for overlay in self.overlays:
            Stacks(overlay, self.overlay_options).check()

    def scenario(self, seed: int) -> Scenario:
        """The run that follows from `seed`. Raises ConfigError when the options are not valid for its overlay."""
        rng = stream(seed, "swarm", "scenario")
        overlay = rng.choice(list(self.overlays))
        broadcast = "flood" if rng.random() < 0.1 else "plumtree"
        few = rng.random() < 0.5  # small clusters have more corners
        nodes = rng.randint(2, min(8, self.nodes_max)) if few else rng.randint(2, self.nodes_max)
        return Scenario(
            stacks=Stacks(overlay, self.overlay_options, broadcast),
            nodes=nodes,
            seed=seed,
            plan=draw_plan(rng),
            latency=rng.choice(["uniform:0.001:0.005", "constant:0.002", "lognormal:0.01:1", "plane:0.1"]),
            join_interval_s=rng.choice([0.0, 0.01, 0.5]),
            per_s=rng.choice([0.5, 2.0, 5.0]),
            within_s=self.within_s,
            silent=rng.random() < SILENT_SHARE,
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one seed. Of a failure: the run with the smallest plan found, what fails there, and the tries."""

    seed: int
    outcome: Outcome
    smallest: Scenario | None
    failure: str | None
    tries: int
    is_minimal: bool
    situations: Mapping[str, int]


def judge_seed(swarm: Swarm, seed: int, shrink_tries_max: int = SHRINK_TRIES_MAX) -> Verdict:
    """Play the run that follows from `seed`; if it fails, find out how little it takes."""
    scenario = swarm.scenario(seed)
    coverage = Coverage()
    outcome = play(scenario, coverage)
    if outcome.failure is None:
        return Verdict(seed, outcome, None, None, 0, True, coverage.counts)
    pinned = scenario.plan.with_choices(outcome.choices)
    start = pinned if _fails(scenario)(pinned) else scenario.plan
    shrunk = shrink(start, _fails(scenario), shrink_tries_max)
    smallest = replace(scenario, plan=shrunk.plan)
    return Verdict(seed, outcome, smallest, play(smallest).failure, shrunk.tries, shrunk.is_minimal, coverage.counts)


def _fails(scenario: Scenario) -> Callable[[FaultPlan], bool]:
    def fails(plan: FaultPlan) -> bool:
        try:
            smaller = scenario.with_plan(plan)
        except ConfigError:  # it names a node that joins no more: the names go first
            return False
        return play(smaller).failure is not None

    return fails


def draw_plan(rng: random.Random) -> FaultPlan:
    """Up to OPERATIONS_MAX faults of any kind within CHAOS_S. Most nodes stay up, and n0 always."""
    kinds = rng.sample(list(_DRAW), rng.randint(1, len(_DRAW)))  # of some kinds many, of others none
    operations = [_DRAW[rng.choice(kinds)](rng) for _ in range(rng.randint(1, OPERATIONS_MAX))]
    return FaultPlan(tuple(sorted(operations, key=lambda operation: operation.at_s)), SPARED)


def _moment(rng: random.Random) -> float:
    return round(rng.uniform(0.0, CHAOS_S / 2), 2)


def _span(rng: random.Random, longest_s: float) -> tuple[float, float]:
    at_s = _moment(rng)
    return at_s, round(at_s + rng.uniform(0.5, longest_s), 2)


def _some(rng: random.Random) -> Selector:
    return rng.choice(["1 random", "1 random", "2 random", "3 random", "20%", "30%", "50%"])


def _anybody(rng: random.Random) -> Selector:
    return ALL if rng.random() < 0.5 else _some(rng)


def _other(rng: random.Random) -> Selector:
    return REST if rng.random() < 0.6 else _some(rng)


def _few(rng: random.Random) -> Selector:
    return rng.choice(["1 random", "1 random", "2 random", "20%"])


_DRAW: Final[Mapping[type[Operation], Callable[[random.Random], Operation]]] = {
    Loss: lambda rng: Loss(*_span(rng, 20.0), round(rng.uniform(0.01, 0.5), 2), _anybody(rng), _anybody(rng)),
    Delay: lambda rng: Delay(
        *_span(rng, 20.0),
        round(rng.uniform(0.0, 2.0), 2),
        round(rng.uniform(0.0, 2.0), 2),
        _anybody(rng),
        _anybody(rng),
    ),
    Duplicate: lambda rng: Duplicate(
        *_span(rng, 20.0), round(rng.uniform(0.01, 0.5), 2), senders=_anybody(rng), receivers=_anybody(rng)
    ),
    Reorder: lambda rng: Reorder(*_span(rng, 20.0), round(rng.uniform(0.1, 0.9), 2), round(rng.uniform(0.1, 3.0), 2)),
    Cut: lambda rng: Cut(*_span(rng, 30.0), _some(rng), _other(rng), rng.random() < 0.5),
    Hold: lambda rng: Hold(*_span(rng, 15.0), _some(rng), _other(rng), rng.random() < 0.5),
    Slow: lambda rng: Slow(*_span(rng, 20.0), _some(rng), round(rng.uniform(0.001, 0.2), 3)),
    Stall: lambda rng: Stall(*_span(rng, 15.0), _some(rng)),
    Reset: lambda rng: Reset(_moment(rng), _some(rng), _anybody(rng), rng.random() < 0.5),
    Crash: lambda rng: Crash(_moment(rng), _few(rng)),
    Restart: lambda rng: Restart(_moment(rng), _anybody(rng)),
    Join: lambda rng: Join(_moment(rng), rng.randint(1, 5)),
    Leave: lambda rng: Leave(_moment(rng), _few(rng)),
}
