"""`Scenario`: one run as a value, and `play`, which makes it happen and says what came of it.

A run has two phases. While the cluster grows and faults happen, only safety is asked for: see `safety`. Then the faults
stop, nothing more is done to the cluster, and within `within_s` its nodes have to become one symmetric overlay (a full
mesh a complete one) with one map, where a broadcast reaches everybody. Uniform faults alone would hide a cluster that
stands still for ever.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.faults.operations import Crash, Join, Leave, Restart
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.messages import message_types
from partisan_actors.simulation.checkers import (
    CheckFailed,
    asymmetric_links,
    check_complete,
    check_connected,
    check_converged,
    check_delivered_once,
    check_symmetric,
    check_truthful,
    components,
    eventually,
    mean_degree,
)
from partisan_actors.simulation.clock import nanoseconds
from partisan_actors.simulation.coverage import Coverage
from partisan_actors.simulation.deaths import Deaths
from partisan_actors.simulation.faulty import GOODBYE_S, FaultySimulation, Observer
from partisan_actors.simulation.latency import latency_of
from partisan_actors.simulation.lives import FirstNames
from partisan_actors.simulation.machines import UnsoundStrategy
from partisan_actors.simulation.plans import PlanRun
from partisan_actors.simulation.safety import Safety
from partisan_actors.simulation.stacks import Stacks
from partisan_actors.simulation.workload import NEWS, Workload

__all__ = ["Outcome", "Scenario", "play"]

NODES_MAX: Final = 100_000
# A broadcast after the faults: the tree may have to be mended on its way.
BROADCAST_WITHIN_S: Final = 60.0
# When whoever dials in vain is told so: by the other host, or by nobody but its own patience.
FAILURE_DELAY_S: Final = 0.1
DIAL_S: Final = 5.0
# What can neither delay a message nor lose one; and how long after the other faults messages may still be late.
HARMLESS: Final = (Crash, Restart, Join, Leave)
LATE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that a run follows from. Raises ConfigError when a value is not valid.

    Nodes n0, n1, ... join one after the other, `join_interval_s` apart (0: all at once), while the plan begins.
    `per_s` is how often somebody broadcasts or writes, until the faults are over. Where all is `silent`, no connection
    tells that it broke: see `machines`. Then every node has a failure detector, and what that does is checked, too.
    """

    stacks: Stacks = field(default_factory=Stacks)
    nodes: int = 50
    seed: int = 1
    plan: FaultPlan = field(default_factory=FaultPlan)
    latency: str = "uniform:0.001:0.005"
    join_interval_s: float = 0.01
    per_s: float = 1.0
    within_s: float = 300.0
    silent: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.nodes <= NODES_MAX:
            raise ConfigError("nodes", self.nodes, f"a whole number from 1 to {NODES_MAX}")
        for name, most in (("join_interval_s", 3_600.0), ("per_s", 10_000.0), ("within_s", 86_400.0)):
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(name, getattr(self, name), f"from 0 to {most:g}")
        latency_of(self.latency, self.seed)
        self.stacks.check()
        joining = sum(each.count for each in self.plan.operations if isinstance(each, Join))
        self.plan.check(FirstNames(self.nodes + joining), kinds=self.stacks.tags(self.silent))

    @property
    def chaos_s(self) -> float:
        """How long the first phase takes."""
        return max(self.join_interval_s * self.nodes, self.plan.end_s) + GOODBYE_S + 1.0

    def with_plan(self, plan: FaultPlan) -> Scenario:
        """The same run under another plan."""
        return replace(self, plan=plan)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run. `failure` says which check failed, with seed and time; None: all held.

    `choices` are those of the plan's operations; messages are counted by tag, as they were sent.
    """

    failure: str | None
    seed: int
    nodes_up: int
    now_s: float
    healed_s: float | None  # from the end of the faults to everything being right; None: not reached
    pieces: int
    asymmetric: int
    mean_degree: float
    broadcasts: int
    deliveries: int
    writes: int
    lost: int
    steps: int
    messages: Mapping[str, int]
    choices: Mapping[int, Mapping[str, Any]]

    @property
    def connected(self) -> bool:
        return self.pieces <= 1

    def to_data(self) -> dict[str, Any]:
        """For JSON: everything but the choices."""
        data = asdict(self)
        del data["choices"]
        return {**data, "connected": self.connected, "symmetric": not self.asymmetric}


def play(
    scenario: Scenario,
    coverage: Coverage | None = None,
    on_event: Callable[[str], None] | None = None,
    observers: Sequence[Observer] = (),
) -> Outcome:
    """Run it. What fails is told in the outcome; ConfigError is raised for overlay options that are not valid."""
    safety = Safety()
    deaths = [Deaths(_undisturbed_s(scenario.plan))] if scenario.silent else []
    watchers = [safety, *deaths, *([coverage] if coverage is not None else ()), *observers]
    simulation = FaultySimulation(
        scenario.seed,
        replace(scenario.stacks, detector=scenario.silent),
        latency=latency_of(scenario.latency, scenario.seed),
        on_event=on_event,
        observers=watchers,
        contacts_of=scenario.stacks.contacts_of,
        failure_delay_s=DIAL_S if scenario.silent else FAILURE_DELAY_S,
        silent=scenario.silent,
    )
    if coverage is not None:
        coverage.plan(scenario.plan)
    for number in range(scenario.nodes):
        simulation.clock.at(nanoseconds(number * scenario.join_interval_s), _add_new, simulation)
    run = PlanRun(simulation, scenario.plan)
    workload = Workload(simulation, scenario.per_s, scenario.chaos_s)
    checks = [check_connected, check_symmetric, check_truthful, check_converged]
    if scenario.stacks.overlay == "full_mesh":
        checks.append(check_complete)
    healed_s, failure = None, None
    try:
        simulation.run_for(scenario.chaos_s)
        healed_s = eventually(simulation, *checks, within_s=scenario.within_s)
        _broadcast_to_all(simulation)
        eventually(simulation, *checks, within_s=scenario.within_s)
    except (CheckFailed, UnsoundStrategy) as error:
        failure = str(error)
    except Exception as error:  # noqa: BLE001  # a strategy may be anybody's, and may raise anything
        failure = _broke(simulation, error)
    return Outcome(
        failure=failure,
        seed=scenario.seed,
        nodes_up=len(simulation.live),
        now_s=simulation.now_s,
        healed_s=healed_s,
        pieces=len(components(simulation)),
        asymmetric=len(asymmetric_links(simulation)),
        mean_degree=mean_degree(simulation) if simulation.live else 0.0,
        broadcasts=workload.broadcasts,
        deliveries=len(simulation.deliveries),
        writes=workload.writes,
        lost=simulation.lost,
        steps=safety.steps,
        messages=_by_tag(simulation.sent),
        choices=run.choices,
    )


def _undisturbed_s(plan: FaultPlan) -> float:
    """From when on no fault is in the way of a message."""
    disturbing = [operation for operation in plan.operations if not isinstance(operation, HARMLESS)]
    return FaultPlan(tuple(disturbing)).end_s + LATE_S if disturbing else 0.0


def _broadcast_to_all(simulation: FaultySimulation) -> None:
    live = simulation.live
    for origin, payload in ((live[0], "first"), (live[-1], "last")) if live else ():
        simulation.broadcast(origin, NEWS, payload)
        delivered = partial(check_delivered_once, topic=NEWS, payload=payload, origin=origin)
        eventually(simulation, delivered, within_s=BROADCAST_WITHIN_S)


def _add_new(simulation: FaultySimulation) -> None:
    simulation.add_new()


def _broke(simulation: FaultySimulation, error: Exception) -> str:
    """An exception as a failed check: what it was, and where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__}: {error} (in {place.name}, {Path(place.filename).name}:{place.lineno})"
    return f"seed {simulation.seed}, at {simulation.now_s:.3f} s: a protocol broke with {text}"


def _by_tag(counts: Mapping[type, int]) -> dict[str, int]:
    tags = {kind: tag for tag, kind in message_types().items()}
    return dict(sorted((tags.get(kind, kind.__name__), count) for kind, count in counts.items()))
