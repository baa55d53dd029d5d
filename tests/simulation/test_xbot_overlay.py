"""X-BOT in whole stacks: what it saves where links differ, and that it costs nothing else.

How much a swap saves is not taken from the paper: the bounds are far from what was measured, which stands beside them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from partisan_actors.protocols.broadcast.plumtree import Plumtree, PlumtreeOptions
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.xbot import XBot, XBotOptions
from partisan_actors.protocols.membership.xbot_messages import OptimizationReply
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation.checkers import (
    check_connected,
    check_delivered_once,
    check_symmetric,
    check_truthful,
    eventually,
    mean_degree,
    measure_broadcast,
)
from partisan_actors.simulation.clock import nanoseconds
from partisan_actors.simulation.machines import Simulation
from tests.simulation.hyparview_cluster import links

SIDE = 8
FEW_SEEDS = [1, 2]
SEEDS = [pytest.param(seed, marks=() if seed in FEW_SEEDS else pytest.mark.slow) for seed in range(1, 11)]


def stack(simulation: Simulation, node: Peer, options: XBotOptions) -> ProtocolStack:
    tree = Plumtree(node, PlumtreeOptions(), simulation.stream(node, "broadcast"))
    return ProtocolStack(node, XBot(node, options, simulation.stream(node, "membership")), tree)


def steps(one: Peer, other: Peer) -> int:
    """The way between two places of a grid, along its lines."""
    assert isinstance(one, int) and isinstance(other, int)
    return abs(one % SIDE - other % SIDE) + abs(one // SIDE - other // SIDE)


def grid_latency(sender: Peer, receiver: Peer, rng: random.Random) -> int:
    """Five milliseconds a step, and up to two more by chance."""
    return nanoseconds(0.001 + 0.005 * steps(sender, receiver) + 0.002 * rng.random())


def mean_link(simulation: Simulation, cost: Callable[[Peer, Peer], float]) -> float:
    costs = [cost(*link) for link in links(simulation, simulation.live)]
    return sum(costs) / len(costs)


@pytest.mark.parametrize("seed", SEEDS)
def test_on_a_grid_measured_round_trips_shorten_links_and_the_overlay_stays_whole(seed: int) -> None:
    simulation = Simulation(seed, latency=grid_latency)
    options = XBotOptions()

    simulation.grow(range(SIDE * SIDE), lambda simulation, node: stack(simulation, node, options), contact=0)
    before, degree = mean_link(simulation, steps), mean_degree(simulation)
    for _ in range(400):
        simulation.run_for(1.0)
        check_connected(simulation)
        check_truthful(simulation)
    eventually(simulation, check_symmetric, within_s=5.0, step_s=0.1)

    assert mean_link(simulation, steps) <= 0.75 * before, f"seed {seed}"  # measured: 0.51 to 0.62 of it
    assert mean_degree(simulation) >= degree, f"seed {seed}"
    for number in range(3):
        measure_broadcast(simulation, number, "news", number, settle_s=3.0)
        check_delivered_once(simulation, "news", number, number)


@pytest.mark.parametrize("seed", SEEDS)
def test_after_half_of_the_nodes_failed_the_rest_heal_and_go_on_saving(seed: int) -> None:
    simulation = Simulation(seed, latency=grid_latency)
    options = XBotOptions()
    simulation.grow(range(SIDE * SIDE), lambda simulation, node: stack(simulation, node, options), contact=0)
    simulation.run_for(200.0)

    simulation.kill(*random.Random(seed).sample(simulation.live, SIDE * SIDE // 2))
    eventually(simulation, check_connected, check_symmetric, check_truthful, within_s=100.0)
    healed, swapped = mean_link(simulation, steps), simulation.received[OptimizationReply]
    simulation.run_for(200.0)

    check_connected(simulation)
    assert simulation.received[OptimizationReply] > swapped
    assert mean_link(simulation, steps) < healed, f"seed {seed}"


POINTS = 1000


class InThePlane:
    """Points drawn evenly in the unit square; a link costs the way between its ends."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(f"{seed}/points")
        self.points = [(rng.random(), rng.random()) for _ in range(POINTS)]

    def distance(self, one: Peer, other: Peer) -> float:
        assert isinstance(one, int) and isinstance(other, int)
        return math.dist(self.points[one], self.points[other])

    def nearest_five(self) -> float:
        """What the mean link would cost if everybody had the five nearest."""
        nearest = [sorted(map(self.distance, [node] * POINTS, range(POINTS)))[1:6] for node in range(POINTS)]
        return sum(map(sum, nearest)) / (5 * POINTS)


class FromHere:
    def __init__(self, plane: InThePlane, me: Peer) -> None:
        self.plane, self.me = plane, me

    def cost(self, peer: Peer) -> float | None:
        return self.plane.distance(self.me, peer)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", FEW_SEEDS)
def test_among_a_thousand_points_of_the_unit_square_links_become_short(seed: int) -> None:
    plane = InThePlane(seed)
    simulation = Simulation(seed)

    def factory(simulation: Simulation, node: Peer) -> ProtocolStack:
        options = XBotOptions(gain_share=0.0, gain_min=0.0, oracle=FromHere(plane, node))  # A = 5, µ = 1, PSL = 2
        return stack(simulation, node, options)

    simulation.grow(range(POINTS), factory, contact=0)
    at_first = mean_link(simulation, plane.distance)
    for _ in range(100):
        simulation.run_for(10.0)
        check_connected(simulation)
    eventually(simulation, check_symmetric, within_s=5.0, step_s=0.1)
    in_the_end, floor = mean_link(simulation, plane.distance), plane.nearest_five()

    print(f"seed {seed}: the mean link costs {in_the_end:.4f}: of random {in_the_end / 0.5214:.2f}, floor {floor:.4f}")
    assert at_first == pytest.approx(0.5214, rel=0.05), "that of two random points"
    assert floor < in_the_end <= 0.4 * 0.5214, f"seed {seed}"  # measured: 0.34 of random
    assert mean_degree(simulation) >= 4.98
