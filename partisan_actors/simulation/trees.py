"""What tree do broadcasts take? The eager links of a simulated cluster for one root, and whether they are a tree."""

from __future__ import annotations

from partisan_actors.protocols.machine import Peer
from partisan_actors.simulation.checkers import CheckFailed
from partisan_actors.simulation.machines import Simulation

__all__ = ["check_spanning_tree", "tree_links"]


def tree_links(simulation: Simulation, root: Peer) -> list[tuple[Peer, Peer]]:
    """Every (node, neighbour) that payloads of `root` would go over now, from live nodes, in the order of adding."""
    return [
        (node, peer)
        for node in simulation.live
        for peer, is_eager in simulation.stack(node).broadcasting.links(root).items()
        if is_eager
    ]


def check_spanning_tree(simulation: Simulation, root: Peer) -> None:
    """The eager links of `root` are two-way, n-1 of them, and reach every live node.

    Liveness: ask after the tree has had broadcasts to grow from, and was left alone.
    """
    links = tree_links(simulation, root)
    there = frozenset(links)
    one_way = [link for link in links if (link[1], link[0]) not in there]
    if one_way:
        raise CheckFailed(simulation, f"in the tree of {root}, {len(one_way)} links are one-way, such as {one_way[:5]}")
    ways: dict[Peer, list[Peer]] = {}
    for node, peer in links:
        ways.setdefault(node, []).append(peer)
    reached: dict[Peer, None] = {root: None}
    ahead = [root]
    while ahead:
        for peer in ways.get(ahead.pop(), ()):
            if peer not in reached:
                reached[peer] = None
                ahead.append(peer)
    nodes = len(simulation.live)
    if len(reached) != nodes or len(links) != 2 * (nodes - 1):
        found = f"{len(links) // 2} links and reaches {len(reached)} of {nodes} nodes"
        raise CheckFailed(simulation, f"the tree of {root} has {found}")
