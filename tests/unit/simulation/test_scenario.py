"""Scenarios, their stacks and what users do in them."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.faults.operations import Crash, Join, Loss, Restart
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.protocols.broadcast.flood import Flood
from partisan_actors.protocols.membership.full_mesh import FullMesh
from partisan_actors.simulation.faulty import FaultySimulation
from partisan_actors.simulation.machines import Simulation
from partisan_actors.simulation.scenario import Scenario, play
from partisan_actors.simulation.stacks import Stacks
from partisan_actors.simulation.workload import NEWS, Workload


def test_stacks_are_what_their_names_say() -> None:
    stack = Stacks("full_mesh", broadcast="flood", with_map=False)(Simulation(1), 0)

    assert isinstance(stack.strategy, FullMesh) and isinstance(stack.broadcasting, Flood) and stack.exchange is None


@pytest.mark.parametrize(
    ("overlay", "options", "text"),
    [
        ("hyparviev", {}, "overlay = 'hyparviev'"),
        ("partisan_actors.nowhere:Class", {}, "overlay = 'partisan_actors.nowhere:Class'"),
        ("partisan_actors.ids:Nobody", {}, "overlay = 'partisan_actors.ids:Nobody'"),
        ("hyparview", {"active_max": 1}, "active_max"),
        ("hyparview", {"surplus": 1}, "surplus"),
    ],
)
def test_an_overlay_or_an_option_that_is_none_is_a_config_error_before_anything_runs(
    overlay: str, options: dict[str, object], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        Scenario(Stacks(overlay, options))


@pytest.mark.parametrize(
    "values",
    [{"nodes": 0}, {"join_interval_s": -1.0}, {"per_s": float("nan")}, {"within_s": 1e9}, {"latency": "none"}],
)
def test_a_scenario_without_sense_is_a_config_error(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        Scenario(**values)  # type: ignore[arg-type]  # one wrong value each


def losing(*kinds: str) -> FaultPlan:
    return FaultPlan((Loss(1.0, 2.0, 0.5, kinds=kinds),))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"plan": FaultPlan((Join(1.0, 2), Crash(3.0, ("n2", "n4"))))}, "n4"),
        ({"plan": losing("plumtree.grft")}, "plumtree.grft"),
        ({"plan": losing("scamp.kept")}, "scamp.kept"),
        ({"plan": losing("plumtree.graft"), "stacks": Stacks(broadcast="flood")}, "plumtree.graft"),
        ({"plan": losing("swim.ping")}, "swim.ping"),
    ],
)
def test_a_plan_for_nodes_or_messages_that_the_run_does_not_have_is_a_config_error(
    values: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        Scenario(nodes=2, **values)


def test_a_plan_may_name_nodes_that_join_later_and_every_message_of_the_run() -> None:
    plan = FaultPlan((Join(1.0, 2), Crash(3.0, ("n3",)), *losing(*Stacks().tags(), "swim.ping").operations), ("n3",))

    Scenario(nodes=2, plan=plan, silent=True)


def test_users_broadcast_and_write_at_their_rate_until_their_time_is_over() -> None:
    simulation = FaultySimulation(1, Stacks())
    for _ in range(3):
        simulation.add_new()
    workload = Workload(simulation, per_s=10.0, until_s=20.0)

    simulation.run_for(20.0)
    done = workload.broadcasts, workload.writes
    simulation.run_for(20.0)

    assert 150 < sum(done) < 250 and min(done) > 50
    assert (workload.broadcasts, workload.writes) == done
    payloads = [delivery.broadcast.payload for delivery in simulation.deliveries if delivery.broadcast.topic == NEWS]
    assert set(payloads) == set(range(1, done[0] + 1)), "every broadcast got round, each once on each of the two others"
    assert len(payloads) == 2 * done[0]


def test_the_outcome_counts_what_happened() -> None:
    outcome = play(Scenario(nodes=6, seed=2, plan=FaultPlan((Crash(1.0, ("n5",)), Restart(2.0)))))

    assert outcome.failure is None and outcome.connected and not outcome.asymmetric
    assert (outcome.nodes_up, outcome.pieces) == (6, 1) and 4.0 <= outcome.mean_degree <= 5.0
    assert outcome.steps > 100 and outcome.messages["hyparview.join"] >= 6
    assert outcome.to_data()["symmetric"] is True


def test_a_cluster_that_cannot_become_one_fails_when_its_time_is_over() -> None:
    plan = FaultPlan((Crash(0.0005, ("n0",)),))  # before anybody has reached the only one they know

    outcome = play(Scenario(nodes=4, seed=2, plan=plan, join_interval_s=0.0, within_s=5.0))

    assert outcome.failure is not None
    assert outcome.failure.startswith("seed 2, at 7.000 s: the overlay is in 3 pieces")
    assert not outcome.connected and outcome.healed_s is None
