"""Names and lives of simulated nodes: what stays the same when a node comes back, and what does not.

A `NodeId` has both: its name, and an incarnation that counts lives from 1. A plain int n is the first life of node "n";
each further life adds LIFE to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from partisan_actors.ids import NodeId
from partisan_actors.protocols.machine import Peer

__all__ = ["LIFE", "FirstNames", "first_life", "name_of", "next_life"]

LIFE: Final = 10**9


def first_life(number: int) -> NodeId:
    """The first life of the node called n`number`."""
    return NodeId(f"n{number}", 1)


def name_of(node: Peer) -> str:
    """What all lives of a node have in common: its name in fault plans."""
    if isinstance(node, NodeId):
        return node.name
    return str(node % LIFE if isinstance(node, int) else node)


def next_life(node: Peer) -> Peer:
    """The life after this one. Raises TypeError for a peer that is neither a NodeId nor an int."""
    if isinstance(node, NodeId):
        return NodeId(node.name, node.incarnation + 1)
    if isinstance(node, int):
        return node + LIFE
    raise TypeError(f"node {node!r} cannot have another life: expected a NodeId or an int")


class FirstNames(Collection[str]):
    """The names of the first `count` nodes, without a list of them: a plan may let millions join."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        return (first_life(number).name for number in range(self._count))

    def __contains__(self, name: object) -> bool:
        number = name[1:] if isinstance(name, str) else ""
        return number.isdecimal() and name == first_life(int(number)).name and int(number) < self._count
