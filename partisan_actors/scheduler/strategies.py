"""The placements a user may ask for: "default", "spread", "pack", "random", or `NodeAffinity` to a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId

__all__ = ["NodeAffinity", "Strategy", "parse_strategy"]

NamedStrategy: TypeAlias = Literal["default", "spread", "pack", "random"]

_NAMES: Final = get_args(NamedStrategy)
_ALLOWED: Final = ", ".join(f'"{name}"' for name in _NAMES) + ' or NodeAffinity("node")'


@dataclass(frozen=True, slots=True)
class NodeAffinity:
    """On one node: by name, whichever life of it is up; or one life, by NodeId or as it prints (``name~incarnation``).

    When `soft`, that node first, and any other when it is gone, has no room or can never have it. When not, that node
    or none: the work waits for room there, and is refused when the node is down or too small. Raises ConfigError for
    a `node` that is no name.
    """

    node: str | NodeId
    soft: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.node, NodeId) and not (isinstance(self.node, str) and self.node.strip()):
            raise ConfigError("NodeAffinity.node", self.node, "the name or the id of a node")
        if not isinstance(self.soft, bool):
            raise ConfigError("NodeAffinity.soft", self.soft, "True or False")

    def means(self, node: NodeId) -> bool:
        """Whether `node` is the one asked for."""
        return self.node in (node, node.name, str(node))

    def __str__(self) -> str:
        return str(self.node)


Strategy: TypeAlias = NamedStrategy | NodeAffinity


def parse_strategy(placement: object) -> Strategy:
    """The option `placement` as users give it, checked. Raises ConfigError when it is none of the above."""
    if isinstance(placement, NodeAffinity):
        return placement
    for name in _NAMES:
        if placement == name:
            known: Strategy = name
            return known
    raise ConfigError("placement", placement, _ALLOWED)
