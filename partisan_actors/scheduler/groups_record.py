"""A placement group as everybody knows it: what it reserves, where, and whether it still does. Pure.

It is the entry ``group/<id>`` of the replicated map, with the stamp ``(epoch, tie)``. Whoever decides anew where its
bundles are takes the next epoch; two who do so at once differ by `tie`, and the greater one holds. An end has an epoch
that no decision reaches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from partisan_actors.errors import ConfigError
from partisan_actors.ids import GroupId, NodeId
from partisan_actors.scheduler.labels import LabelSelector, parse_selectors
from partisan_actors.scheduler.resources import Resources
from partisan_actors.values import dataclass
from partisan_actors.wire.codec import pack, unpack

__all__ = [
    "BUNDLES_MAX",
    "CREATED",
    "EPOCH_OF_END",
    "INFEASIBLE",
    "LOST",
    "NAME_MAX",
    "PENDING",
    "PREFIX",
    "REMOVED",
    "Bundle",
    "GroupRecord",
    "GroupStrategy",
    "Stamp",
    "parse_bundles",
    "parse_group_strategy",
    "tie_of",
]

PREFIX: Final = "group/"
BUNDLES_MAX: Final = 500
NAME_MAX: Final = 256
EPOCH_OF_END: Final = 1 << 31

# The states of a group.
PENDING: Final = "pending"  # it has no place yet
CREATED: Final = "created"  # every bundle has a place; one whose node went down gets another
LOST: Final = "lost"  # its owner went down
REMOVED: Final = "removed"
INFEASIBLE: Final = "infeasible"  # no nodes there were could ever have held it

GroupStrategy: TypeAlias = Literal["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"]
Stamp: TypeAlias = tuple[int, int]

_IN_RAY: Final[Mapping[Any, str]] = {"CPU": "num_cpus", "GPU": "num_gpus"}
_STRATEGIES: Final[tuple[GroupStrategy, ...]] = ("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD")


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is reserved together, on one node: amounts, and the labels which that node must have."""

    resources: Resources
    labels: tuple[LabelSelector, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """One group. `hosts` has the node of each bundle, None for one without; `owner` is None for a detached group."""

    group: GroupId
    strategy: GroupStrategy
    bundles: tuple[Resources, ...]
    selectors: tuple[Mapping[str, str], ...] = ()
    hosts: tuple[NodeId | None, ...] = ()
    owner: NodeId | None = None
    name: str = ""
    state: str = PENDING
    why: str = ""

    def __str__(self) -> str:
        return f"placement group {self.name!r}" if self.name else f"placement group {self.group}"

    @property
    def is_over(self) -> bool:
        """Whether nothing is reserved for it any more."""
        return self.state in (LOST, REMOVED, INFEASIBLE)

    def parts(self) -> list[Bundle]:
        """Its bundles with their labels."""
        selectors = self.selectors or ({},) * len(self.bundles)
        return [Bundle(amounts, parse_selectors(each)) for amounts, each in zip(self.bundles, selectors, strict=True)]

    def here(self, node: NodeId) -> list[int]:
        """Which bundles are on that node."""
        return [] if self.is_over else [index for index, host in enumerate(self.hosts) if host == node]

    def packed(self) -> bytes:
        """As the value of an entry of the replicated map."""
        return pack(
            {
                "group": [*self.group.node, self.group.number],
                "strategy": self.strategy,
                "bundles": [bundle.plain() for bundle in self.bundles],
                "selectors": [dict(selector) for selector in self.selectors],
                "hosts": [None if host is None else list(host) for host in self.hosts],
                "owner": None if self.owner is None else list(self.owner),
                "name": self.name,
                "state": self.state,
                "why": self.why,
            }
        )

    @classmethod
    def parse(cls, value: Any) -> GroupRecord | None:
        """The inverse of `packed`; None for anything else, a removed group's empty entry for one."""
        if type(value) is not bytes:
            return None
        try:
            plain = unpack(value)
            name, incarnation, number = plain["group"]
            record = cls(
                GroupId(NodeId(str(name), int(incarnation)), int(number)),
                parse_group_strategy(plain["strategy"]),
                tuple(Resources.parse(bundle) for bundle in plain["bundles"]),
                tuple({str(key): str(text) for key, text in each.items()} for each in plain["selectors"]),
                tuple(_node(host) for host in plain["hosts"]),
                _node(plain["owner"]),
                str(plain["name"]),
                str(plain["state"]),
                str(plain["why"]),
            )
            record.parts()
        except (LookupError, TypeError, ValueError, AttributeError):  # a ConfigError is a ValueError
            return None
        count = len(record.bundles)
        return record if 0 < count <= BUNDLES_MAX and len(record.hosts) == count else None


def tie_of(node: NodeId) -> int:
    """What tells decisions of that node from those that others take in the same epoch."""
    return int.from_bytes(hashlib.blake2b(str(node).encode(), digest_size=4).digest(), "big")


def parse_bundles(bundles: object) -> tuple[Resources, ...]:
    """The bundles of a group as users give them, Ray's "CPU" and "GPU" included. Raises ConfigError."""
    allowed = f'a list of 1 to {BUNDLES_MAX} mappings of resources to amounts, as [{{"num_cpus": 1}}]'
    if not isinstance(bundles, (list, tuple)) or not 0 < len(bundles) <= BUNDLES_MAX:
        raise ConfigError("bundles", bundles, allowed)
    return tuple(_parse_bundle(index, bundle, allowed) for index, bundle in enumerate(bundles))


def _parse_bundle(index: int, bundle: object, allowed: str) -> Resources:
    if not isinstance(bundle, Mapping):
        raise ConfigError(f"bundles[{index}]", bundle, allowed)
    spelt: dict[Any, Any] = {_IN_RAY.get(name, name): amount for name, amount in bundle.items()}
    amounts = Resources.parse(spelt)
    if not amounts:
        raise ConfigError(f"bundles[{index}]", bundle, "more than nothing of some resource")
    amounts.check_request()
    return amounts


def parse_group_strategy(strategy: object) -> GroupStrategy:
    """The strategy of a group, in any case. Raises ConfigError."""
    for known in _STRATEGIES:
        if isinstance(strategy, str) and strategy.upper() == known:
            return known
    raise ConfigError("strategy", strategy, ", ".join(_STRATEGIES))


def _node(plain: Any) -> NodeId | None:
    return None if plain is None else NodeId(str(plain[0]), int(plain[1]))
