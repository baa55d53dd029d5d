"""Clocks of many nodes together, as vector clocks: which is at least as late as which, and what two of them make.

A node that is not named has clock 0. `descends` is a partial order (Mattern, *Virtual time and global states of
distributed systems*, 1989), in which `merge` gives the least that descends from both.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TypeAlias

__all__ = ["Clocks", "Node", "behind", "descends", "merge"]

Node: TypeAlias = Hashable
Clocks: TypeAlias = dict[Node, int]


def behind(clocks: Mapping[Node, int], others: Mapping[Node, int]) -> Iterator[tuple[Node, int]]:
    """The entries of `others` that `clocks` have not reached, in the order of `others`."""
    for node, clock in others.items():
        if clock > clocks.get(node, 0):
            yield node, clock


def descends(clocks: Mapping[Node, int], others: Mapping[Node, int]) -> bool:
    """Whether `clocks` are at least as late as `others`, for every node."""
    return next(behind(clocks, others), None) is None


def merge(clocks: Clocks, others: Mapping[Node, int]) -> None:
    """Let `clocks` be at least as late as `others`, and no later than that needs."""
    clocks.update(behind(clocks, others))
