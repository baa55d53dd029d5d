"""Names and lives of simulated nodes: what stays the same when a node comes back, and what does not.

A `NodeId` has both: its name, and an incarnation that counts lives from 1. A plain int n is the first life of node "n";
each further life adds LIFE to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain, count, islice
from typing import Final

from partisan_actors.ids import NodeId
from partisan_actors.protocols.machine import Peer

__all__ = ["LIFE", "FirstNames", "first_life", "name_of", "next_life"]

LIFE: Final = 10**9
DIGITS_MAX: Final = 9


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
    """The names that are `there`, and the first `count` of others. No list is made: a plan may let very many join."""

    def __init__(self, count: int, there: Collection[str] = ()) -> None:
        self._count = count
        self._there = there

    def __len__(self) -> int:
        return len(self._there) + self._count

    def __iter__(self) -> Iterator[str]:
        free = (name for number in count() if (name := first_life(number).name) not in self._there)
        return chain(self._there, islice(free, self._count))

    def __contains__(self, name: object) -> bool:
        if name in self._there:
            return True
        number = _number_of(name)
        return number is not None and number - sum(_below(each, number) for each in self._there) < self._count


def _number_of(name: object) -> int | None:
    digits = name[1:] if isinstance(name, str) else ""
    is_short = digits.isdecimal() and len(digits) <= DIGITS_MAX
    return int(digits) if is_short and name == first_life(int(digits)).name else None


def _below(name: str, number: int) -> bool:
    other = _number_of(name)
    return other is not None and other < number
