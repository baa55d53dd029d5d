"""Cycles until reach is back after a crash: HyParView's healing time.

After the crash every cycle begins with ten messages from random survivors and ends with the membership step of every
node. Healed is the first cycle whose messages reach, on average, what ten messages did before the crash (0.5 points
less will do for the baselines, whose reach is subject to chance even without failures).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from partisan_actors.simulation.cycles import CycleEngine
from partisan_actors.simulation.papers.baselines import stable_cyclon
from partisan_actors.simulation.papers.experiment import Experiment
from partisan_actors.simulation.papers.failures import Floods, crash
from partisan_actors.simulation.papers.gossip import gossip
from partisan_actors.simulation.papers.judging import Quantity
from partisan_actors.simulation.papers.overlays import SHUFFLE, stable_overlay
from partisan_actors.simulation.streams import stream

__all__ = ["EXPERIMENT"]

FAILED = (10, 30, 50, 70, 80, 90)
BASELINE_FAILED = (10, 30, 50)
MESSAGES = 10
CYCLES_MAX = 30
TOLERANCE = 0.5  # points, for gossip


def measure(seed: int, nodes: int) -> dict[str, float]:
    """HyParView: cycles until ten messages in a row reach every survivor that knows one."""
    seen: dict[str, float] = {}
    for failed in FAILED:
        engine = CycleEngine.restored(stable_overlay(seed, nodes).stable)
        crash(engine, failed / 100)
        engine.slow_failures = True
        engine.break_connections()
        floods, rng = Floods(engine), stream(seed, failed, "healing")
        live = [node for node in engine.live if isinstance(node, int)]

        def message(
            engine: CycleEngine = engine, floods: Floods = floods, live: list[int] = live, rng: Random = rng
        ) -> float:
            reach = floods.share(rng.choice(live))
            if engine.tell_failures():
                floods.look_again()
            return reach

        seen[f"hyparview cycles {failed}%"], seen[f"hyparview end {failed}%"] = _heal(engine, message, 100.0, floods)
    return seen


def baseline(seed: int, nodes: int) -> dict[str, float]:
    """Cyclon: every cycle a node offers a swap to its oldest entry, and drops it in doing so."""
    seen: dict[str, float] = {}
    for failed in BASELINE_FAILED:
        engine = CycleEngine.restored(stable_cyclon(seed, nodes))
        rng = stream(seed, failed, "healing")
        before = sum(gossip(engine, rng.randrange(nodes), rng)[0] for _ in range(MESSAGES)) / MESSAGES
        crash(engine, failed / 100)
        live = [node for node in engine.live if isinstance(node, int)]
        gossiped = partial(_gossiped, engine, live, rng)
        seen[f"cyclon cycles {failed}%"], _ = _heal(engine, gossiped, before - TOLERANCE, None)
    return seen


def _flooded(engine: CycleEngine, floods: Floods, live: list[int], rng: Random) -> float:
    reach = floods.share(rng.choice(live))
    if engine.tell_failures():
        floods.look_again()
    return reach


def _gossiped(engine: CycleEngine, live: list[int], rng: Random) -> float:
    return gossip(engine, rng.choice(live), rng)[0]


def _heal(engine: CycleEngine, message: Callable[[], float], enough: float, floods: Floods | None) -> tuple[int, float]:
    """The first cycle that is good enough, or CYCLES_MAX; and the reach in it."""
    reach = 0.0
    for cycle in range(CYCLES_MAX):
        reach = sum(message() for _ in range(MESSAGES)) / MESSAGES
        if reach >= enough:
            return cycle, reach
        engine.cycle(SHUFFLE)
        if floods is not None:
            floods.look_again()
    return CYCLES_MAX, reach


def quantities(nodes: int) -> list[Quantity]:
    """See `Experiment`."""
    found = [
        Quantity(f"{name} cycles {failed}%", f"{label}: {failed} % failed, cycles", 1, line=label, x=failed)
        for name, label, levels in (("hyparview", "HyParView", FAILED), ("cyclon", "Cyclon", BASELINE_FAILED))
        for failed in levels
    ]
    found += [
        Quantity(f"hyparview end {failed}%", f"HyParView: {failed} % failed, reach % in that cycle")
        for failed in FAILED
    ]
    return found


EXPERIMENT = Experiment(
    name="hyparview-healing",
    title="HyParView: cycles until reach is back",
    setting="cycle engine; crash as in hyparview-recovery; each cycle is ten messages, then every node's shuffle",
    measure=measure,
    quantities=quantities,
    baseline=baseline,
    x_label="failed nodes, %",
    y_label="cycles",
    notes=(
        "The paper draws this (TR-07-13, healing time); its values were not read out, so ours stand alone.",
        f"{CYCLES_MAX} means: not healed by then. A survivor of whose views nobody survived stays out for good.",
    ),
)
