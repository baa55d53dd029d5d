"""Placement groups on one node: carries out what `groups_protocol` decides, and finds the places of their work."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import NotYetConnected, PartisanError, PlacementGroupRemoved, Unplaceable
from partisan_actors.ids import GroupId, NodeId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.router import Peer
from partisan_actors.scheduler.choosing import Choosing
from partisan_actors.scheduler.groups_protocol import (
    Ask,
    Cancel,
    Evict,
    GroupEffect,
    GroupsProtocol,
    Report,
    Write,
)
from partisan_actors.scheduler.groups_record import CREATED, PREFIX, GroupRecord
from partisan_actors.scheduler.policy import Candidate, Ranking, Request, Verdict
from partisan_actors.scheduler.resources import Resources
from partisan_actors.scheduler.room import Room
from partisan_actors.scheduler.strategies import InPlacementGroup

__all__ = ["GROUPS_MAX", "Groups"]

SERVICE: Final = "groups"
GROUPS_MAX: Final = 10_000
ANSWER_S: Final = 10.0
# How long work waits for the record of a group that this node has not heard of, and how many ends it remembers.
UNKNOWN_S: Final = 30.0
ENDS_MAX: Final = 10_000


class Groups:
    """All that this node knows and holds of placement groups. For the node's loop, but for what answers other nodes."""

    def __init__(self, system: ActorSystem, room: Room, choosing: Choosing) -> None:
        self._system = system
        self._node = system.node
        self._choosing = choosing
        self._room = room
        self._protocol = GroupsProtocol(system.me, room, self, system.node.rng)
        # Who wants to know of a group's record, each time it changes, None when it is forgotten.
        self.on_record: list[Callable[[GroupId, GroupRecord | None], None]] = []
        # Whose work has lost its place: told of the record that took it away.
        self.on_evicted: list[Callable[[GroupRecord, tuple[Hashable, ...]], None]] = []
        self.on_room: Callable[[], None] = lambda: None
        # Who wants to know why no news come any more.
        self.on_closed: list[Callable[[PartisanError], None]] = []
        self._ends: OrderedDict[GroupId, GroupRecord] = OrderedDict()
        self._unknown_since: dict[GroupId, float] = {}
        self._next_number = 0
        choosing.in_group = self._nodes_for
        system.serve(SERVICE, self)
        self._node.on_entry[PREFIX] = self._entry_changed
        self._node.on_sweep.append(self._sweep)
        system.on_close.append(self._close)
        directory = self._node.directory
        directory.on_up.append(lambda record: self._nodes_changed(record, False))
        directory.on_change.append(lambda record: self._nodes_changed(record, False))
        directory.on_down.append(lambda record, why: self._nodes_changed(record, True))

    # ---- for this node ----------------------------------------------------------------------------------------

    def create(self, record: GroupRecord) -> None:
        """Have the group made. Raises Unplaceable when there are too many, or the cluster's map is full."""
        if len(self._protocol.records) >= GROUPS_MAX:
            raise Unplaceable(str(record), "one placement group more", f"no node: there are {GROUPS_MAX} already")
        self._carry_out(self._protocol.create(record))
        if record.group not in self._protocol.records:
            raise Unplaceable(str(record), "one placement group more", "no node: the cluster's map is full")

    def remove(self, group: GroupId) -> None:
        """Have the group removed; what runs in it ends. Nothing happens when it is over, or unknown here."""
        self._carry_out(self._protocol.remove(group, "it was removed"))

    def known(self, group: GroupId) -> GroupRecord | None:
        """The group as this node knows it, one that is over included for a while."""
        found = self._protocol.records.get(group)
        return found[1] if found is not None else self._ends.get(group)

    def all(self) -> list[GroupRecord]:
        """Every group that this node knows of."""
        return [self._protocol.records[group][1] for group in sorted(self._protocol.records)]

    def named(self, name: str) -> GroupRecord | None:
        """The oldest group of that name that is not over."""
        return next((record for record in self.all() if record.name == name and not record.is_over), None)

    def give_up(self, group: GroupId) -> None:
        """This node does not want its bundles of the group any more."""
        known = self._protocol.records.get(group)
        if known is not None:
            stamp, record = known
            here = tuple(record.here(self._node.me))
            if here:
                self._carry_out([Report(self._protocol.acting(record), group, stamp, here)])

    def give_up_unused(self) -> None:
        """This node is to be empty: it gives up its bundles of groups that have no work in them here."""
        for group in dict.fromkeys(group for group, _ in self._room.bundles()):
            if not self._room.has_work(group):
                self.give_up(group)

    # ---- where work goes --------------------------------------------------------------------------------------

    def _nodes_for(self, request: Request) -> Ranking | Verdict:
        place = request.strategy
        assert isinstance(place, InPlacementGroup)
        record = self.known(place.group)
        if record is None:
            self._check_unknown(place.group)
            return Ranking((), ())
        self._unknown_since.pop(place.group, None)
        if record.is_over:
            raise PlacementGroupRemoved(str(record), record.why)
        if place.bundle_index >= len(record.bundles):
            return self._too_small(record, request, f"it has {len(record.bundles)} bundles")
        indices = range(len(record.bundles)) if place.bundle_index < 0 else [place.bundle_index]
        able = [index for index in indices if request.resources.fits(record.bundles[index])]
        if not able:
            return self._too_small(record, request, "; ".join(str(record.bundles[index]) for index in indices[:3]))
        hosts: dict[NodeId, None] = {}
        for index in able:
            host = record.hosts[index]
            if host is not None and self.is_up(host):
                hosts[host] = None
        # Which of its bundles have room, only their nodes know: where this one has placed least comes first.
        return Ranking(tuple(sorted(hosts, key=lambda host: self._choosing.placed[host])), ())

    def _too_small(self, record: GroupRecord, request: Request, there: str) -> Verdict:
        return Verdict(str(request), f"a bundle of {record} ({there})", None)

    def _check_unknown(self, group: GroupId) -> None:
        """News of it may be on the way, unless whoever would tell is gone."""
        now = self._system.loop.time()
        since = self._unknown_since.setdefault(group, now)
        if now - since > UNKNOWN_S or group.node == self._node.me:
            self._unknown_since.pop(group, None)
            raise PlacementGroupRemoved(f"placement group {group}", "no node knows of it any more")

    # ---- Surroundings -----------------------------------------------------------------------------------------

    def candidates(self) -> list[Candidate]:
        return self._choosing.candidates()

    def hosts(self) -> list[NodeId]:
        return [record.node for record in self._node.directory.live() if record.hosts_actors]

    def is_up(self, node: NodeId) -> bool:
        return node == self._node.me or self._node.directory.is_up(node)

    # ---- news -------------------------------------------------------------------------------------------------

    def _entry_changed(self, key: str, stamp: tuple[int, ...], value: Any) -> None:
        record = GroupRecord.parse(value)
        if record is not None:
            group = record.group
        elif value is None:
            try:
                group = GroupId.parse(key.removeprefix(PREFIX))
            except ValueError:
                return
        else:
            return
        if len(stamp) != 2:
            return
        if record is not None and record.is_over:
            self._ends[group] = record
            if len(self._ends) > ENDS_MAX:
                self._ends.popitem(last=False)
        self._carry_out(self._protocol.record_changed(group, (stamp[0], stamp[1]), record, self._now()))
        for tell in list(self.on_record):
            tell(group, record)
        self._choosing.tell_news()
        self.on_room()

    def _nodes_changed(self, record: NodeRecord, went_down: bool) -> None:
        self._carry_out(self._protocol.nodes_changed(self._now(), went_down=went_down))

    def _sweep(self) -> None:
        if self._protocol.records or self._room.bundles():
            self._carry_out(self._protocol.tick(self._now()))

    def _close(self) -> None:
        for tell in list(self.on_closed):
            tell(NotYetConnected(str(self._node.me), "this node has stopped"))

    def _now(self) -> float:
        return self._system.loop.time()

    # ---- effects ----------------------------------------------------------------------------------------------

    def _carry_out(self, effects: list[GroupEffect]) -> None:
        for effect in effects:
            match effect:
                case Ask():
                    self._system.background.start(self._ask(effect), f"ask {effect.node} for {effect.group}")
                case Cancel(node, group, stamp):
                    self._system.notify(node, SERVICE, "cancel", *_plain(group), *stamp)
                case Report(node, group, stamp, bundles):
                    self._system.notify(node, SERVICE, "report", *_plain(group), *stamp, list(bundles))
                case Write(group, stamp, record):
                    packed = record.packed() if record is not None else None
                    self._node.write(f"{PREFIX}{group}", stamp, packed)
                case Evict(record, tokens):
                    for tell in self.on_evicted:
                        tell(record, tokens)

    async def _ask(self, ask: Ask) -> None:
        bundles = {index: amounts.plain() for index, amounts in ask.bundles.items()}
        try:
            if ask.node == self._node.me:
                is_held = self._prepare(ask.group, ask.stamp, bundles)
            else:
                is_held = await self._system.request(
                    ask.node, SERVICE, "prepare", *_plain(ask.group), *ask.stamp, bundles, timeout_s=ANSWER_S
                )
        except PartisanError:
            is_held = False  # if it was heard all the same, it is cancelled, or runs out
        self._carry_out(self._protocol.answered(ask.node, ask.group, ask.stamp, bool(is_held), self._now()))

    def _prepare(self, group: GroupId, stamp: tuple[int, int], bundles: dict[int, dict[str, float]]) -> bool:
        wanted = {index: Resources.parse(amounts) for index, amounts in bundles.items()}
        is_held = self._node.config.hosts_actors and self._protocol.asked_to_prepare(group, stamp, wanted, self._now())
        self.on_room()  # a bundle counts as what is held for life
        return is_held

    # ---- requests from other nodes ----------------------------------------------------------------------------

    async def prepare(
        self, peer: Peer, name: str, incarnation: int, number: int, epoch: int, tie: int, bundles: dict[int, Any]
    ) -> bool:
        """Another node acts for a group, and wants bundles of it here."""
        return self._prepare(GroupId(NodeId(name, incarnation), number), (epoch, tie), bundles)

    async def cancel(self, peer: Peer, name: str, incarnation: int, number: int, epoch: int, tie: int) -> None:
        """They are not wanted after all."""
        self._protocol.cancelled(GroupId(NodeId(name, incarnation), number), (epoch, tie))
        self.on_room()

    async def report(
        self, peer: Peer, name: str, incarnation: int, number: int, epoch: int, tie: int, bundles: list[int]
    ) -> None:
        """That node has no room for its bundles, or does not want them any more."""
        group = GroupId(NodeId(name, incarnation), number)
        self._carry_out(self._protocol.reported(peer.node, group, (epoch, tie), tuple(bundles), self._now()))

    @staticmethod
    def is_created(record: GroupRecord | None) -> bool:
        """Whether every bundle has a place."""
        return record is not None and record.state == CREATED


def _plain(group: GroupId) -> tuple[str, int, int]:
    return (*group.node, group.number)
