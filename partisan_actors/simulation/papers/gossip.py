"""Gossip over one-sided views, as the baselines broadcast: everybody sends a message on once, to a few of its view.

Without acknowledgements a send to a dead node is lost and nobody learns anything. With them (the paper's CyclonAcked)
the sender strikes the dead node from its view, and sends to nobody else in its place.
"""

from __future__ import annotations

import random
from typing import cast

from partisan_actors.simulation.cycles import CycleEngine

__all__ = ["FANOUT", "gossip"]

FANOUT = 4


def gossip(
    engine: CycleEngine, origin: int, rng: random.Random, *, fanout: int = FANOUT, acked: bool = False
) -> tuple[float, int]:
    """Send one message; the share of the live nodes that got it, in per cent, and the hops of the last one."""
    machines, seen, layer, hops = engine.machines, {origin}, [origin], -1
    while layer:
        hops += 1
        following: list[int] = []
        for node in layer:
            view = machines[node].neighbours
            targets = view if len(view) <= fanout else rng.sample(view, fanout)
            for peer in cast("list[int]", targets):
                if peer in seen:
                    continue
                if peer in machines:
                    seen.add(peer)
                    following.append(peer)
                elif acked:
                    engine.tell(node, machines[node].peer_down(peer, engine.now))
        layer = following
    engine.settle()
    return 100 * len(seen) / len(machines), hops
