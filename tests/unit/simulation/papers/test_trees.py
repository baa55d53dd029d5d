"""Trees: bare ones that are told of links behave as Plumtree over a membership that makes these links."""

from __future__ import annotations

import networkx as nx
import pytest

from partisan_actors.simulation.papers.graphs import mean_degree, random_regular
from partisan_actors.simulation.papers.overlays import STACKED_SHUFFLE, grown, links_of
from partisan_actors.simulation.papers.trees import Cost, Trees
from partisan_actors.simulation.streams import stream

NODES = 200


def regular(seed: int) -> dict[int, list[int]]:
    return random_regular(NODES, 5, stream(seed, 0, "graph"))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_first_broadcast_is_a_flood_and_the_next_one_a_tree_over_shortest_ways(seed: int) -> None:
    trees, graph = Trees.bare(seed, NODES), regular(seed)
    trees.link(graph)

    first, second = trees.send(7), trees.send(7)

    ends, others = 5 * NODES, NODES - 1
    assert (first.reached, first.payloads) == (NODES, ends - others), f"seed {seed}"
    # Every duplicate is answered by a Prune; the links that stay in the tree are crossed once.
    assert first.control == first.payloads - others, f"seed {seed}"
    assert (second.reached, second.payloads, second.redundancy) == (NODES, others, 0.0), f"seed {seed}"
    assert second.control == ends - 2 * others, f"seed {seed}"
    assert second.last_hop >= nx.eccentricity(nx.Graph(graph), 7), f"seed {seed}"


@pytest.mark.parametrize("seed", [1, 2])
def test_trees_over_bare_nodes_cost_what_they_cost_over_running_membership(seed: int) -> None:
    whole, bare = Trees.planted(engine := grown(seed, NODES)), Trees.bare(seed, NODES)
    costs: list[tuple[Cost, Cost]] = []

    for _ in range(4):
        bare.link(links_of(engine))
        costs.append((whole.send(3), bare.send(3)))
        engine.cycle(STACKED_SHUFFLE)

    for one, other in costs:
        assert one.reached == other.reached == NODES, f"seed {seed}"
        assert one.payloads == pytest.approx(other.payloads, abs=3), f"seed {seed}"
    assert mean_degree(links_of(engine)) > 4.5


def test_a_node_that_lost_its_tree_link_gets_the_message_by_a_graft() -> None:
    trees, graph = Trees.bare(1, 3), {0: [1, 2], 1: [0, 2], 2: [0, 1]}
    trees.link(graph)
    for _ in range(2):
        trees.send(0)  # the link between 1 and 2 is lazy now

    trees.link({0: [1], 1: [0, 2], 2: [1]})

    assert [trees.send(0).reached, trees.send(0).payloads] == [3, 2]
