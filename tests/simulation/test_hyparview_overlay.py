"""A thousand nodes over HyParView against what graph theory says of random regular graphs.

The stabilised active views are nearly a random 5-regular graph, so the numbers below follow from closed forms (or from
such a graph itself), with no figure fitted to what this code does.
"""

from __future__ import annotations

import random

import networkx as nx
import pytest

from partisan_actors.protocols.broadcast.plumtree import IHave, PlumtreeOptions
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation.checkers import (
    check_connected,
    check_delivered_once,
    check_symmetric,
    check_truthful,
    components,
    eventually,
    mean_degree,
    measure_broadcast,
)
from partisan_actors.simulation.machines import Simulation, StackFactory
from tests.seeds import quick_first
from tests.simulation.hyparview_cluster import flooding, links, plumtree

NODES = 1000
STABLE_S = 50.0  # five shuffle periods
QUICK_S = 0.3  # for a broadcast and its announcements, but hardly for a change of the overlay
ALL_SEEDS = quick_first(1, range(1, 11))


def grown(seed: int, factory: StackFactory, nodes: int = NODES) -> Simulation:
    simulation = Simulation(seed)
    simulation.grow(range(nodes), factory, contact=0)
    simulation.run_for(STABLE_S)
    return simulation


def check_overlay(simulation: Simulation) -> None:
    check_truthful(simulation)
    check_symmetric(simulation)
    check_connected(simulation)


@pytest.mark.parametrize("seed", ALL_SEEDS)
def test_the_overlay_is_connected_and_symmetric_and_broadcast_reaches_everybody_once(seed: int) -> None:
    simulation = grown(seed, plumtree)
    rng = random.Random(seed)

    check_overlay(simulation)
    origins = [rng.randrange(NODES) for _ in range(10)]
    costs = [measure_broadcast(simulation, origin, "news", number) for number, origin in enumerate(origins)]

    for number, origin in enumerate(origins):
        check_delivered_once(simulation, "news", number, origin)
    assert all(cost.delivered == NODES - 1 for cost in costs), f"seed {seed}: {costs}"
    assert 4.85 <= mean_degree(simulation) <= 5.0, f"seed {seed}"


@pytest.mark.parametrize("seed", ALL_SEEDS)
def test_the_first_plumtree_broadcast_is_a_flood_and_the_next_one_a_spanning_tree(seed: int) -> None:
    simulation = grown(seed, plumtree)
    degrees = len(links(simulation, simulation.live))

    first = measure_broadcast(simulation, 0, "news", "first", settle_s=QUICK_S)
    announced = simulation.received[IHave]
    second = measure_broadcast(simulation, 0, "news", "second", settle_s=QUICK_S)

    assert first.payloads == degrees - (NODES - 1), f"seed {seed}"
    assert first.redundancy == pytest.approx(mean_degree(simulation) - 2, abs=0.01), f"seed {seed}"
    assert (second.payloads, second.redundancy) == (NODES - 1, 0.0), f"seed {seed}"
    # Both ends of every link that is not in the tree announce, unless the other's announcement made them swap links.
    assert simulation.received[IHave] - announced == pytest.approx(degrees - 2 * (NODES - 1), rel=0.01), f"seed {seed}"


@pytest.mark.parametrize("seed", ALL_SEEDS)
def test_a_flood_sends_mean_degree_less_two_payloads_too_many_along_shortest_ways(seed: int) -> None:
    simulation = grown(seed, flooding)

    for origin in (0, 500, 999):
        graph = nx.Graph(links(simulation, simulation.live))
        redundancy = mean_degree(simulation) - 2
        cost = measure_broadcast(simulation, origin, "news", origin, settle_s=QUICK_S)

        assert cost.payloads == 2 * graph.number_of_edges() - (NODES - 1), f"seed {seed}"
        assert cost.redundancy == pytest.approx(redundancy, abs=0.01), f"seed {seed}"
        # Links differ in latency, so the quickest way may be some hops longer than the shortest.
        farthest = nx.eccentricity(graph, origin)
        assert farthest <= cost.last_delivery_hop <= 2 * farthest, f"seed {seed}"


