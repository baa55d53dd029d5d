"""`PlanRun`: a `FaultPlan` that happens to a simulated cluster.

What chance selects comes from one stream for each operation and field, so that operations do not shift each other's
choices. `choices` has them written down, for `FaultPlan.with_choices`: the plan with its choices written out happens
exactly as the one that they were drawn for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from partisan_actors.faults.operations import (
    Crash,
    Cut,
    Delay,
    Duplicate,
    Hold,
    Join,
    Leave,
    Loss,
    NetworkSpan,
    Operation,
    Reorder,
    Reset,
    Restart,
    Slow,
    Stall,
)
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.faults.rules import Rule
from partisan_actors.faults.selectors import Group, Selector, is_drawn, select
from partisan_actors.faults.sides import Sided, fields_of, groups_of
from partisan_actors.protocols.machine import Peer
from partisan_actors.simulation.clock import nanoseconds
from partisan_actors.simulation.lives import name_of
from partisan_actors.simulation.streams import stream

__all__ = ["Faulty", "PlanRun", "Timer"]


class Timer(Protocol):
    """What a plan needs of a clock."""

    @property
    def now_ns(self) -> int:
        """Virtual nanoseconds since the beginning."""
        ...

    def at(self, time_ns: int, function: Callable[..., None], *arguments: Any) -> None:
        """Call `function(*arguments)` at `time_ns`."""
        ...


class Faulty(Protocol):
    """What a plan needs of a cluster: of bare machines (`FaultySimulation`) or of whole nodes (`SimulatedCluster`)."""

    @property
    def seed(self) -> int: ...

    @property
    def clock(self) -> Timer: ...

    @property
    def live(self) -> Sequence[Peer]: ...

    @property
    def lives(self) -> Mapping[str, Peer]: ...

    def impose(self, rule: Rule) -> None: ...

    def lift(self, rule: Rule) -> None: ...

    def reset(self, first: Group, second: Group, half_open: bool = False) -> None: ...

    def slow_down(self, node: Any, input_s: float, for_s: float) -> None: ...

    def stall(self, node: Any, for_s: float) -> None: ...

    def kill(self, *nodes: Any) -> None: ...

    def leave_and_go(self, node: Any) -> None: ...

    def restart(self, name: str) -> Peer: ...

    def add_new(self) -> Peer: ...


class PlanRun:
    """Schedules every operation of `plan`, counted from the moment this is made."""

    def __init__(self, simulation: Faulty, plan: FaultPlan) -> None:
        self.choices: dict[int, dict[str, Selector]] = {}
        self._simulation = simulation
        self._spared = plan.spared
        start_ns = simulation.clock.now_ns
        for index, operation in enumerate(plan.operations):
            simulation.clock.at(start_ns + nanoseconds(operation.at_s), self._begin, index, operation)

    def _begin(self, index: int, operation: Operation) -> None:
        simulation = self._simulation
        match operation:
            case Loss() | Delay() | Duplicate() | Reorder() | Cut() | Hold():
                self._impose(operation, *self._groups(index, operation))
            case Reset():
                simulation.reset(*self._groups(index, operation), operation.half_open)
            case Slow():
                for node in self._nodes(index, operation.nodes):
                    simulation.slow_down(node, operation.input_s, operation.until_s - operation.at_s)
            case Stall():
                for node in self._nodes(index, operation.nodes):
                    simulation.stall(node, operation.until_s - operation.at_s)
            case Crash():
                simulation.kill(*self._nodes(index, operation.nodes))
            case Leave():
                for node in self._nodes(index, operation.nodes):
                    simulation.leave_and_go(node)
            case Restart():
                live = frozenset(simulation.live)
                down = [name for name, life in simulation.lives.items() if life not in live]
                for name in self._selected(index, operation.nodes, down):
                    simulation.restart(name)
            case Join():
                for _ in range(operation.count):
                    simulation.add_new()

    def _impose(self, operation: NetworkSpan, first: Group, second: Group) -> None:
        rule = Rule(operation, first, second)
        self._simulation.impose(rule)
        clock = self._simulation.clock
        clock.at(clock.now_ns + nanoseconds(operation.until_s - operation.at_s), self._simulation.lift, rule)

    def _nodes(self, index: int, selector: Selector) -> list[Peer]:
        return [self._simulation.lives[name] for name in self._selected(index, selector, self._live())]

    def _selected(self, index: int, selector: Selector, names: Sequence[str]) -> tuple[str, ...]:
        chosen = select(selector, names, stream(self._simulation.seed, index, "select nodes"), self._spared)
        if is_drawn(selector):
            self.choices.setdefault(index, {})["nodes"] = chosen
        return chosen

    def _groups(self, index: int, operation: Sided) -> tuple[Group, Group]:
        names, seed = self._live(), self._simulation.seed
        groups = groups_of(operation, names, lambda field: stream(seed, index, f"select {field}"))
        for (field, selector), found in zip(fields_of(operation), groups, strict=True):
            if is_drawn(selector):
                self.choices.setdefault(index, {})[field] = tuple(name for name in names if name in found)
        return groups

    def _live(self) -> list[str]:
        return [name_of(node) for node in self._simulation.live]
