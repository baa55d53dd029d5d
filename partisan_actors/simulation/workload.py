"""`Workload`: what the users of a simulated cluster do meanwhile: they broadcast, and write to the replicated map."""

from __future__ import annotations

from typing import Final

from partisan_actors.simulation.clock import nanoseconds
from partisan_actors.simulation.faulty import FaultySimulation
from partisan_actors.simulation.streams import stream

__all__ = ["NEWS", "Workload"]

NEWS: Final = "news"
KEYS: Final = 20


class Workload:
    """From now on until `until_s`, `per_s` times a second on average, a node that is up broadcasts or writes.

    Broadcast payloads are whole numbers, none twice. Writes are to a few keys that all nodes share, so that they clash.
    """

    def __init__(self, simulation: FaultySimulation, per_s: float, until_s: float) -> None:
        self.broadcasts = 0
        self.writes = 0
        self._simulation = simulation
        self._per_s = per_s
        self._until_ns = nanoseconds(until_s)
        self._rng = stream(simulation.seed, "workload", "workload")
        if per_s > 0:
            self._schedule()

    def _schedule(self) -> None:
        at_ns = self._simulation.clock.now_ns + nanoseconds(self._rng.expovariate(self._per_s))
        if at_ns <= self._until_ns:
            self._simulation.clock.at(at_ns, self._act)

    def _act(self) -> None:
        simulation, rng = self._simulation, self._rng
        live = simulation.live
        if live:
            node = rng.choice(live)
            if rng.random() < 0.5 or simulation.stack(node).exchange is None:
                self.broadcasts += 1
                simulation.broadcast(node, NEWS, self.broadcasts)
            else:
                self.writes += 1
                stamp = (self.writes,)
                value = None if rng.random() < 0.2 else self.writes
                simulation.write(node, f"key {rng.randrange(KEYS)}", stamp, value, gather=rng.random() < 0.5)
        self._schedule()
