"""Deaths: a detector that takes the living for dead, or the dead for living, is found out; ours does neither."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.faults.operations import Crash, Hold, Join
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.protocols.detector.opinions import Confirmed, Suspected
from partisan_actors.protocols.detector.swim import Swim
from partisan_actors.protocols.detector.swim_messages import Ack, Ping
from partisan_actors.protocols.machine import Peer
from partisan_actors.simulation.deaths import Deaths
from partisan_actors.simulation.faulty import FaultySimulation, Observer
from partisan_actors.simulation.lives import name_of
from partisan_actors.simulation.scenario import Scenario, play
from partisan_actors.simulation.stacks import Stacks

CRASHES = FaultPlan((Crash(10.0, ("n1", "n4")), Crash(12.0, ("n7",))))


class Watching:
    """An observer that keeps the simulation that it looks on at."""

    simulation: FaultySimulation

    def received(self, simulation: FaultySimulation, sender: Peer, receiver: Peer, message: object) -> None: ...

    def stepped(self, simulation: FaultySimulation, node: Peer) -> None:
        self.simulation = simulation


def silent(plan: FaultPlan, *observers: Observer, overlay: str = "hyparview", seed: int = 1) -> str | None:
    scenario = Scenario(Stacks(overlay), 12, seed, plan, join_interval_s=0.0, silent=True)
    return play(scenario, observers=observers).failure


@pytest.mark.parametrize("overlay", ["hyparview", "full_mesh", "scamp_v1"])
def test_silent_crashes_are_found_by_detectors_within_the_bound_and_nobody_else_is_taken_for_dead(overlay: str) -> None:
    for seed in range(3):
        watching = Watching()

        assert silent(CRASHES, watching, overlay=overlay, seed=seed) is None

        found = watching.simulation.findings
        dead = {name_of(each.found.peer) for each in found if isinstance(each.found, Confirmed)}
        assert dead == {"n1", "n4", "n7"}
        suspected = [each.at_s for each in found if isinstance(each.found, Suspected)]
        assert min(suspected) > 10.0


def test_a_detector_that_never_pings_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Swim, "_begin", _only_count)

    failure = silent(CRASHES)

    assert failure is not None and "has not noticed for" in failure


def _only_count(swim: Swim, now: float) -> list[Any]:
    swim.turns += 1
    return []


def test_a_detector_that_believes_nobody_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    receive = Swim.receive

    def deaf(swim: Swim, sender: Peer, message: object, now: float) -> list[Any]:
        return receive(swim, sender, message, now) if isinstance(message, Ping) else []

    monkeypatch.setattr(Swim, "receive", deaf)
    monkeypatch.setattr(Swim, "heard", lambda swim, peer, now: [])

    failure = silent(FaultPlan((Join(40.0),)))

    assert failure is not None and "for dead, which is up" in failure


def test_what_faults_make_a_detector_believe_is_not_held_against_it() -> None:
    held = FaultPlan((Hold(10.0, 40.0, ("n3",)),))
    watching = Watching()

    assert silent(held, watching) is None
    assert any(isinstance(each.found, Confirmed) for each in watching.simulation.findings)


def test_what_the_dead_had_sent_is_a_sign_of_life() -> None:
    deaths = Deaths(0.0)
    stacks = Stacks(detector=True)
    simulation = FaultySimulation(1, stacks, silent=True, observers=[deaths])
    one, other = simulation.add_new(), simulation.add_new()
    simulation.run_for(5.0)
    simulation.kill(other)
    simulation.run_for(1.5)
    before = deaths._watches[one, other].turn

    deaths.received(simulation, other, one, Ack(1, ()))
    simulation.run_for(1.5)

    assert deaths._watches[one, other].turn > before
