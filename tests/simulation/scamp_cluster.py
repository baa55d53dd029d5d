"""Simulated clusters over SCAMP, for the tests beside this file."""

from __future__ import annotations

import random

from partisan_actors.protocols.broadcast.plumtree import Plumtree, PlumtreeOptions
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.scamp import ScampOptions, ScampV1
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation.machines import Simulation, StackFactory

QUIET = 1e6  # a heartbeat period that never ends within a test: only subscriptions happen


def running(version: type[ScampV1], options: ScampOptions) -> StackFactory:
    def make(simulation: Simulation, node: Peer) -> ProtocolStack:
        overlay = version(node, options, simulation.stream(node, "membership"))
        return ProtocolStack(node, overlay, Plumtree(node, PlumtreeOptions(), simulation.stream(node, "broadcast")))

    return make


def grown(seed: int, nodes: int, factory: StackFactory, *, interval_s: float = 1.0, contact: Peer = None) -> Simulation:
    """`nodes` that joined one by one, through `contact` or, as the papers assume, through a random one each."""
    simulation, rng = Simulation(seed), random.Random(seed)
    for node in range(nodes):
        simulation.add(node, factory)
        if node:
            simulation.join(node, rng.randrange(node) if contact is None else contact)
        simulation.run_for(interval_s)
    simulation.run_for(5.0)
    return simulation


def mean_view(simulation: Simulation) -> float:
    """Members of a PartialView, on average."""
    return sum(len(simulation.stack(node).views["partial"]) for node in simulation.live) / len(simulation.live)
