"""Graphs: the same answers as networkx, on random graphs and on small ones known by heart."""

from __future__ import annotations

import random

import networkx as nx
import pytest

from partisan_actors.simulation.papers.graphs import (
    components,
    distances,
    mean_clustering,
    mean_degree,
    random_regular,
)


def random_graph(seed: int, nodes: int, probability: float) -> tuple[nx.Graph, dict[int, list[int]]]:
    graph = nx.gnp_random_graph(nodes, probability, seed=seed)
    return graph, {node: list(graph[node]) for node in graph}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_distances_over_all_sources_are_those_of_networkx(seed: int) -> None:
    graph, ours = random_graph(seed, 80, 0.08)
    if not nx.is_connected(graph):
        graph = graph.subgraph(max(nx.connected_components(graph), key=len))
        ours = {node: list(graph[node]) for node in graph}

    found = distances(ours, random.Random(seed), sources=1000)

    assert found.path == pytest.approx(nx.average_shortest_path_length(graph))
    assert found.hops_max == nx.diameter(graph)
    assert found.hops_mean == pytest.approx(sum(nx.eccentricity(graph).values()) / len(graph))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_components_and_clustering_are_those_of_networkx(seed: int) -> None:
    graph, ours = random_graph(seed, 120, 0.015)

    assert sorted(map(sorted, components(ours))) == sorted(map(sorted, nx.connected_components(graph)))
    assert len(components(ours)[0]) == max(map(len, nx.connected_components(graph)))
    assert mean_clustering(ours) == pytest.approx(nx.average_clustering(graph))


def test_neighbours_that_are_no_nodes_lead_nowhere() -> None:
    graph = {1: [2, 9], 2: [1], 3: [9]}

    assert components(graph) == [[1, 2], [3]]
    assert distances(graph, random.Random(1), 3).hops_max == 1
    assert mean_degree(graph) == pytest.approx(4 / 3)


def test_a_triangle_is_all_clustered_and_a_star_not_at_all() -> None:
    assert mean_clustering({1: [2, 3], 2: [1, 3], 3: [1, 2]}) == 1.0
    assert mean_clustering({1: [2, 3, 4], 2: [1], 3: [1], 4: [1]}) == 0.0


@pytest.mark.parametrize(("nodes", "degree"), [(20, 5), (501, 4), (1000, 5)])
def test_a_random_regular_graph_is_regular_and_simple(nodes: int, degree: int) -> None:
    graph = random_regular(nodes, degree, random.Random(3))

    assert len(graph) == nodes
    for node, peers in graph.items():
        assert len(peers) == len(set(peers)) == degree
        assert node not in peers
        assert all(node in graph[peer] for peer in peers)


@pytest.mark.parametrize(("nodes", "degree"), [(19, 5), (101, 5), (10, -1)])
def test_a_graph_that_there_is_not_is_refused(nodes: int, degree: int) -> None:
    with pytest.raises(ValueError, match="no random graph"):
        random_regular(nodes, degree, random.Random(1))
