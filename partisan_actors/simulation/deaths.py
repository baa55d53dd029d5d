"""`Deaths`: what must hold of failure detection once nothing disturbs it, asked of each node after all that it does.

* Safety: nobody who is up is taken for dead by a suspicion that began undisturbed.
* Liveness: whoever is down is suspected, by each node that has it for a neighbour, within ROUNDS * w + MORE of that
  node's own periods, w being the number of its neighbours in that time. (Each has its turn in any 2 w - 1 periods; one
  that was heard of in the last period is spared; and what is found is found when the period ends.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from partisan_actors.protocols.detector.opinions import Confirmed, Suspected
from partisan_actors.protocols.machine import Peer
from partisan_actors.simulation.checkers import CheckFailed
from partisan_actors.simulation.faulty import FaultySimulation

__all__ = ["MORE", "ROUNDS", "Deaths"]

ROUNDS: Final = 2
MORE: Final = 3


@dataclass(slots=True)
class _Watch:
    """A node has a neighbour that is down, since this period of its own."""

    turn: int
    stalls: int
    neighbours: dict[Peer, None] = field(default_factory=dict)  # all that it has had since


class Deaths:
    """An observer that raises CheckFailed where that does not hold. Faults disturb until `undisturbed_s`."""

    def __init__(self, undisturbed_s: float) -> None:
        self._undisturbed_s = undisturbed_s
        self._seen = 0
        self._suspected: dict[tuple[Peer, Peer], float] = {}
        self._watches: dict[tuple[Peer, Peer], _Watch] = {}
        self._turns: dict[Peer, int] = {}

    def received(self, simulation: FaultySimulation, sender: Peer, receiver: Peer, message: object) -> None:
        """What the dead had sent is a sign of life still."""
        self._watches.pop((receiver, sender), None)

    def stepped(self, simulation: FaultySimulation, node: Peer) -> None:
        """`node` has just handled an input."""
        self._check_findings(simulation)
        detector = simulation.stack(node).detector
        if detector is None or simulation.now_s < self._undisturbed_s or self._turns.get(node) == detector.turns:
            return
        self._turns[node] = detector.turns
        neighbours = simulation.told_neighbours(node)
        for peer in neighbours:
            if simulation.ended_s(peer) is not None:
                self._check_watch(simulation, node, peer, neighbours)

    def _check_findings(self, simulation: FaultySimulation) -> None:
        for each in simulation.findings[self._seen :]:
            key = (each.node, each.found.peer)
            if isinstance(each.found, Suspected):
                self._suspected[key] = each.at_s
            elif isinstance(each.found, Confirmed):
                since_s = self._suspected.get(key, 0.0)
                if since_s >= self._undisturbed_s and simulation.ended_s(each.found.peer) is None:
                    what = f"node {each.node} took node {each.found.peer} for dead, which is up"
                    raise CheckFailed(simulation, f"{what}: suspected at {since_s:.3f} s, when nothing was in the way")
        self._seen = len(simulation.findings)

    def _check_watch(self, simulation: FaultySimulation, node: Peer, peer: Peer, neighbours: list[Peer]) -> None:
        detector = simulation.stack(node).detector
        assert detector is not None
        opinions = detector.opinions
        watch = self._watches.get((node, peer))
        if watch is None or watch.stalls != detector.stalls:
            watch = self._watches[node, peer] = _Watch(detector.turns, detector.stalls)
        watch.neighbours.update(dict.fromkeys(neighbours))
        periods, most = detector.turns - watch.turn, ROUNDS * len(watch.neighbours) + MORE
        if periods > most and opinions.suspicion(peer) is None and not opinions.is_gone(peer):
            what = f"node {node} has not noticed for {periods} of its periods that its neighbour {peer} is down"
            raise CheckFailed(simulation, f"{what}: more than {most}, with {len(watch.neighbours)} neighbours")
