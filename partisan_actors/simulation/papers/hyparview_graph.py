"""The shape of the overlay at rest: HyParView's table 1 and figure 5, and how mean degree gets there cycle by cycle."""

from __future__ import annotations

from collections import Counter

from partisan_actors.simulation.cycles import CycleEngine
from partisan_actors.simulation.papers import oracles
from partisan_actors.simulation.papers.baselines import OPTIONS as CYCLON
from partisan_actors.simulation.papers.baselines import stable_cyclon
from partisan_actors.simulation.papers.experiment import Experiment
from partisan_actors.simulation.papers.gossip import gossip
from partisan_actors.simulation.papers.graphs import components, distances, mean_clustering, mean_degree
from partisan_actors.simulation.papers.judging import Quantity
from partisan_actors.simulation.papers.overlays import CYCLES, links_of, stable_overlay
from partisan_actors.simulation.streams import stream

__all__ = ["EXPERIMENT"]

SOURCES = 100  # of breadth-first searches: the error of the mean path is below 0.01
MESSAGES = 20  # gossiped over Cyclon for the hops of the last delivery
SHOWN_CYCLES = tuple(range(11))
DEGREES = (5, 4, 3, 2, 1)


def measure(seed: int, nodes: int) -> dict[str, float]:
    """HyParView's active views."""
    overlay = stable_overlay(seed, nodes)
    graph, rng = overlay.links, stream(seed, nodes, "sources")
    far, degrees = distances(graph, rng, SOURCES), Counter(len(peers) for peers in graph.values())
    seen: dict[str, float] = {f"hyparview degree cycle {cycle}": overlay.degrees[cycle] for cycle in SHOWN_CYCLES}
    seen[f"hyparview degree cycle {CYCLES}"] = overlay.degrees[CYCLES]
    seen |= {f"hyparview nodes of degree {degree}": degrees[degree] for degree in DEGREES}
    seen |= {
        "share of degree 5": 100 * degrees[5] / nodes,
        "one-sided links": sum(node not in graph[peer] for node in graph for peer in graph[node]),
        "pieces": len(components(graph)),
        "hyparview path": far.path,
        "hyparview hops": far.hops_mean,
        "hyparview hops max": far.hops_max,
        "hyparview clustering": mean_clustering(graph),
    }
    return seen


def baseline(seed: int, nodes: int) -> dict[str, float]:
    """Cyclon's views; hops are those of the last delivery of a gossiped message, as for HyParView."""
    engine = CycleEngine.restored(stable_cyclon(seed, nodes))
    graph, rng = links_of(engine), stream(seed, nodes, "sources")
    in_degrees = Counter(peer for peers in graph.values() for peer in peers)
    hops = [gossip(engine, rng.randrange(nodes), rng)[1] for _ in range(MESSAGES)]
    return {
        "cyclon path": distances(graph, rng, SOURCES // 2).path,
        "cyclon clustering": mean_clustering(graph),
        "cyclon hops": sum(hops) / len(hops),
        "cyclon in-degree": mean_degree(graph),
        "cyclon in-degree min": min(in_degrees.values()),
        "cyclon in-degree max": max(in_degrees.values()),
    }


def quantities(nodes: int) -> list[Quantity]:
    """See `Experiment`."""
    model = oracles.regular_distances(nodes)
    found = [_degree(cycle, "mean degree", in_table=cycle <= 3 or cycle == SHOWN_CYCLES[-1]) for cycle in SHOWN_CYCLES]
    found.append(_degree(CYCLES, "", in_table=True))
    found += [Quantity(f"hyparview nodes of degree {degree}", f"nodes of degree {degree}", 0) for degree in DEGREES]
    return [
        *found,
        Quantity("share of degree 5", "nodes of degree 5, %"),
        Quantity("one-sided links", "links with one end only", 0, oracle=0),
        Quantity("pieces", "pieces", 0, oracle=1),
        Quantity("hyparview path", "mean shortest path", 3, oracle=model.path),
        Quantity("hyparview hops", "hops to the last node, mean", 2, oracle=model.hops_mean),
        Quantity("hyparview hops max", "hops to the last node, max", 0, oracle=model.hops_max),
        Quantity("hyparview clustering", "clustering", 5, oracle=oracles.regular_clustering(nodes)),
        Quantity("cyclon path", "Cyclon: mean shortest path", 3),
        Quantity("cyclon clustering", "Cyclon: clustering", 5, oracle=2 * CYCLON.view_max / (nodes - 1)),
        Quantity("cyclon hops", "Cyclon: hops of the last delivery", 2),
        Quantity("cyclon in-degree", "Cyclon: in-degree, mean", 1, oracle=CYCLON.view_max),
        Quantity("cyclon in-degree min", "Cyclon: in-degree, least", 0),
        Quantity("cyclon in-degree max", "Cyclon: in-degree, greatest", 0),
    ]


def _degree(cycle: int, line: str, *, in_table: bool) -> Quantity:
    after = "the joins" if cycle == 0 else f"{cycle} cycle{'s' if cycle > 1 else ''}"
    key, label = f"hyparview degree cycle {cycle}", f"mean degree after {after}"
    return Quantity(key, label, 3, line=line, x=cycle, in_table=in_table)


EXPERIMENT = Experiment(
    name="hyparview-graph",
    title="HyParView: the overlay at rest",
    setting=f"cycle engine; joins one by one through one contact, then {CYCLES} cycles; active view 5, passive view 30",
    measure=measure,
    quantities=quantities,
    baseline=baseline,
    x_label="cycles after the last join",
    y_label="mean degree",
    notes=(
        "Oracle: one random 5-regular graph of that size, whose expected clustering is (k-1)^2 / (n k); for Cyclon's"
        " clustering 2c / (n-1).",
        "The paper's mean degrees are its RMR of a flood (Plumtree's figure 2b) + 2.",
        "A free place is filled once a cycle, by requests of low priority; that is what gives the paper's degrees.",
    ),
)
