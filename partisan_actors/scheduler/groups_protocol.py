"""How a placement group gets its bundles, all or none, without a head: the machine that every node has. Pure.

One node *acts* for a group: the one it was made on, or, when that is down, the first that is up in an order which all
know. It plans, asks every node of the plan to prepare its bundles, and, when all have, writes the group's record, which
is the decision: whoever it names keeps its bundles, and who holds bundles that it does not name frees them. So

1. nothing is decided before everything is held;
2. what is prepared and not decided is free again after PREPARED_S, whatever became of the node that acted;
3. two that act at once, on two sides of a partition, both write; the greater stamp holds when they meet;
4. a node that is named and has no room any more says so, and those bundles are placed anew, as are those of nodes that
   went down.

A record of which the owner is down is written to be lost, by a decision like any other: an owner that was only cut off
overrules it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import field, replace
from random import Random
from typing import Final, Protocol, TypeAlias

from partisan_actors.actors.restart import rendezvous
from partisan_actors.ids import GroupId, NodeId
from partisan_actors.scheduler.bundle_plan import plan_bundles, why_infeasible
from partisan_actors.scheduler.groups_record import (
    CREATED,
    EPOCH_OF_END,
    INFEASIBLE,
    LOST,
    PENDING,
    REMOVED,
    GroupRecord,
    Stamp,
    tie_of,
)
from partisan_actors.scheduler.policy import Candidate
from partisan_actors.scheduler.resources import Resources
from partisan_actors.scheduler.room import Room
from partisan_actors.values import dataclass

__all__ = ["Ask", "Cancel", "Evict", "GroupEffect", "GroupsProtocol", "Report", "Surroundings", "Write"]

ROUND_S: Final = 10.0
"""How long all nodes of a plan together have to prepare."""

PREPARED_S: Final = 40.0
"""How long what is prepared waits for a decision: longer than a round, and than news take to come round by exchange."""

BACKOFF_S: Final = 0.1
BACKOFF_MAX_S: Final = 5.0
# When an end is known to everybody, it is forgotten by everybody; an owner may be cut off for so long.
TOLD_S: Final = 60.0
LOST_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask that node to prepare those bundles; its answer goes to `answered`, and none counts as no."""

    node: NodeId
    group: GroupId
    stamp: Stamp
    bundles: Mapping[int, Resources]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Tell that node that what it prepared is not decided."""

    node: NodeId
    group: GroupId
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the node that acts that those bundles have no room on this one."""

    node: NodeId
    group: GroupId
    stamp: Stamp
    bundles: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """Write the record to the replicated map; None: it is forgotten."""

    group: GroupId
    stamp: Stamp
    record: GroupRecord | None


@dataclass(frozen=True, slots=True)
class Evict:
    """The bundles of this work are gone from this node."""

    record: GroupRecord
    tokens: tuple[Hashable, ...]


GroupEffect: TypeAlias = Ask | Cancel | Report | Write | Evict


class Surroundings(Protocol):
    """What the machine knows of the cluster, as news tell."""

    def candidates(self) -> list[Candidate]:
        """The nodes that take work."""
        ...

    def hosts(self) -> list[NodeId]:
        """Their ids."""
        ...

    def is_up(self, node: NodeId) -> bool:
        """Whether that life of that node is up."""
        ...


@dataclass(slots=True)
class _Round:
    """An attempt: the plan, who has not answered, and who was asked."""

    stamp: Stamp
    hosts: tuple[NodeId, ...]
    asked: list[NodeId]
    deadline: float
    waiting: dict[NodeId, None] = field(default_factory=dict)


