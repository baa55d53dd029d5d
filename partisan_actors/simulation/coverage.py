"""`Coverage`: which situations a suite of simulations has come into, so that it can fail where one never happened.

A test that passes because nothing happened shows nothing. What is expected follows from the protocols themselves: every
message that a stack declares is received sometimes, with each value of its flags ("hyparview.neighbor_reply
accepted=False": a refusal); and what no message shows has a name here.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping

from partisan_actors.faults.operations import OPERATIONS
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.messages import message_types, tag_of
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation.faulty import FaultySimulation

__all__ = ["FAULTS", "FINDINGS", "RECOVERED", "Coverage", "NeverHappened", "situations_of"]

FINDINGS: tuple[str, ...] = tuple(f"detector {found}" for found in ("suspected", "cleared", "confirmed"))
RECOVERED = "a node without neighbours found some again"
FAULTS: tuple[str, ...] = tuple(f"fault {kind}" for kind in OPERATIONS)


class NeverHappened(AssertionError):
    """Over all its runs, a suite never came into these situations."""

    def __init__(self, missing: Iterable[str]) -> None:
        self.missing = tuple(missing)
        super().__init__(f"over all runs, this never happened: {'; '.join(self.missing)}")


class Coverage:
    """An observer of any number of simulations that counts the situations they come into."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._flags: dict[type, tuple[str, tuple[str, ...]]] = {}
        self._had_neighbours: dict[Peer, bool] = {}
        self._findings = 0

    def saw(self, situation: str) -> None:
        """It happened."""
        self.counts[situation] += 1

    def plan(self, plan: FaultPlan) -> None:
        """The faults of `plan` happen in the next run."""
        self._had_neighbours.clear()
        self._findings = 0
        for operation in plan.operations:
            self.saw(f"fault {type(operation).__name__.lower()}")

    def received(self, simulation: FaultySimulation, sender: Peer, receiver: Peer, message: object) -> None:
        known = self._flags.get(type(message))
        if known is None:
            tag = tag_of(message) or type(message).__name__
            known = self._flags[type(message)] = (tag, _flags(type(message)))
        tag, flags = known
        self.counts[tag] += 1
        for flag in flags:
            self.counts[_flagged(tag, flag, getattr(message, flag))] += 1

    def stepped(self, simulation: FaultySimulation, node: Peer) -> None:
        has, had = bool(simulation.told_neighbours(node)), self._had_neighbours.get(node)
        if has != had:
            if has and had is False:
                self.saw(RECOVERED)
            if has or had is not None:  # before its first neighbour a node is new, not alone
                self._had_neighbours[node] = has

        for finding in simulation.findings[self._findings :]:
            self.saw(f"detector {type(finding.found).__name__.lower()}")
        self._findings = len(simulation.findings)

    def merge(self, counts: Mapping[str, int]) -> None:
        """Add what another one counted, in another process."""
        self.counts.update(counts)

    def missing(self, expected: Iterable[str], excused: Mapping[str, str] | None = None) -> list[str]:
        """Which of `expected` never happened; `excused` has the reason of each that need not."""
        return [each for each in expected if not self.counts[each] and each not in (excused or {})]

    def check(self, expected: Iterable[str], excused: Mapping[str, str] | None = None) -> None:
        """Raises NeverHappened, with all of them, unless everything expected happened at least once."""
        missing = self.missing(expected, excused)
        if missing:
            raise NeverHappened(missing)


def situations_of(stack: ProtocolStack) -> list[str]:
    """The messages that a stack's layers declare, by tag, each also with both values of each of its flags."""
    layers = [stack.strategy, stack.broadcasting, stack.exchange, stack.detector]
    tags = {kind: tag for tag, kind in message_types().items()}
    found = []
    for kind in (kind for layer in layers for kind in getattr(layer, "messages", ())):
        tag = tags.get(kind, kind.__name__)
        found.append(tag)
        found += [_flagged(tag, flag, value) for flag in _flags(kind) for value in (False, True)]
    return [*found, *(FINDINGS if stack.detector is not None else ())]


def _flags(kind: type) -> tuple[str, ...]:
    if not dataclasses.is_dataclass(kind):
        return ()
    return tuple(each.name for each in dataclasses.fields(kind) if each.type in ("bool", bool))


def _flagged(tag: str, flag: str, value: object) -> str:
    return f"{tag} {flag}={value}"
