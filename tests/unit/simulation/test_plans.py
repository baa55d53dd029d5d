"""PlanRun: chance is written down, and the plan that it is written into happens just so."""

from __future__ import annotations

import random

import pytest

from partisan_actors.faults.plan import FaultPlan
from partisan_actors.simulation.faulty import FaultySimulation
from partisan_actors.simulation.plans import PlanRun
from partisan_actors.simulation.stacks import Stacks
from partisan_actors.simulation.swarm import draw_plan


def events(seed: int, plan: FaultPlan) -> tuple[list[str], PlanRun]:
    """All that happens to eight nodes, but for the texts of the rules themselves."""
    lines: list[str] = []
    simulation = FaultySimulation(seed, Stacks(), on_event=lines.append)
    for _ in range(8):
        simulation.add_new()
    run = PlanRun(simulation, plan)
    simulation.run_for(plan.end_s + 1.0)
    return [line for line in lines if line.split()[1] not in ("impose", "lift")], run


@pytest.mark.parametrize("seed", range(12))
def test_a_plan_with_its_choices_written_out_happens_just_the_same(seed: int) -> None:
    plan = draw_plan(random.Random(seed))

    drawn, run = events(seed, plan)
    written = plan.with_choices(run.choices)
    again, second = events(seed, written)

    assert again == drawn
    assert second.choices == {}, "nothing is left to chance"
