"""What X-BOT saves: points in the unit square, a link costs their distance, and four nodes at a time swap links.

Every node is a point drawn evenly; its oracle knows the distance to any other. The overlay joins and comes to rest as
HyParView's (no optimisation); then each cycle is every node's shuffle and every node's optimisation step. What is told
is the mean cost of a link, beside that of links drawn at random and of links to the nearest five, which no symmetric
and connected overlay can reach. No figure of the paper's is claimed: what it printed was not at hand.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.xbot import XBot, XBotOptions
from partisan_actors.simulation.cycles import CycleEngine
from partisan_actors.simulation.papers import oracles
from partisan_actors.simulation.papers.experiment import Experiment
from partisan_actors.simulation.papers.graphs import Graph, components, distances, mean_clustering, mean_degree
from partisan_actors.simulation.papers.judging import Quantity
from partisan_actors.simulation.papers.overlays import PASSIVE, SHUFFLE, links_of
from partisan_actors.simulation.streams import stream

__all__ = ["EXPERIMENT", "Place"]

OPTIMISE: Final = "optimise"
SETTLING: Final = 10  # cycles without optimisation
CYCLES: Final = 40
SHOWN: Final = (0, 5, 10, 20, 30, 40)
SOURCES: Final = 50


@dataclass(frozen=True, slots=True)
class Place:
    """A node's oracle: it knows where everybody is."""

    me: int
    points: list[tuple[float, float]]

    def cost(self, peer: Peer) -> float | None:
        """The distance."""
        assert isinstance(peer, int)
        return math.dist(self.points[self.me], self.points[peer])


def grown(
    seed: int, nodes: int, unbiased: int = 1, candidates: int = 2
) -> tuple[CycleEngine, list[tuple[float, float]]]:
    """An overlay at rest, nothing optimised yet, and where its nodes are."""
    engine, rng = CycleEngine(seed), stream(seed, nodes, "points")
    points = [(rng.random(), rng.random()) for _ in range(nodes)]
    make = _maker(points, unbiased, candidates)
    for node in range(nodes):
        engine.add(node, make, contact=0 if node else None)
    for _ in range(SETTLING):
        engine.cycle(SHUFFLE)
    return engine, points


def mean_cost(graph: Graph, points: list[tuple[float, float]]) -> float:
    """Of a link; one with one end counts too, at half the weight."""
    costs = [math.dist(points[node], points[peer]) for node, peers in graph.items() for peer in peers]
    return sum(costs) / len(costs)


def measure(seed: int, nodes: int) -> dict[str, float]:
    """Costs cycle by cycle, and the overlay's shape before and after."""
    engine, points = grown(seed, nodes)
    seen = _shape("before", links_of(engine), seed)
    costs = [mean_cost(links_of(engine), points)]
    for _ in range(CYCLES):
        engine.cycle(SHUFFLE, OPTIMISE)
        costs.append(mean_cost(links_of(engine), points))
    graph = links_of(engine)
    seen |= _shape("after", graph, seed) | {f"cost cycle {cycle}": costs[cycle] for cycle in SHOWN}
    return seen | {
        "cost share": 100 * costs[-1] / costs[0],
        "cost rises": sum(later > earlier * 1.01 for earlier, later in pairwise(costs)),
        "xbot one-sided": sum(node not in graph[peer] for node in graph for peer in graph[node]),
        "xbot pieces": len(components(graph)),
        "degree change": seen["xbot degree after"] - seen["xbot degree before"],
    }


def _shape(when: str, graph: Graph, seed: int) -> dict[str, float]:
    far = distances(graph, stream(seed, 0, "sources"), SOURCES)
    return {
        f"xbot degree {when}": mean_degree(graph),
        f"xbot path {when}": far.path,
        f"xbot hops {when}": far.hops_mean,
        f"xbot clustering {when}": mean_clustering(graph),
    }


def _maker(points: list[tuple[float, float]], unbiased: int, candidates: int) -> Callable[[Peer, random.Random], XBot]:
    def make(node: Peer, rng: random.Random) -> XBot:
        assert isinstance(node, int)
        options = XBotOptions(
            active_max=5, passive_max=PASSIVE, arwl=6, prwl=3, ka=3, kp=4,
            active_min=1, promotion_backoff_s=None, promotion_refusals_max=PASSIVE,
            unbiased=unbiased, candidates=candidates, gain_share=0.0, gain_min=0.0, oracle=Place(node, points),
        )  # fmt: skip
        return XBot(node, options, rng)

    return make


def quantities(nodes: int) -> list[Quantity]:
    """See `Experiment`."""
    found = [
        Quantity(
            f"cost cycle {cycle}",
            f"mean link cost after {cycle} cycles" if cycle else "mean link cost, nothing optimised",
            4,
            oracle=oracles.UNIT_SQUARE_DISTANCE if cycle == 0 else None,
            line="X-BOT",
            x=cycle,
        )
        for cycle in SHOWN
    ]
    floor = oracles.nearest_distance(nodes, 5)
    found += [
        Quantity("cost share", f"cost after {CYCLES} cycles, % of before (five nearest: see theory)", 1,
                 oracle=100 * floor / oracles.UNIT_SQUARE_DISTANCE),
        Quantity("cost rises", "cycles in which it rose by over 1 %", 0, oracle=0),
        Quantity("xbot one-sided", "links with one end only", 0, oracle=0),
        Quantity("xbot pieces", "pieces", 0, oracle=1),
        Quantity("degree change", "change of the mean degree", 3, oracle=0),
    ]  # fmt: skip
    for name, label, digits in (
        ("degree", "mean degree", 3),
        ("path", "mean shortest path", 3),
        ("hops", "hops to the last node, mean", 2),
        ("clustering", "clustering", 5),
    ):
        found += [Quantity(f"xbot {name} {when}", f"{label}, {when}", digits) for when in ("before", "after")]
    return found


EXPERIMENT = Experiment(
    name="xbot-cost",
    title="X-BOT: the cost of links",
    setting=(
        f"cycle engine; points in the unit square, cost = distance; {SETTLING} cycles of HyParView, then {CYCLES} of"
        " shuffle and optimisation; active view 5, one unbiased neighbour, two candidates a step, any gain will do"
    ),
    measure=measure,
    quantities=quantities,
    x_label="cycles of optimisation",
    y_label="mean cost of a link",
    notes=(
        "As measured, compared with no published figure: the paper's were not at hand.",
        "Oracles: two points drawn in the unit square are 0.5214 apart on average; the five nearest of a point are"
        " sum Gamma(k + 1/2) / (k-1)! / 5 / sqrt(pi n) away, which links with two ends cannot all have.",
    ),
)
