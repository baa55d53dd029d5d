"""Plumtree after a crash of many nodes: what lazy links make good of the broken tree, and how soon it is one again.

A stable overlay carries a stable tree; a share of the nodes crashes in one instant; then, cycle by cycle, one broadcast
runs to the end and every node takes its membership step. As in `failures`, connections break after the first broadcast,
and one attempt to connect fails a cycle. Every broadcast starts in the component that is the largest at that moment,
since what a message reaches that starts elsewhere says nothing about Plumtree.
"""

from __future__ import annotations

from typing import Final

from partisan_actors.simulation.cycles import CycleEngine
from partisan_actors.simulation.papers import oracles
from partisan_actors.simulation.papers.experiment import Experiment
from partisan_actors.simulation.papers.failures import crash
from partisan_actors.simulation.papers.graphs import components
from partisan_actors.simulation.papers.judging import Quantity
from partisan_actors.simulation.papers.overlays import STACKED_SHUFFLE, links_of, stable_overlay
from partisan_actors.simulation.papers.trees import Trees
from partisan_actors.simulation.streams import stream

__all__ = ["EXPERIMENT"]

FAILED: Final = (20, 30, 40, 50, 60, 70, 80)
FIRST: Final = (20, 30, 40, 50, 60, 70)  # for which there is a giant component
REDUNDANT: Final = (20, 30, 40, 50, 60)
CYCLES: Final = 6
SETTLING: Final = 4  # broadcasts that make the tree


def measure(seed: int, nodes: int) -> dict[str, float]:
    """Every level of failure over the same overlay and tree."""
    engine = CycleEngine.restored(stable_overlay(seed, nodes).stable)
    trees, rng = Trees.planted(engine), stream(seed, nodes, "trees")
    for _ in range(SETTLING):
        trees.send(rng.randrange(nodes))
    settled = engine.snapshot()
    seen: dict[str, float] = {}
    for failed in FAILED:
        seen |= _after(settled, failed)
    return seen


def _after(settled: bytes, failed: int) -> dict[str, float]:
    engine = CycleEngine.restored(settled)
    trees, rng = Trees(engine), stream(engine.seed, failed, "after")
    engine.slow_failures = True
    crash(engine, failed / 100)
    seen: dict[str, float] = {}
    for cycle in range(CYCLES):
        graph = links_of(engine)
        giant = components(graph)[0]
        cost = trees.send(rng.choice(giant))
        reach = 100 * cost.reached / len(graph)
        if cycle == 0:
            arcs = sum(peer in graph for node in giant for peer in graph[node])
            seen[f"giant {failed}%"] = 100 * len(giant) / len(graph)
            seen[f"first reach {failed}%"] = reach
            seen[f"missed {failed}%"] = len(giant) - cost.reached
            seen[f"eager rmr {failed}%"] = (arcs - (len(giant) - 1)) / max(len(giant) - 1, 1) - 1
            engine.break_connections()
        seen[f"plumtree reach {failed}% cycle {cycle}"] = reach
        seen[f"plumtree rmr {failed}% cycle {cycle}"] = cost.redundancy
        engine.tell_failures()
        engine.cycle(STACKED_SHUFFLE)
    return seen


def quantities(nodes: int) -> list[Quantity]:
    """See `Experiment`."""
    found = []
    for failed in FIRST:
        label = f"{failed} % failed: reach % of the first message from the giant component"
        found.append(Quantity(f"first reach {failed}%", label, oracle=oracles.giant_reach(failed / 100)))
    for failed in FIRST:
        key, label = f"missed {failed}%", f"{failed} % failed: nodes of its component that it missed"
        found.append(Quantity(key, label, 1, oracle=0))
    for failed in REDUNDANT:
        oracle = oracles.eager_redundancy_after_failure(failed / 100)
        found.append(
            Quantity(f"eager rmr {failed}%", f"{failed} % failed: RMR of a flood, first message", 3, oracle=oracle)
        )
    for failed in FAILED:
        for cycle in range(CYCLES):
            key, label = f"plumtree reach {failed}% cycle {cycle}", f"{failed} % failed: reach % in cycle {cycle}"
            line = f"{failed} % failed"
            found.append(Quantity(key, label, line=line, x=cycle, in_table=failed in (60, 80) and cycle < 4))
    return found + [
        Quantity(f"plumtree rmr {failed}% cycle {cycle}", f"{failed} % failed: RMR in cycle {cycle}", 3)
        for failed in (40, 60, 80)
        for cycle in range(CYCLES)
    ]


EXPERIMENT = Experiment(
    name="plumtree-failures",
    title="Plumtree: reach and redundancy after failures, cycle by cycle",
    setting="cycle engine; stable overlay and tree, random senders; a cycle is a broadcast, then every node's shuffle",
    measure=measure,
    quantities=quantities,
    x_label="cycles after the failure",
    y_label="reach, % of survivors",
    notes=(
        "Oracle: site percolation on a random 5-regular graph; for the flood's RMR the mean degree inside its giant"
        " component, less 2. Payloads to dead nodes are not counted.",
        "A first reach at 60-70 % is of messages that start in the giant component; the paper's means mix them.",
    ),
)
