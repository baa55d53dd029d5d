"""Graphs as lists of neighbours: distances, components, clustering, and random regular graphs to compare with.

Plain breadth-first searches over whole numbers: a dependency on a graph library would be one of every user's.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Distances", "Graph", "components", "distances", "mean_clustering", "mean_degree", "random_regular"]

Graph: TypeAlias = Mapping[int, Sequence[int]]  # arcs; a neighbour that is no key is no node, such as a dead one


@dataclass(frozen=True, slots=True)
class Distances:
    """Over some sources: the mean path to all that can be reached, and how far the farthest is."""

    path: float
    hops_mean: float
    hops_max: int


def distances(graph: Graph, rng: random.Random, sources: int) -> Distances:
    """Breadth-first searches from `sources` nodes drawn at random, or from all when there are fewer."""
    starts = rng.sample(list(graph), min(sources, len(graph)))
    total, pairs, farthest = 0, 0, []
    for start in starts:
        layers = _layers(graph, start)
        total += sum(hops * count for hops, count in enumerate(layers))
        pairs += sum(layers) - 1
        farthest.append(len(layers) - 1)
    return Distances(total / max(pairs, 1), sum(farthest) / len(farthest), max(farthest))


def _layers(graph: Graph, start: int) -> list[int]:
    """How many nodes are so many hops away from `start`."""
    seen, layer, sizes = {start}, [start], []
    while layer:
        sizes.append(len(layer))
        following = []
        for node in layer:
            for peer in graph[node]:
                if peer not in seen and peer in graph:
                    seen.add(peer)
                    following.append(peer)
        layer = following
    return sizes


def components(graph: Graph) -> list[list[int]]:
    """The nodes in pieces that are connected by symmetric arcs, the largest first."""
    pieces: list[list[int]] = []
    seen: set[int] = set()
    for start in graph:
        if start in seen:
            continue
        seen.add(start)
        piece = [start]
        for node in piece:  # grows while it is walked
            for peer in graph[node]:
                if peer not in seen and peer in graph:
                    seen.add(peer)
                    piece.append(peer)
        pieces.append(piece)
    return sorted(pieces, key=len, reverse=True)


def mean_degree(graph: Graph) -> float:
    """Arcs a node."""
    return sum(map(len, graph.values())) / len(graph)


def mean_clustering(graph: Graph) -> float:
    """The mean over nodes of the share of pairs of neighbours that are neighbours; arcs are taken as links."""
    links: dict[int, set[int]] = {node: set() for node in graph}
    for node, peers in graph.items():
        for peer in peers:
            if peer in links:
                links[node].add(peer)
                links[peer].add(node)
    total = 0.0
    for peers_of in links.values():
        degree = len(peers_of)
        if degree >= 2:
            closed = sum(len(peers_of & links[peer]) for peer in peers_of)
            total += closed / (degree * (degree - 1))
    return total / len(links)


def random_regular(nodes: int, degree: int, rng: random.Random) -> dict[int, list[int]]:
    """A random graph in which every node has `degree` different neighbours.

    The ends of links are paired at random; a pair that would be a loop or a second link is crossed with a random other
    one until none is left. Raises ValueError when there is no such graph, and when `nodes` is less than four times
    `degree`: so dense a graph may offer nothing to cross with.
    """
    if degree < 0 or nodes < 4 * degree or nodes * degree % 2:
        raise ValueError(f"no random graph of {nodes!r} nodes with {degree!r} links at each")
    ends = [node for node in range(nodes) for _ in range(degree)]
    rng.shuffle(ends)
    pairs = [(min(pair), max(pair)) for pair in zip(ends[::2], ends[1::2], strict=True)]
    times = Counter(pairs)
    place = 0
    while place < len(pairs):
        one = pairs[place]
        if one[0] != one[1] and times[one] == 1:
            place += 1
            continue
        other_place = rng.randrange(len(pairs))
        other = pairs[other_place]
        crossed = [(min(pair), max(pair)) for pair in zip(one, other, strict=True)]
        if any(low == high or times[low, high] for low, high in crossed) or crossed[0] == crossed[1]:
            continue
        times.subtract([one, other])
        times.update(crossed)
        pairs[place], pairs[other_place] = crossed
    graph: dict[int, list[int]] = {node: [] for node in range(nodes)}
    for low, high in pairs:
        graph[low].append(high)
        graph[high].append(low)
    return graph