class GroupsProtocol:
    """One node's part in all placement groups."""

    def __init__(self, me: NodeId, room: Room, surroundings: Surroundings, rng: Random) -> None:
        self.records: dict[GroupId, tuple[Stamp, GroupRecord]] = {}
        self._me = me
        self._tie = tie_of(me)
        self._room = room
        self._around = surroundings
        self._rng = rng
        self._rounds: dict[GroupId, _Round] = {}
        # The groups that this node may have something to do for.
        self._restless: dict[GroupId, None] = {}
        self._epochs: dict[GroupId, int] = {}
        self._not_before: dict[GroupId, tuple[float, float]] = {}
        self._reported: dict[GroupId, dict[int, None]] = {}
        self._over_since: dict[GroupId, float] = {}

    # ---- what happens -----------------------------------------------------------------------------------------

    def create(self, record: GroupRecord) -> list[GroupEffect]:
        """A group is wanted. Its record says so to everybody first."""
        return [Write(record.group, (0, self._tie), record)]

    def remove(self, group: GroupId, why: str) -> list[GroupEffect]:
        """A group is wanted no more; nothing is done when it is unknown here, or over."""
        known = self.records.get(group)
        if known is None or known[1].state in (REMOVED, INFEASIBLE):
            return []
        return [self._removal(known[1], REMOVED, why)]

    def record_changed(self, group: GroupId, stamp: Stamp, record: GroupRecord | None, now: float) -> list[GroupEffect]:
        """The replicated map has another record of the group."""
        known = self.records.get(group)
        if known is not None and known[0] >= stamp:
            return []
        effects: list[GroupEffect] = self._abandon(group)
        self._reported.pop(group, None)
        if record is None or record.is_over:
            evicted = self._room.forget(group)
        else:
            _, evicted = self._room.settle(record, stamp, record.here(self._me))
        whose = record or (known[1] if known is not None else None)
        if evicted and whose is not None:
            effects.append(Evict(whose, tuple(evicted)))
        if record is None:
            for table in (self.records, self._restless, self._epochs, self._not_before, self._over_since):
                table.pop(group, None)
            return effects
        self.records[group] = (stamp, record)
        self._restless[group] = None
        if record.is_over:
            self._over_since.setdefault(group, now)
        else:
            self._over_since.pop(group, None)
        return effects + self._consider(group, now)

    def asked_to_prepare(self, group: GroupId, stamp: Stamp, bundles: Mapping[int, Resources], now: float) -> bool:
        """Another node, or this one, acts for the group. Answers whether the bundles are held here."""
        known = self.records.get(group)
        if known is not None and known[0] >= stamp:
            return False  # it does not know yet what was decided meanwhile
        return self._room.prepare(group, stamp, bundles, now + PREPARED_S)

    def cancelled(self, group: GroupId, stamp: Stamp) -> None:
        """What was prepared here is not decided."""
        self._room.cancel(group, stamp)

    def answered(self, node: NodeId, group: GroupId, stamp: Stamp, is_held: bool, now: float) -> list[GroupEffect]:
        """A node has prepared what it was asked to, or not, or did not answer."""
        attempt = self._rounds.get(group)
        if attempt is None or attempt.stamp != stamp or node not in attempt.waiting:
            return [Cancel(node, group, stamp)] if is_held else []
        if not is_held:
            effects = self._abandon(group)
            self._back_off(group, now)
            return effects
        del attempt.waiting[node]
        if attempt.waiting:
            return []
        del self._rounds[group]
        self._not_before.pop(group, None)
        _, record = self.records[group]
        return [Write(group, stamp, replace(record, hosts=attempt.hosts, state=CREATED, why=""))]

    def reported(
        self, node: NodeId, group: GroupId, stamp: Stamp, bundles: tuple[int, ...], now: float
    ) -> list[GroupEffect]:
        """A node that the record names has no room for those bundles, or does not want to have them any more."""
        known = self.records.get(group)
        if known is None or known[0] != stamp:
            return []
        theirs = known[1].here(node)
        self._reported.setdefault(group, {}).update(dict.fromkeys(index for index in bundles if index in theirs))
        self._restless[group] = None
        return self._consider(group, now)

    def nodes_changed(self, now: float, *, went_down: bool = False) -> list[GroupEffect]:
        """There is news of nodes: of what they have free, or that they came or went."""
        effects: list[GroupEffect] = []
        for group in list(self.records) if went_down else ():
            attempt = self._rounds.get(group)
            if attempt is not None and not all(map(self._around.is_up, attempt.hosts)):
                effects += self._abandon(group)
            self._restless[group] = None
        return effects + self._consider_all(now)

    def tick(self, now: float) -> list[GroupEffect]:
        """Some time has passed: a second or so."""
        self._room.expire(now)
        effects: list[GroupEffect] = []
        for group, attempt in list(self._rounds.items()):
            if attempt.deadline <= now:
                effects += self._abandon(group)
                self._back_off(group, now)
        for group, (stamp, record) in list(self.records.items()):
            effects += self._settle_again(group, stamp, record)
        return effects + self._consider_all(now)

    # ---- what to do -------------------------------------------------------------------------------------------

    def _settle_again(self, group: GroupId, stamp: Stamp, record: GroupRecord) -> list[GroupEffect]:
        here = record.here(self._me)
        if not here or all((group, index) in self._room.bundles() for index in here):
            return []
        short, _ = self._room.settle(record, stamp, here)
        return [Report(self.acting(record), group, stamp, tuple(short))] if short else []

    def _consider_all(self, now: float) -> list[GroupEffect]:
        return [effect for group in list(self._restless) for effect in self._consider(group, now)]

    def _consider(self, group: GroupId, now: float) -> list[GroupEffect]:
        """What this node has to do for the group, which is restless, if anything."""
        stamp, record = self.records[group]
        if record.is_over:
            return self._consider_end(stamp, record, now)
        if self.acting(record) != self._me:
            del self._restless[group]  # until a node goes down
            return []
        if record.owner is not None and not self._around.is_up(record.owner):
            why = f"its owner, node {record.owner.name}, is down"
            nowhere = (None,) * len(record.bundles)
            return [Write(group, self._next(group), replace(record, hosts=nowhere, state=LOST, why=why))]
        if group in self._rounds or self._not_before.get(group, (0.0, 0.0))[0] > now:
            return []
        kept = self._kept(record)
        if None not in kept:
            self._restless.pop(group, None)
            return []
        return self._begin(record, kept, now)

    def _consider_end(self, stamp: Stamp, record: GroupRecord, now: float) -> list[GroupEffect]:
        if record.state == LOST and record.owner == self._me:
            return [Write(record.group, self._next(record.group), replace(record, state=PENDING, why=""))]
        if self.acting(record) != self._me:
            del self._restless[record.group]
            return []
        told_s = LOST_S if record.state == LOST else TOLD_S
        if now - self._over_since.get(record.group, now) >= told_s:
            return [Write(record.group, (stamp[0] + 1, self._tie), None)]
        return []

    def _begin(self, record: GroupRecord, kept: list[NodeId | None], now: float) -> list[GroupEffect]:
        candidates, parts = self._around.candidates(), record.parts()
        plan = plan_bundles(parts, record.strategy, candidates, self._rng, kept=kept)
        if plan is None:
            why = why_infeasible(parts, record.strategy, candidates, self._rng) if record.state == PENDING else None
            return [self._removal(record, INFEASIBLE, why)] if why is not None else []
        asks: dict[NodeId, dict[int, Resources]] = {}
        for index, node in enumerate(plan):
            if kept[index] is None:
                asks.setdefault(node, {})[index] = record.bundles[index]
        attempt = _Round(self._next(record.group), tuple(plan), list(asks), now + ROUND_S, dict.fromkeys(asks))
        self._rounds[record.group] = attempt
        return [Ask(node, record.group, attempt.stamp, bundles) for node, bundles in asks.items()]

    def _kept(self, record: GroupRecord) -> list[NodeId | None]:
        """Which bundles stay where they are: None for each that needs a place."""
        reported = self._reported.get(record.group, {})
        kept = [
            host if host is not None and index not in reported and self._around.is_up(host) else None
            for index, host in enumerate(record.hosts)
        ]
        return [None] * len(kept) if record.strategy == "STRICT_PACK" and None in kept else kept

    def acting(self, record: GroupRecord) -> NodeId:
        """The node that acts for a group, as far as is known here."""
        maker = record.group.node
        if maker == self._me or self._around.is_up(maker):
            return maker
        return next(iter(rendezvous(str(record.group), self._around.hosts())), self._me)

    def _abandon(self, group: GroupId) -> list[GroupEffect]:
        attempt = self._rounds.pop(group, None)
        return [] if attempt is None else [Cancel(node, group, attempt.stamp) for node in attempt.asked]

    def _back_off(self, group: GroupId, now: float) -> None:
        # At random, because two groups that want the same nodes would meet there again.
        before = self._not_before.get(group, (0.0, BACKOFF_S))[1]
        self._not_before[group] = (now + self._rng.uniform(0.0, before), min(2 * before, BACKOFF_MAX_S))

    def _next(self, group: GroupId) -> Stamp:
        known = self.records[group][0][0]
        epoch = self._epochs[group] = max(known, self._epochs.get(group, 0)) + 1
        return (epoch, self._tie)

    def _removal(self, record: GroupRecord, state: str, why: str) -> Write:
        nowhere = (None,) * len(record.bundles)
        removed = replace(record, hosts=nowhere, state=state, why=why)
        return Write(record.group, (EPOCH_OF_END, self._tie), removed)
