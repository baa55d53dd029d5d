"""`ObjectLocation`: which nodes hold a value, and how large it is."""

from __future__ import annotations

from typing import Any

from partisan_actors.ids import NodeId
from partisan_actors.values import dataclass

__all__ = ["ObjectLocation"]


@dataclass(frozen=True, slots=True)
class ObjectLocation:
    """The nodes that hold a value, its owner first; none while it is not ready, and none when the call failed.

    `size_bytes` is what it takes to send it, 0 when it is small or not known. `is_spilled` says that its owner has it
    on disk only.
    """

    nodes: tuple[NodeId, ...]
    size_bytes: int = 0
    is_spilled: bool = False

    def plain(self) -> list[Any]:
        """As scalars, for the wire."""
        return [[list(node) for node in self.nodes], self.size_bytes, self.is_spilled]

    @classmethod
    def of_plain(cls, plain: list[Any]) -> ObjectLocation:
        """The inverse of `plain`."""
        nodes, size_bytes, is_spilled = plain
        return cls(tuple(NodeId(*node) for node in nodes), size_bytes, is_spilled)
