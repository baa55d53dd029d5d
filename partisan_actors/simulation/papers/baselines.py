"""Networks of Cyclon, set up as HyParView's authors did: one contact, walks, then as many cycles as HyParView gets."""

from __future__ import annotations

import random
from functools import lru_cache

from partisan_actors.protocols.machine import Peer
from partisan_actors.simulation.cycles import CycleEngine
from partisan_actors.simulation.papers.cyclon import Cyclon, CyclonOptions
from partisan_actors.simulation.papers.overlays import CYCLES

__all__ = ["stable_cyclon"]

OPTIONS = CyclonOptions()


def cyclon(node: Peer, rng: random.Random) -> Cyclon:
    """A node with the sizes of HyParView's evaluation: a view of 35."""
    return Cyclon(node, OPTIONS, rng)


@lru_cache(maxsize=1)
def stable_cyclon(seed: int, nodes: int) -> bytes:
    """The snapshot of a network after CYCLES cycles. The last one made is kept."""
    engine = CycleEngine(seed)
    for node in range(nodes):
        engine.add(node, cyclon, contact=0 if node else None)
    for _ in range(CYCLES):
        engine.cycle("shuffle")
    return engine.snapshot()
