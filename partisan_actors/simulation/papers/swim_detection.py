"""How long SWIM takes to notice a crash, and what it costs: groups in which everybody watches everybody.

In virtual time, with a latency far below the period. As in the paper's analysis all periods begin together, the crash
comes at the beginning of one, and what is measured is when the first member suspects the dead one. Groups are of the
paper's sizes, since its claim is that neither the time nor a member's load depends on the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, cast

from partisan_actors.protocols.detector.opinions import Confirmed, Suspected
from partisan_actors.protocols.detector.swim import Swim
from partisan_actors.protocols.detector.swim_options import SwimOptions
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation.machines import Simulation
from partisan_actors.simulation.network import constant_latency
from partisan_actors.simulation.papers import oracles
from partisan_actors.simulation.papers.experiment import Experiment
from partisan_actors.simulation.papers.judging import Quantity
from partisan_actors.simulation.streams import stream

__all__ = ["EXPERIMENT", "Group"]

SIZES: Final = (8, 16, 32, 56)
GROUPS: Final = 8  # of each size, for each seed
VICTIMS: Final = 3  # in each group, one after the other
OPTIONS: Final = replace(SwimOptions.classic(period_s=1.0, timeout_s=0.3), spreads_start=False)
LATENCY_S: Final = 0.005
WARM_UP: Final = 4  # periods
PATIENCE: Final = 25  # periods, in which a death is noticed and told


class _Member:
    """A detector by itself, where `Simulation` has a stack. It notes what its detector is sure of."""

    def __init__(self, me: int, count: int, simulation: Simulation, told: list[tuple[float, int, object]]) -> None:
        self.swim = Swim(me, OPTIONS, simulation.stream(me, "swim"))
        self._me, self._count, self._told = me, count, told

    def start(self, now: float) -> list[Any]:
        for peer in range(self._count):
            self.swim.watch(peer, now)
        return self._noted(self.swim.start(now), now)

    def receive(self, sender: Peer, message: object, now: float) -> list[Any]:
        return self._noted(self.swim.receive(sender, message, now), now)

    def peer_up(self, peer: Peer, now: float) -> list[Any]:
        return []

    def peer_down(self, peer: Peer, now: float) -> list[Any]:
        return self._noted(self.swim.peer_down(peer, now), now)

    def timer_fired(self, name: str, now: float) -> list[Any]:
        return self._noted(self.swim.timer_fired(name, now), now)

    def _noted(self, effects: Sequence[Any], now: float) -> list[Any]:
        carried = []
        for effect in effects:
            if isinstance(effect, Suspected | Confirmed):
                self._told.append((now, self._me, effect))
            else:
                carried.append(effect)
        return carried


class Group:
    """Members 0 to `count` - 1."""

    def __init__(self, count: int, seed: int) -> None:
        self.simulation = Simulation(seed, constant_latency(LATENCY_S))
        self.told: list[tuple[float, int, object]] = []
        for member in range(count):
            self.simulation.add(member, lambda simulation, me: self._make(simulation, me, count))

    def _make(self, simulation: Simulation, me: Peer, count: int) -> ProtocolStack:
        assert isinstance(me, int)
        # A Simulation asks nothing of a stack that a member has not.
        return cast("ProtocolStack", _Member(me, count, simulation, self.told))

    def run_periods(self, count: float) -> None:
        """Let so many protocol periods pass."""
        self.simulation.run_for(count * OPTIONS.period_s)

    def times(self, kind: type, peer: int) -> list[float]:
        """When each member told that of `peer`, in order."""
        return [at for at, _, what in self.told if isinstance(what, kind) and getattr(what, "peer", None) == peer]


def measure(seed: int, nodes: int) -> dict[str, float]:
    """Groups of every size. `nodes` is not asked: they are as large as the paper's."""
    seen: dict[str, float] = {}
    firsts: list[float] = []
    for count in SIZES:
        noticed, spread, load = [], [], 0.0
        for number in range(GROUPS):
            group = Group(count, seed * GROUPS + number)
            group.run_periods(0.5)
            before = group.simulation.sent.total()
            group.run_periods(WARM_UP)
            load += (group.simulation.sent.total() - before) / count / WARM_UP / GROUPS
            group.run_periods(0.49)
            for victim in stream(group.simulation.seed, count, "victims").sample(range(count), VICTIMS):
                began = group.simulation.now_s + 0.01 * OPTIONS.period_s
                group.simulation.kill(victim)
                group.run_periods(PATIENCE)
                suspected = [(at - began) / OPTIONS.period_s for at in group.times(Suspected, victim)]
                noticed.append(suspected[0])
                spread.append(suspected[len(suspected) // 2] - suspected[0])
        firsts += noticed
        seen |= {
            f"first detection of {count}": sum(noticed) / len(noticed),
            f"dissemination of {count}": sorted(spread)[len(spread) // 2],
            f"load of {count}": load,
        }
    seen["first detection"] = sum(firsts) / len(firsts)
    return seen


def quantities(nodes: int) -> list[Quantity]:
    """See `Experiment`."""
    mean = sum(oracles.swim_first_detection_periods(count) for count in SIZES) / len(SIZES)
    first, spread = "first detection", "from the first to the median member"
    return [
        Quantity(first, f"{first}, periods, all sizes", oracle=mean),
        *(
            Quantity(
                f"first detection of {count}",
                f"{count} members: {first}, periods",
                oracle=oracles.swim_first_detection_periods(count),
                line=first,
                x=count,
            )
            for count in SIZES
        ),
        *(
            Quantity(f"dissemination of {count}", f"{count} members: {spread}, periods", line=spread, x=count)
            for count in SIZES
        ),
        *(
            Quantity(f"load of {count}", f"{count} members: messages sent, a member and period", oracle=2.0)
            for count in SIZES
        ),
    ]


EXPERIMENT = Experiment(
    name="swim-detection",
    title="SWIM: the first to notice a crash, and what watching costs",
    setting=(
        f"virtual time; groups of {', '.join(map(str, SIZES))} in which all watch all, {GROUPS} of each with {VICTIMS}"
        " crashes a seed, whatever the number of nodes; classic SWIM with one helper, periods begin together, no loss"
    ),
    measure=measure,
    quantities=quantities,
    x_label="members",
    y_label="protocol periods",
    notes=(
        "Oracle: nobody picks the dead one in a period with a chance of (1 - 1/(n-1))^(n-1), so the mean tends to"
        " e/(e-1). A probe is judged at its period's end, so a crash is found at the end of some period.",
        "Where each member has periods of its own, as in a real node, it is about 2 periods.",
    ),
)
