"""X-BOT's experiment: links get cheaper cycle by cycle, and what the authors promise to keep is kept."""

from __future__ import annotations

import pytest

from partisan_actors.simulation.papers.graphs import components
from partisan_actors.simulation.papers.overlays import links_of
from partisan_actors.simulation.papers.xbot_cost import Place, grown, mean_cost


@pytest.mark.parametrize("seed", [1, 2])
def test_optimisation_makes_links_cheaper_and_costs_nobody_a_link(seed: int) -> None:
    engine, points = grown(seed, 200)
    before = links_of(engine)
    costs = [mean_cost(before, points)]

    for _ in range(6):
        engine.cycle("optimise")
        costs.append(mean_cost(links_of(engine), points))

    after = links_of(engine)
    assert costs == sorted(costs, reverse=True), f"seed {seed}: {costs}"
    assert costs[-1] < 0.8 * costs[0], f"seed {seed}"
    # A candidate with a free place takes the link, and the place then is free at the other end: their number stays.
    assert sum(map(len, after.values())) == sum(map(len, before.values())), f"seed {seed}"
    assert all(node in after[peer] for node in after for peer in after[node]), f"seed {seed}"
    assert len(components(after)) == 1, f"seed {seed}"


def test_more_unbiased_links_leave_less_to_save() -> None:
    saved = {}
    for unbiased in (1, 3):
        engine, points = grown(3, 200, unbiased=unbiased)
        before = mean_cost(links_of(engine), points)
        for _ in range(6):
            engine.cycle("optimise")
        saved[unbiased] = before - mean_cost(links_of(engine), points)

    assert saved[1] > saved[3] > 0


def test_a_place_knows_the_distance_to_any_other() -> None:
    assert Place(0, [(0.0, 0.0), (0.3, 0.4)]).cost(1) == pytest.approx(0.5)
