"""How large SCAMP's views grow: (c + 1) ln n of them in theory, and what they look like as a graph.

Joins as in the papers: one by one, each through a contact drawn evenly from those that are in, with no indirection
(which is there to draw the contact, where a newcomer cannot), no lease and no heartbeat, so that nothing but
subscriptions makes views.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Final

from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.scamp import ScampOptions, ScampV1
from partisan_actors.protocols.membership.scamp_messages import ForwardedSubscription
from partisan_actors.simulation.cycles import CycleEngine
from partisan_actors.simulation.papers import oracles
from partisan_actors.simulation.papers.experiment import Experiment
from partisan_actors.simulation.papers.graphs import Graph, distances, mean_clustering, mean_degree
from partisan_actors.simulation.papers.judging import Quantity
from partisan_actors.simulation.streams import stream

__all__ = ["EXPERIMENT", "grown", "partial_views"]

COPIES: Final = 4  # the c of HyParView's evaluation
OVERLAYS: Final = 4  # without extra copies, for each seed: the mean of one scatters by 0.85
SOURCES: Final = 50
SHOWN: Final = range(1, 33)  # in-degrees of the figure


def grown(seed: int, nodes: int, c: int) -> CycleEngine:
    """`nodes` nodes that subscribed one by one."""
    options = ScampOptions(c=c, indirection=0.0)
    engine, contacts = CycleEngine(seed), stream(seed, nodes, "contacts")

    def scamp(node: Peer, rng: random.Random) -> ScampV1:
        return ScampV1(node, options, rng)

    for node in range(nodes):
        engine.add(node, scamp, contact=contacts.randrange(node) if node else None)
    return engine


def partial_views(engine: CycleEngine) -> Graph:
    """Whom each node sends to."""
    views: dict[int, list[int]] = {}
    for node, machine in engine.machines.items():
        assert isinstance(machine, ScampV1) and isinstance(node, int)
        views[node] = [peer for peer in machine.views["partial"] if isinstance(peer, int)]
    return views


def measure(seed: int, nodes: int) -> dict[str, float]:
    """No extra copies: several overlays."""
    sizes, in_degrees, hops = [], Counter[int](), 0
    for number in range(OVERLAYS):
        engine = grown(seed * OVERLAYS + number, nodes, c=0)
        views = partial_views(engine)
        sizes += [len(view) for view in views.values()]
        in_degrees.update(Counter(peer for view in views.values() for peer in view).values())
        hops += engine.received[ForwardedSubscription]
    mean = sum(sizes) / len(sizes)
    seen = {f"scamp nodes of in-degree {degree}": in_degrees[degree] / OVERLAYS for degree in SHOWN}
    return seen | {
        "scamp c=0 view": mean,
        "scamp c=0 view sd": (sum((size - mean) ** 2 for size in sizes) / len(sizes)) ** 0.5,
        "scamp c=0 view min": min(sizes),
        "scamp c=0 view max": max(sizes),
        "scamp c=0 walk": hops / OVERLAYS / nodes,
        "scamp mean in-degree": mean,
    }


def baseline(seed: int, nodes: int) -> dict[str, float]:
    """The c of HyParView's evaluation. Its walks are long, so it is run for few seeds."""
    engine = grown(seed, nodes, COPIES)
    views = partial_views(engine)
    sizes = [len(view) for view in views.values()]
    return {
        "scamp c=4 view": mean_degree(views),
        "scamp c=4 view share": mean_degree(views) / oracles.scamp_view(nodes, COPIES),
        "scamp c=4 view min": min(sizes),
        "scamp c=4 view max": max(sizes),
        "scamp c=4 walk": engine.received[ForwardedSubscription] / nodes,
        "scamp path": distances(views, stream(seed, nodes, "sources"), SOURCES).path,
        "scamp clustering": mean_clustering(views),
    }


def quantities(nodes: int) -> list[Quantity]:
    """See `Experiment`."""
    found = [
        Quantity("scamp c=0 view", "c = 0: members of a view", 2, oracle=oracles.scamp_bare_view(nodes)),
        Quantity("scamp c=0 view sd", "c = 0: their standard deviation", 2),
        Quantity("scamp c=0 view min", "c = 0: least", 0),
        Quantity("scamp c=0 view max", "c = 0: most", 0),
        Quantity("scamp c=0 walk", "c = 0: hops of subscriptions, each join", 1),
        Quantity("scamp mean in-degree", "mean in-degree, c = 0 here", 1),
        Quantity("scamp c=4 view", "c = 4: members of a view", 2, oracle=oracles.scamp_view(nodes, COPIES)),
        Quantity("scamp c=4 view share", "c = 4: members of a view / (5 ln n)", 3),
        Quantity("scamp c=4 view min", "c = 4: least", 0),
        Quantity("scamp c=4 view max", "c = 4: most", 0),
        Quantity("scamp c=4 walk", "c = 4: hops of subscriptions, each join", 0),
        Quantity("scamp path", "c = 4: mean shortest path", 3),
        Quantity("scamp clustering", "c = 4: clustering", 5),
    ]
    found += [
        Quantity(f"scamp nodes of in-degree {degree}", f"nodes of in-degree {degree}", 0,
                 line="SCAMP, c = 0", x=degree, in_table=False)
        for degree in SHOWN
    ]  # fmt: skip
    return found


EXPERIMENT = Experiment(
    name="scamp-views",
    title="SCAMP: the size of views",
    setting="cycle engine; joins one by one through a contact drawn evenly, no indirection, lease or heartbeat",
    measure=measure,
    quantities=quantities,
    baseline=baseline,
    x_label="in-degree",
    y_label="nodes",
    notes=(
        f"c = 0: each seed is the mean of {OVERLAYS} overlays.",
        "Oracle of c = 0: each join adds 1 + the contact's view, from two nodes that hold each other on: H_n - 1/2."
        " Of c = 4: (c + 1) ln n, which finite networks stay below.",
        "The paper's path and clustering are of views of 'around 34'; ours are somewhat larger, so paths are shorter.",
    ),
)
