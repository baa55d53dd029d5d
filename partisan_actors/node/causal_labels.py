"""The causal labels of one node: a `Causality` for each, and the stamps of their messages as plain values.

A node takes part in the labels of its configuration and in no others. All its actors are one process in the sense of
the algorithm: what was delivered to any of them comes before what any of them sends later.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

from partisan_actors.errors import ConfigError, Overloaded
from partisan_actors.ids import NodeId
from partisan_actors.protocols.delivery.causal import (
    DEPENDENCIES_MAX,
    NOTHING,
    Causality,
    CausalOptions,
    Delivery,
    Dependencies,
    Stamp,
)
from partisan_actors.wire.codec import pack, unpack

__all__ = ["LABELS_MAX", "CausalLabels", "Heard", "check_labels"]

LABELS_MAX: Final = 64

# An array of three, of which two are whole numbers of 64 bits.
_clocks: Final = struct.Struct(">BBQBQ").pack
_ARRAY_OF_3: Final = 0x93
_UINT64: Final = 0xCF
_NIL: Final = pack(None)


class Heard:
    """What the last stamp of a sender carried: most carry what the one before did, and are not read again."""

    __slots__ = ("dependencies", "packed")

    def __init__(self) -> None:
        self.packed: bytes | None = None
        self.dependencies: Dependencies = NOTHING

    def stamp(self, plain: Sequence[Any]) -> Stamp:
        """The stamp that a message carries. Raises ValueError or TypeError for what is none."""
        clock, before, packed = plain
        if type(clock) is not int or type(before) is not int or not 0 <= before < clock:
            raise ValueError("not a stamp")
        if packed != self.packed:
            self.dependencies = _dependencies(packed)
            self.packed = packed
        return Stamp(clock, self.dependencies, before)


class CausalLabels:
    """Stamps what is sent, and says what of that which arrived is delivered."""

    def __init__(self, me: NodeId, labels: Sequence[str], options: CausalOptions) -> None:
        self._machines = {label: Causality(me, options) for label in labels}
        # What the last message of each carried, and that in its wire form.
        self._carried: dict[str, tuple[Dependencies, bytes]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._machines)

    @property
    def is_waiting(self) -> bool:
        """Whether any message waits for others."""
        return any(map(len, self._machines.values()))

    def machine(self, label: str) -> Causality | None:
        """The machine of one label; None for a label that this node does not have."""
        return self._machines.get(label)

    def check(self, label: object) -> str:
        """The label. Raises ConfigError for one that this node does not have."""
        if not isinstance(label, str) or label not in self._machines:
            allowed = f"one of {', '.join(self._machines)}" if self._machines else "none"
            raise ConfigError(
                "causal", label, f"{allowed}: labels are given to every node, as `causal_labels` of `delivery`"
            )
        return label

    def stamp(self, label: str, destination: NodeId) -> tuple[int, bytes]:
        """Stamp a message to `destination`: its clock, and what it carries, packed. Raises ConfigError, Overloaded."""
        machine = self._machines.get(label)
        if machine is None:
            machine = self._machines[self.check(label)]
        machine.node_up(destination)
        stamp = machine.emit(destination)
        if stamp is None:
            raise Overloaded(f"{destination} (messages that others may depend on)", DEPENDENCIES_MAX)
        clock, dependencies, before = stamp
        carried = self._carried.get(label)
        if carried is None or carried[0] is not dependencies:
            carried = self._carried[label] = dependencies, _packed(dependencies)
        return clock, _clocks(_ARRAY_OF_3, _UINT64, clock, _UINT64, before) + carried[1]

    def settled(self, destination: NodeId, clocks: dict[str, int]) -> None:
        """`destination` says up to which clock of each label it has delivered what was sent to it from here."""
        for label, clock in clocks.items():
            machine = self._machines.get(label)
            if machine is not None:
                machine.settled(destination, clock)

    def node_down(self, node: NodeId) -> list[Delivery]:
        """That life of that node is over. Returns what need not wait any more."""
        return [each for machine in self._machines.values() for each in machine.node_down(node)]

    def expire(self, now: float) -> list[Delivery]:
        """Deliver what has waited too long."""
        return [each for machine in self._machines.values() for each in machine.expire(now)]

    def to_be_asked(self) -> list[tuple[str, NodeId]]:
        """Where an empty message should be sent, so that the destination says what it has."""
        asked = [(label, machine.to_be_asked()) for label, machine in self._machines.items()]
        return [(label, node) for label, node in asked if isinstance(node, NodeId)]

    def describe(self) -> dict[str, dict[str, int]]:
        """How many messages of each label wait, were waived, and how many dependencies are known."""
        return {
            label: {
                "waiting": len(machine),
                "waived": machine.waived_count,
                "dependencies": machine.dependency_count,
            }
            for label, machine in self._machines.items()
        }


def check_labels(labels: object) -> tuple[str, ...]:
    """The causal labels of a configuration. Raises ConfigError."""
    if not isinstance(labels, (list, tuple)):
        raise ConfigError("causal_labels", labels, "a list of texts")
    for label in labels:
        if not isinstance(label, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", label):
            allowed = "letters, digits, '.', '_' and '-', at most 63, a letter or digit first"
            raise ConfigError("causal_labels", label, allowed)
    if len(labels) > LABELS_MAX:
        raise ConfigError("causal_labels", len(labels), f"at most {LABELS_MAX}")
    return tuple(dict.fromkeys(labels))


def _packed(dependencies: Dependencies) -> bytes:
    """Nodes, and for each dependency the places of destination and sender among them, and the clock; twice packed."""
    if not dependencies:
        return _NIL
    places: dict[Any, int] = {}
    entries: list[int] = []
    for destination, clocks in dependencies.items():
        for sender, clock in clocks.items():
            entries += [places.setdefault(destination, len(places)), places.setdefault(sender, len(places)), clock]
    return pack(pack([[[*node] for node in places], entries]))


def _dependencies(packed: bytes | None) -> Dependencies:
    """The inverse of `_packed`, unpacked once. Raises ValueError or TypeError for what that never makes."""
    if packed is None:
        return NOTHING
    nodes, entries = unpack(packed)
    if len(entries) % 3 or len(entries) > 3 * 2 * DEPENDENCIES_MAX:
        raise ValueError("not a stamp")
    known = [NodeId(*node) for node in nodes]
    if not all(type(node.name) is str and type(node.incarnation) is int for node in known):
        raise ValueError("not a stamp: bad nodes")
    dependencies: dict[Any, dict[Any, int]] = {}
    rest = iter(entries)
    for destination, sender, before in zip(rest, rest, rest, strict=True):
        if type(before) is not int:
            raise ValueError("not a stamp: a clock that is no number")
        dependencies.setdefault(known[destination], {})[known[sender]] = before
    return dependencies
