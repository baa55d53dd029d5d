"""Safety: each thing that must never be is found, in a strategy that does just that."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from partisan_actors.protocols.broadcast.flood import Flood, FloodOptions
from partisan_actors.protocols.machine import Deliver, Effect, NeighbourDown, NeighbourUp, Peer
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation import safety
from partisan_actors.simulation.checkers import CheckFailed
from partisan_actors.simulation.faulty import FaultySimulation
from partisan_actors.simulation.safety import CHANGES_BASE, CHANGES_PER_NODE, Safety
from partisan_actors.simulation.scenario import Scenario, play
from partisan_actors.simulation.stacks import Stacks


@dataclass(frozen=True)
class Bounds:
    active_max: int = 2


@dataclass
class Posed:
    """A strategy that has the neighbours and views that a test gives it, and answers `join` with the test's effects."""

    neighbours: Sequence[Peer] = ()
    views: Mapping[str, Sequence[Peer]] = field(default_factory=dict)
    effects: Sequence[Effect] = ()
    options: Bounds = Bounds()

    def start(self, now: float) -> list[Effect]:
        return []

    def join(self, contact: Peer, now: float) -> list[Effect]:
        return list(self.effects)

    def leave(self, now: float) -> list[Effect]:
        return []

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        return []

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        return []

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        return []

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        return []


def on_stage(posed: Posed, node: Peer) -> ProtocolStack:
    return ProtocolStack(node, posed, Flood(node, FloodOptions(), random.Random(1)))


def step(posed: Posed, times: int = 1, every: int = 1) -> None:
    """Let node 7 have those views, and do something."""

    simulation = FaultySimulation(5, lambda simulation, node: on_stage(posed, node))
    simulation.add(7)
    simulation._observers = (Safety(every),)
    for _ in range(times):
        simulation.join(7, 8)


DOWN = NeighbourDown(1, failed=False)
DELIVERED = Deliver("news", origin=1, sender=1, hops=1, payload=[3])


@pytest.mark.parametrize(
    ("posed", "text"),
    [
        (Posed(neighbours=[1]), "node 7 told of neighbours none but has 1"),
        (Posed(neighbours=[], effects=[NeighbourUp(1)]), "node 7 told of neighbours 1 but has none"),
        (Posed(neighbours=[1, 1], effects=[NeighbourUp(1)]), "node 7 told of neighbours 1 but has 1, 1"),
        (Posed(views={"active": [1, 2, 3]}), "node 7 has 3 peers in its active view of at most 2"),
        (Posed(views={"active": [1, 2], "passive": [3, 2]}), "node 7 has 2 in its active and its passive view"),
        (Posed(views={"passive": [7]}), "node 7 is in its own view"),
        (Posed(effects=[DELIVERED, DELIVERED]), r"node 7 was delivered news \[3\] of node 1 twice"),
        (Posed(effects=[Deliver("news", 7, 1, 1, 3)]), "node 7 was delivered its own news 3 of node 7"),
    ],
)
def test_what_must_not_be_is_found_with_its_seed_time_and_node(posed: Posed, text: str) -> None:
    with pytest.raises(CheckFailed, match=rf"seed 5, at 0\.000 s: {text}"):
        step(posed)


def test_what_may_be_passes() -> None:
    views = {"active": [1], "passive": [2, 3, 4], "in": [1, 2], "members": [7, 1]}

    step(Posed(neighbours=[1], views=views, effects=[NeighbourUp(1), DELIVERED]))


def test_a_broadcast_delivered_again_later_is_found_too() -> None:
    with pytest.raises(CheckFailed, match="twice"):
        step(Posed(effects=[DELIVERED]), times=2)


def test_neighbours_that_change_without_end_are_a_storm() -> None:
    flicker = Posed(neighbours=[1], effects=[NeighbourUp(1)])

    def flickers(times: int) -> None:
        simulation = FaultySimulation(5, lambda simulation, node: on_stage(flicker, node))
        simulation.add(7)
        simulation._observers = (Safety(),)
        for number in range(times):
            flicker.neighbours, flicker.effects = [[1], []][number % 2], [[NeighbourUp(1)], [DOWN]][number % 2]
            simulation.join(7, 8)
            simulation.run_for(0.01)

    flickers(CHANGES_BASE + CHANGES_PER_NODE)
    with pytest.raises(CheckFailed, match="node 7 gained and lost neighbours 111 times within 10 s"):
        flickers(CHANGES_BASE + CHANGES_PER_NODE + 1)


def test_a_message_of_the_strategy_that_goes_round_for_ever_is_a_storm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety, "MESSAGES_PER_NODE", 50)
    monkeypatch.setattr(safety, "MESSAGES_BASE", 0)
    rallies = Scenario(Stacks("tests.simulation.naive_mesh:Rallies"), nodes=2, per_s=0.0, within_s=60.0)
    calm = replace(rallies, stacks=Stacks("tests.simulation.naive_mesh:NaiveMesh"))

    failure = play(rallies).failure

    assert failure is not None
    assert "101 messages of the overlay arrived within 10 s, the last a Hello at node n" in failure
    assert play(calm).failure is None


def test_with_every_nth_step_looked_at_others_are_not() -> None:
    step(Posed(neighbours=[1]), times=2, every=3)
    with pytest.raises(CheckFailed):
        step(Posed(neighbours=[1]), times=3, every=3)
