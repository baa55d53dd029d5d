"""What the nodes say of their neighbours, judged: is it one overlay, and do both ends of a link know of it? Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

__all__ = ["Shape"]


@dataclass(frozen=True, slots=True)
class Shape:
    """An overlay of `nodes`: how many are in its largest part, its links, and those that only one end speaks of."""

    nodes: int
    largest_part: int
    links: int
    one_sided: int
    alone: int
    degree_least: int
    degree_most: int

    @property
    def is_connected(self) -> bool:
        """Whether every node can reach every other one."""
        return self.largest_part == self.nodes

    @property
    def is_sound(self) -> bool:
        """Connected and symmetric."""
        return self.is_connected and self.one_sided == 0

    @classmethod
    def of(cls, neighbours: Mapping[int, Collection[int]]) -> Shape:
        """Judge an overlay by its nodes' own words. Links to nodes that say nothing are one-sided."""
        neighbours = {here: frozenset(others) for here, others in neighbours.items()}
        said = {(here, there) for here, others in neighbours.items() for there in others}
        one_sided = sum((there, here) not in said for here, there in said)
        degrees = [len(others) for others in neighbours.values()] or [0]
        return cls(
            nodes=len(neighbours),
            largest_part=max(map(len, _parts(neighbours)), default=0),
            links=(len(said) + one_sided) // 2,
            one_sided=one_sided,
            alone=sum(degree == 0 for degree in degrees),
            degree_least=min(degrees),
            degree_most=max(degrees),
        )


def _parts(neighbours: Mapping[int, Collection[int]]) -> list[set[int]]:
    """The parts of the graph, by links that both ends speak of."""
    parts: list[set[int]] = []
    left = dict.fromkeys(neighbours)
    while left:
        start = next(iter(left))
        part, front = {start}, [start]
        while front:
            here = front.pop()
            for there in neighbours[here]:
                if there not in part and here in neighbours.get(there, ()):
                    part.add(there)
                    front.append(there)
        parts.append(part)
        for node in part:
            del left[node]
    return parts
