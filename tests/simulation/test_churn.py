"""Whole stacks under churn: safety while it lasts, and agreement once it has stopped."""

from __future__ import annotations

import random

import pytest

from partisan_actors.protocols.broadcast.exchange import Entries, Offer, Page
from partisan_actors.protocols.broadcast.plumtree import Graft, Prune
from partisan_actors.simulation.checkers import (
    check_connected,
    check_converged,
    check_delivered_once,
    check_symmetric,
    check_truthful,
    eventually,
    measure_broadcast,
)
from partisan_actors.simulation.machines import Simulation
from tests.seeds import quick_first
from tests.simulation.hyparview_cluster import complete

SEEDS = quick_first(2, range(1, 41))


def churned(seed: int) -> Simulation:
    """Sixty nodes; then for two minutes crashes, joins, leaves, writes, broadcasts, slow links and cuts."""
    rng = random.Random(seed)
    simulation = Simulation(seed)
    simulation.grow(range(60), complete, contact=0)
    newest = 60
    with simulation.network.rule(lambda sender, receiver, message: rng.choice([0.0, 0.0, 0.0, 0.05])):
        for step in range(120):
            live = simulation.live
            match rng.randrange(7):
                case 0 if len(live) > 30:
                    simulation.kill(*rng.sample(live, rng.randint(1, 5)))
                case 1 | 2:
                    simulation.add(newest, complete)
                    simulation.join(newest, rng.choice(live))
                    newest += 1
                case 3:
                    simulation.write(rng.choice(live), f"k{rng.randrange(30)}", (step,), rng.choice([None, step]))
                case 4:
                    simulation.broadcast(rng.choice(live), "news", step)
                case 5:
                    simulation.cut(rng.sample(live, len(live) // 4), live[:20])
                case 6:
                    simulation.heal()
            check_truthful(simulation)
            simulation.run_for(1.0)
    simulation.heal()
    return simulation


@pytest.mark.parametrize("seed", SEEDS)
def test_when_churn_stops_the_overlay_heals_maps_agree_and_broadcast_reaches_everybody(seed: int) -> None:
    simulation = churned(seed)
    seen = [(delivery.node, delivery.broadcast.payload) for delivery in simulation.deliveries]

    eventually(simulation, check_connected, check_symmetric, check_truthful, check_converged, within_s=300.0)

    assert len(seen) == len(set(seen)), f"seed {seed}: a broadcast was delivered twice"
    origin = simulation.live[0]
    for last in ("warms up", "arrives"):
        measure_broadcast(simulation, origin, "news", last, settle_s=3.0)
        check_delivered_once(simulation, "news", last, origin)


def test_churn_visits_every_repair_there_is() -> None:
    simulation = churned(1)

    unvisited = [kind.__name__ for kind in (Graft, Prune, Page, Offer, Entries) if not simulation.received[kind]]

    assert unvisited == []
