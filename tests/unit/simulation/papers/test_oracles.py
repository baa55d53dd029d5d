"""The closed forms, against random regular graphs that networkx makes and against chance itself."""

from __future__ import annotations

import math
import random

import networkx as nx
import pytest

from partisan_actors.simulation.papers import oracles

NODES = 10_000


def survivors(failed: float, seed: int) -> nx.Graph:
    """A random 5-regular graph with that share of its nodes taken away."""
    graph = nx.random_regular_graph(5, NODES, seed=seed)
    graph.remove_nodes_from(random.Random(seed).sample(range(NODES), round(failed * NODES)))
    return graph


@pytest.mark.parametrize(("failed", "points"), [(0.2, 0.1), (0.4, 0.6), (0.5, 1.2), (0.6, 3.0)])
def test_the_giant_component_of_a_random_regular_graph_is_what_percolation_says(failed: float, points: float) -> None:
    graph = survivors(failed, seed=7)

    giant = graph.subgraph(max(nx.connected_components(graph), key=len))

    assert 100 * len(giant) / len(graph) == pytest.approx(oracles.giant_reach(failed), abs=points)
    redundancy = (2 * giant.number_of_edges() - (len(giant) - 1)) / (len(giant) - 1) - 1
    assert redundancy == pytest.approx(oracles.eager_redundancy_after_failure(failed), abs=0.04)


@pytest.mark.parametrize(
    ("failed", "reach"), [(0.1, 100.0), (0.3, 99.73), (0.4, 98.72), (0.5, 95.25), (0.6, 84.20), (0.7, 47.38)]
)
def test_percolation_gives_the_figures_known_for_degree_five(failed: float, reach: float) -> None:
    assert oracles.giant_reach(failed) == pytest.approx(reach, abs=0.005)
    assert oracles.unconditional_reach(failed) == pytest.approx(reach**2 / 100, abs=0.02)


def test_past_three_quarters_failed_there_is_no_giant_component() -> None:
    assert oracles.giant_reach(0.76) == pytest.approx(0.0, abs=0.01)
    assert math.isnan(oracles.eager_redundancy_after_failure(0.8))


def test_distances_and_clustering_are_those_of_another_random_regular_graph() -> None:
    graph = nx.random_regular_graph(5, 1000, seed=3)

    model = oracles.regular_distances(1000)

    assert model.path == pytest.approx(nx.average_shortest_path_length(graph), rel=0.01)
    assert abs(model.hops_max - nx.diameter(graph)) <= 1
    assert oracles.regular_clustering(1000) == pytest.approx(16 / 5000)


@pytest.mark.parametrize("failed", [0.0, 0.3, 0.5])
def test_gossip_reach_is_what_gossip_over_random_views_reaches(failed: float) -> None:
    rng = random.Random(11)
    nodes = 2000
    views = [rng.sample(range(nodes), 35) for _ in range(nodes)]
    alive = set(rng.sample(range(nodes), round((1 - failed) * nodes)))

    def reach(origin: int) -> float:
        seen, queue = {origin}, [origin]
        for node in queue:
            for peer in rng.sample(views[node], 4):
                if peer in alive and peer not in seen:
                    seen.add(peer)
                    queue.append(peer)
        return 100 * len(seen) / len(alive)

    starts = rng.choices(sorted(alive), k=100)

    mean = sum(map(reach, starts)) / len(starts)

    assert mean == pytest.approx(oracles.gossip_reach(failed), abs=1.0 if failed < 0.5 else 8.0)


def test_scamps_views_grow_with_the_harmonic_number_or_the_logarithm() -> None:
    assert oracles.scamp_bare_view(2) == 1.0  # they hold each other
    assert oracles.scamp_bare_view(10_000) == pytest.approx(math.log(10_000) + 0.0772, abs=0.001)
    assert oracles.scamp_view(10_000, 4) == pytest.approx(46.05, abs=0.01)


def test_points_in_the_unit_square_are_as_far_apart_as_drawn_ones() -> None:
    rng = random.Random(5)
    points = [(rng.random(), rng.random()) for _ in range(2000)]
    drawn = [math.dist(rng.choice(points), rng.choice(points)) for _ in range(20_000)]
    inner = [point for point in points if all(0.2 < place < 0.8 for place in point)][:150]
    nearest = [sum(sorted(math.dist(point, other) for other in points)[1:6]) / 5 for point in inner]

    assert sum(drawn) / len(drawn) == pytest.approx(oracles.UNIT_SQUARE_DISTANCE, rel=0.02)
    assert sum(nearest) / len(nearest) == pytest.approx(oracles.nearest_distance(2000, 5), rel=0.04)


def test_swims_first_detection_takes_a_period_with_two_members_and_e_over_e_less_one_with_many() -> None:
    assert oracles.swim_first_detection_periods(2) == 1.0
    assert oracles.swim_first_detection_periods(10_000) == pytest.approx(math.e / (math.e - 1), abs=0.001)
