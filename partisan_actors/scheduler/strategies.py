"""The placements a user may ask for: "default", "spread", "pack", "random", a node, its labels, a placement group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, Literal, TypeAlias, get_args

from partisan_actors.errors import ConfigError
from partisan_actors.ids import GroupId, NodeId
from partisan_actors.scheduler.labels import LabelSelector, parse_selectors
from partisan_actors.values import dataclass

__all__ = ["InPlacementGroup", "NodeAffinity", "NodeLabels", "Strategy", "parse_strategy"]

NamedStrategy: TypeAlias = Literal["default", "spread", "pack", "random"]

_NAMES: Final = get_args(NamedStrategy)
_ALLOWED: Final = (
    ", ".join(f'"{name}"' for name in _NAMES) + ', NodeAffinity("node"), NodeLabels(...) or InPlacementGroup(group)'
)


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

    def allows(self, node: NodeId) -> bool:
        """Whether it may be `node`, for want of the one asked for."""
        return self.soft or self.means(node)

    def __str__(self) -> str:
        return str(self.node)


@dataclass(frozen=True, slots=True)
class NodeLabels:
    """On a node whose labels match all of `hard`, and if possible all of `soft`, too.

    Both map labels to `In`, `NotIn`, `Exists`, `DoesNotExist`, or a text as in the option `labels`. Among nodes that
    match equally many of `soft`, the choice is as in "default". Raises ConfigError for what is no selector.
    """

    hard: Mapping[str, object] = field(default_factory=dict)
    soft: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not parse_selectors(self.hard) and not parse_selectors(self.soft):
            raise ConfigError("NodeLabels", self, "at least one label, hard or soft")

    def required(self) -> tuple[LabelSelector, ...]:
        """What a node has to match."""
        return parse_selectors(self.hard)

    def preferred(self) -> tuple[LabelSelector, ...]:
        """What a node had better match."""
        return parse_selectors(self.soft)

    def __hash__(self) -> int:
        return hash((self.required(), self.preferred()))


@dataclass(frozen=True, slots=True)
class InPlacementGroup:
    """In what a placement group has reserved: in its bundle of that index, or, with -1, in any that has room.

    With `capture_child_tasks`, the tasks and actors that the work starts go into the group as well, unless they say
    where else. `group` is a PlacementGroup, or the id of one. Raises ConfigError for another, and for a bundle that the
    group does not have.
    """

    group: Any
    bundle_index: int = -1
    capture_child_tasks: bool = False

    def __post_init__(self) -> None:
        group = getattr(self.group, "id", self.group)
        if not isinstance(group, GroupId):
            raise ConfigError("InPlacementGroup.group", self.group, "a PlacementGroup")
        index, count = self.bundle_index, getattr(self.group, "bundle_count", None)
        is_number = isinstance(index, int) and not isinstance(index, bool)
        if not is_number or index < -1 or (count is not None and index >= count):
            there = "" if count is None else f", up to {count - 1} here"
            raise ConfigError("InPlacementGroup.bundle_index", index, f"the index of a bundle{there}, or -1 for any")
        if not isinstance(self.capture_child_tasks, bool):
            raise ConfigError("InPlacementGroup.capture_child_tasks", self.capture_child_tasks, "True or False")
        object.__setattr__(self, "group", group)

    def __str__(self) -> str:
        return f"{self.group}" if self.bundle_index < 0 else f"bundle {self.bundle_index} of {self.group}"


Strategy: TypeAlias = NamedStrategy | NodeAffinity | NodeLabels | InPlacementGroup


def parse_strategy(placement: object) -> Strategy:
    """The option `placement` as users give it, checked; names in any case. Raises ConfigError for anything else."""
    if isinstance(placement, (NodeAffinity, NodeLabels, InPlacementGroup)):
        return placement
    wanted = placement.lower() if isinstance(placement, str) else placement
    for name in _NAMES:
        if wanted == name:
            known: Strategy = name
            return known
    raise ConfigError("placement", placement, _ALLOWED)
