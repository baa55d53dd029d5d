"""Plumtree on any small graph, with any roots, of either kind of tree: delivered once, everywhere, over a tree."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from partisan_actors.protocols.broadcast.plumtree import Plumtree, PlumtreeOptions
from partisan_actors.simulation.machines import Simulation
from partisan_actors.simulation.network import DROP, PASS
from partisan_actors.simulation.streams import stream
from partisan_actors.simulation.trees import check_spanning_tree
from tests.static_overlay import line, random_graph, running, with_plumtree

KINDS = st.sampled_from(["shared", "per_root"])


def tree_of(simulation: Simulation, node: int) -> Plumtree:
    broadcast = simulation.stack(node).broadcasting
    assert isinstance(broadcast, Plumtree)
    return broadcast


def times_delivered(simulation: Simulation) -> Counter[tuple[object, object]]:
    return Counter((delivery.broadcast.payload, delivery.node) for delivery in simulation.deliveries)


@settings(max_examples=150, deadline=None)
@given(
    nodes=st.integers(3, 12),
    degree=st.integers(2, 6),
    seed=st.integers(0, 2**32),
    kind=KINDS,
    roots_max=st.integers(1, 4),
    origins=st.lists(st.integers(0, 11), min_size=1, max_size=25),
    pause_s=st.sampled_from([0.0, 0.003, 0.2]),
)
def test_every_broadcast_is_delivered_once_everywhere_and_the_bound_of_roots_holds(
    nodes: int, degree: int, seed: int, kind: str, roots_max: int, origins: list[int], pause_s: float
) -> None:
    links = random_graph(nodes, degree, seed)
    simulation = running(links, with_plumtree(links, PlumtreeOptions(trees=kind, roots_max=roots_max)), seed)

    for number, origin in enumerate(origins):
        simulation.broadcast(origin % nodes, "news", number)
        simulation.run_for(pause_s)
    simulation.run_for(20.0)

    expected = {(number, node) for number, origin in enumerate(origins) for node in links if node != origin % nodes}
    assert times_delivered(simulation) == dict.fromkeys(expected, 1)
    for node in links:
        tree = tree_of(simulation, node)
        assert all(set(tree.links(root)) == set(links[node]) for root in links)
        assert len(tree._trees) <= (roots_max if kind == "per_root" else 0)


@settings(max_examples=100, deadline=None)
@given(
    nodes=st.integers(3, 12),
    degree=st.integers(2, 6),
    seed=st.integers(0, 2**32),
    kind=KINDS,
    roots=st.lists(st.integers(0, 11), min_size=1, max_size=4),
)
def test_once_warm_the_links_of_every_root_are_a_spanning_tree(
    nodes: int, degree: int, seed: int, kind: str, roots: list[int]
) -> None:
    links = random_graph(nodes, degree, seed)
    simulation = running(links, with_plumtree(links, PlumtreeOptions(trees=kind)), seed)

    for number in range(4):
        for root in roots:
            simulation.broadcast(root % nodes, "news", (root, number))
            simulation.run_for(2.0)

    for root in roots:
        check_spanning_tree(simulation, root % nodes)


@settings(max_examples=100, deadline=None)
@given(
    nodes=st.integers(3, 10),
    seed=st.integers(0, 2**32),
    kind=KINDS,
    is_line=st.booleans(),
    loss=st.floats(0.05, 0.5),
    origins=st.lists(st.integers(0, 9), min_size=1, max_size=8),
)
def test_repeated_announcements_make_up_for_any_loss(
    nodes: int, seed: int, kind: str, is_line: bool, loss: float, origins: list[int]
) -> None:
    # A line has no second way: what is lost on it has to come over the same link.
    links = line(nodes) if is_line else random_graph(nodes, 4, seed)
    options = PlumtreeOptions(trees=kind, repeat_s=0.5)
    simulation = running(links, with_plumtree(links, options), seed)
    rng = stream(seed, "network", "loss")

    with simulation.network.rule(lambda sender, receiver, message: DROP if rng.random() < loss else PASS):
        for number, origin in enumerate(origins):
            simulation.broadcast(origin % nodes, "news", number)
            simulation.run_for(0.1)
        simulation.run_for(120.0)

    expected = {(number, node) for number, origin in enumerate(origins) for node in links if node != origin % nodes}
    assert times_delivered(simulation) == dict.fromkeys(expected, 1)
