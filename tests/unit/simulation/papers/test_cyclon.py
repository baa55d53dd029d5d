"""Cyclon: views that never exceed their size, never hold oneself, and are as random as the paper says."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from partisan_actors.protocols.machine import Send
from partisan_actors.simulation.cycles import CycleEngine
from partisan_actors.simulation.papers.baselines import cyclon, stable_cyclon
from partisan_actors.simulation.papers.cyclon import Cyclon, CyclonOptions, Entries, Swap
from partisan_actors.simulation.papers.graphs import components, mean_clustering
from partisan_actors.simulation.papers.overlays import links_of


def views(engine: CycleEngine) -> dict[int, list[int]]:
    return {int(str(node)): list(peers) for node, peers in links_of(engine).items()}


@pytest.mark.parametrize("seed", [1, 2])
def test_in_every_cycle_views_are_bounded_hold_nobody_twice_and_never_their_own_node(seed: int) -> None:
    engine = CycleEngine(seed)
    for node in range(150):
        engine.add(node, cyclon, contact=0 if node else None)

    for _ in range(8):
        for node, view in views(engine).items():
            assert len(view) == len(set(view)) <= 35, f"seed {seed}"
            assert node not in view, f"seed {seed}"
        engine.cycle("shuffle")


def test_at_rest_views_are_full_in_degrees_are_even_and_clustering_is_random() -> None:
    graph = views(CycleEngine.restored(stable_cyclon(3, 300)))
    in_degrees = Counter(peer for view in graph.values() for peer in view)

    assert all(len(view) == 35 for view in graph.values())
    assert min(in_degrees.values()) >= 10 and max(in_degrees.values()) <= 60
    assert mean_clustering(graph) == pytest.approx(70 / 299, rel=0.12)
    assert len(components(graph)) == 1


def test_a_cycle_gives_the_place_of_the_oldest_to_what_it_answers() -> None:
    node = Cyclon(0, CyclonOptions(view_max=3, shuffle_length=2), random.Random(1))
    for peer in (1, 2, 3):
        node.receive(peer, Entries(((peer, 10 - peer),)), 0.0)

    (sent,) = node.timer_fired("shuffle", 0.0)

    assert isinstance(sent, Send) and isinstance(sent.message, Swap)
    assert sent.peer == 1
    assert sent.message.entries[0] == (0, 0) and len(sent.message.entries) == 2
    assert sorted(node.neighbours) == [2, 3]  # type: ignore[type-var]  # they are ints

    node.receive(1, Entries(((7, 0), (0, 0))), 0.0)

    assert sorted(node.neighbours) == [2, 3, 7]  # type: ignore[type-var]  # they are ints


def test_what_was_offered_gives_way_to_what_comes_and_nothing_else_does() -> None:
    node = Cyclon(0, CyclonOptions(view_max=2, shuffle_length=1), random.Random(1))
    for peer in (1, 2):
        node.receive(peer, Entries(((peer, 0),)), 0.0)

    (answer,) = node.receive(9, Swap(((8, 0), (7, 0))), 0.0)

    assert isinstance(answer, Send) and answer.peer == 9
    ((given, _),) = answer.message.entries  # type: ignore[attr-defined]  # it is Entries
    kept = 3 - given
    assert node.neighbours == [kept, 8]


def test_a_dead_peer_is_struck_from_the_view() -> None:
    node = Cyclon(0, CyclonOptions(), random.Random(1))
    node.receive(1, Entries(((1, 0), (2, 0))), 0.0)

    node.peer_down(1, 0.0)

    assert node.neighbours == [2]
