"""What theory says the experiments must show, with no figure taken from a paper or from our own runs.

HyParView's overlay at rest is nearly a random 5-regular graph: what is known of those (percolation, distances,
clustering) is known of it. Reach is in per cent of the survivors, failures are shares of all nodes.
"""

from __future__ import annotations

import math
from functools import lru_cache

from partisan_actors.simulation.papers.graphs import Distances, distances, mean_clustering, random_regular
from partisan_actors.simulation.streams import stream

__all__ = [
    "eager_redundancy_after_failure",
    "giant_reach",
    "gossip_reach",
    "UNIT_SQUARE_DISTANCE",
    "nearest_distance",
    "regular_clustering",
    "regular_distances",
    "scamp_bare_view",
    "scamp_view",
    "swim_first_detection_periods",
    "unconditional_reach",
]

UNIT_SQUARE_DISTANCE = (2 + math.sqrt(2) + 5 * math.asinh(1)) / 15  # mean, of two points drawn evenly: 0.5214
_STEPS = 2000  # of a fixed-point iteration; near the threshold it converges slowly


def _dead_end(failed: float, degree: int) -> float:
    """The probability that a link leads to nobody, or to a survivor whose other links all do."""
    q = 0.0
    for _ in range(_STEPS):
        q = failed + (1 - failed) * q ** (degree - 1)
    return q


def giant_reach(failed: float, degree: int = 5) -> float:
    """Site percolation on a random regular graph: the giant component's share of the survivors, in per cent.

    It is also the chance, in per cent, that a random survivor's message gets anywhere. 0 from failures of
    1 - 1/(degree - 1) on.
    """
    return 100 * (1 - _dead_end(failed, degree) ** degree)


def unconditional_reach(failed: float, degree: int = 5) -> float:
    """What a random survivor's first message reaches on average: giant_reach, when it starts there."""
    return giant_reach(failed, degree) ** 2 / 100


def eager_redundancy_after_failure(failed: float, degree: int = 5) -> float:
    """RMR of the first flood after a failure: the mean degree inside the giant component, less 2.

    Payloads to dead nodes are not counted, as in the papers.
    """
    q = _dead_end(failed, degree)
    in_giant = 1 - q**degree
    if in_giant < 1e-9:
        return math.nan
    # A link between two survivors is in the giant component unless both its ends are dead ends but for it.
    return degree * (1 - failed) * (1 - q ** (2 * (degree - 1))) / in_giant - 2


def gossip_reach(failed: float, fanout: int = 4, view: int = 35) -> float:
    """What a message reaches that every node sends on once to `fanout` random members of its view, in per cent.

    Views are random and keep the dead. The mean over all messages, those included that die out at the beginning: the
    chance to take off is that of a branching process, the share reached then solves r = 1 - (1 - r s fanout/view)^view.
    """
    survival, extinct, reached = 1 - failed, 0.0, 1.0
    for _ in range(_STEPS):
        extinct = (failed + survival * extinct) ** fanout
        reached = 1 - (1 - reached * survival * fanout / view) ** view
    return 100 * reached * (1 - extinct)


def regular_clustering(nodes: int, degree: int = 5) -> float:
    """The expected clustering of a random regular graph."""
    return (degree - 1) ** 2 / (nodes * degree)


@lru_cache(maxsize=8)
def regular_distances(nodes: int, degree: int = 5) -> Distances:
    """Path length and eccentricities of one random regular graph, made with a fixed seed."""
    rng = stream(0, nodes, "random regular graph")
    return distances(random_regular(nodes, degree, rng), rng, sources=100)


@lru_cache(maxsize=8)
def measured_regular_clustering(nodes: int, degree: int = 5) -> float:
    """The clustering of that same graph."""
    return mean_clustering(random_regular(nodes, degree, stream(0, nodes, "random regular graph")))


def scamp_bare_view(nodes: int) -> float:
    """The mean view of SCAMP with c = 0 and contacts drawn evenly: H_n - 1/2, H_n being about ln n + 0.577.

    A newcomer adds its own arc and one for each member of its contact's view, whose expected size is the mean; so the
    mean grows by 1/n with the n-th node, from 1 with the first two, who hold each other.
    """
    return sum(1 / k for k in range(1, nodes + 1)) - 0.5


def scamp_view(nodes: int, c: int) -> float:
    """What the mean view of SCAMP tends to: (c + 1) ln n. Finite networks stay below it."""
    return (c + 1) * math.log(nodes)


def nearest_distance(nodes: int, nearest: int) -> float:
    """How far the nearest so many of a point are on average, among points drawn evenly in the unit square.

    The k-th is Gamma(k + 1/2) / (k-1)! / sqrt(pi n) away; the square's edges are left out of account.
    """
    each = (math.exp(math.lgamma(k + 0.5) - math.lgamma(k)) for k in range(1, nearest + 1))
    return sum(each) / nearest / math.sqrt(math.pi * nodes)


def swim_first_detection_periods(nodes: int) -> float:
    """SWIM: protocol periods until some member first probes a failed one, if each probes one other at random.

    The chance that nobody picks it is (1 - 1/(n-1))^(n-1) a period, so the mean tends to e/(e-1) = 1.58.
    """
    return 1 / (1 - (1 - 1 / (nodes - 1)) ** (nodes - 1))