@pytest.mark.parametrize("seed", ALL_SEEDS)
def test_the_active_views_look_like_a_random_regular_graph(seed: int) -> None:
    simulation = grown(seed, flooding)
    graph = nx.Graph(links(simulation, simulation.live))
    model = nx.random_regular_graph(5, NODES, seed=seed)

    path = nx.average_shortest_path_length(graph)

    assert path == pytest.approx(nx.average_shortest_path_length(model), rel=0.03), f"seed {seed}"
    # The paper measured three times the clustering of a random graph, (k-1)^2 / (n k).
    assert nx.average_clustering(graph) < 5 * 16 / (5 * NODES), f"seed {seed}"
    assert nx.diameter(graph) <= nx.diameter(model) + 2, f"seed {seed}"


def survivors_reached(survival: float) -> float:
    """Site percolation on a 5-regular tree: the share of the survivors in the giant component."""
    q = 0.0
    for _ in range(1000):
        q = (1 - survival) + survival * q**4
    return 1 - q**5


@pytest.mark.parametrize("seed", ALL_SEEDS)
@pytest.mark.parametrize(("failed", "points"), [(0.4, 0.03), (0.5, 0.05)])
def test_before_any_repair_a_flood_reaches_the_survivors_that_percolation_says(
    seed: int, failed: float, points: float
) -> None:
    simulation = grown(seed, flooding)
    kill_some(simulation, failed)
    reachable = components(simulation)[0]

    # Failures are found out 100 ms later, so the message runs over the overlay as the crash left it.
    cost = measure_broadcast(simulation, reachable[0], "news", "first", settle_s=0.099)

    assert cost.delivered + 1 == len(reachable), f"seed {seed}"
    share = len(reachable) / len(simulation.live)
    assert share == pytest.approx(survivors_reached(1 - failed), abs=points), f"seed {seed}"


@pytest.mark.parametrize("seed", ALL_SEEDS)
@pytest.mark.parametrize("failed", [0.5, 0.8])
def test_after_a_mass_failure_the_survivors_join_up_and_broadcast_reaches_them_all(seed: int, failed: float) -> None:
    simulation = grown(seed, plumtree)
    measure_broadcast(simulation, 0, "news", "before")

    kill_some(simulation, failed)
    lost = nodes_that_know_nobody_alive(simulation)
    simulation.kill(*lost)
    eventually(simulation, check_overlay, within_s=100.0)

    assert len(lost) <= 2, f"seed {seed}: {lost}"
    origin = simulation.live[0]
    for number in range(3):
        measure_broadcast(simulation, origin, "news", number, settle_s=3.0)
        check_delivered_once(simulation, "news", number, origin)
    last = measure_broadcast(simulation, origin, "news", "last", settle_s=3.0)
    assert last.redundancy <= 0.1, f"seed {seed}"
    assert mean_degree(simulation) >= 4.5, f"seed {seed}"


def test_an_overlay_cut_in_two_grows_together_again_after_healing() -> None:
    simulation = grown(3, plumtree, nodes=200)

    simulation.cut(range(100), range(100, 200))
    simulation.run_for(60.0)
    pieces = [sorted(piece) for piece in components(simulation)]
    simulation.heal()

    assert sorted(pieces) == [list(range(100)), list(range(100, 200))]
    eventually(simulation, check_overlay, within_s=300.0)
    measure_broadcast(simulation, 0, "news", "whole", settle_s=3.0)
    check_delivered_once(simulation, "news", "whole", 0)


@pytest.mark.parametrize("seed", [1])
def test_the_hop_optimisation_shortens_ways_that_another_origins_tree_made_long(seed: int) -> None:
    def last_hops(threshold: int | None) -> float:
        def factory(simulation: Simulation, node: Peer) -> ProtocolStack:
            return plumtree(simulation, node, PlumtreeOptions(optimise_threshold=threshold))

        simulation = grown(seed, factory, nodes=400)
        rng = random.Random(seed)
        costs = [measure_broadcast(simulation, rng.randrange(400), "news", number) for number in range(40)]
        assert all(cost.delivered == 399 for cost in costs)
        return sum(cost.last_delivery_hop for cost in costs[20:]) / 20

    plain, optimised = last_hops(None), last_hops(3)

    assert optimised < plain, f"seed {seed}"


def nodes_that_know_nobody_alive(simulation: Simulation) -> list[Peer]:
    """Survivors of whose views nobody else survived: from there, no protocol without a directory finds back."""
    live = frozenset(simulation.live)
    views = {node: simulation.stack(node).views.values() for node in simulation.live}
    return [node for node in simulation.live if not any(peer in live for view in views[node] for peer in view)]


def kill_some(simulation: Simulation, share: float) -> None:
    dead = random.Random(simulation.seed).sample(simulation.live, int(share * len(simulation.live)))
    simulation.kill(*dead)
