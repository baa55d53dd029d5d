"""Nodes that only have placement groups: a lossy network with partitions and crashes, and news that are always old."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

from partisan_actors.ids import GroupId, NodeId
from partisan_actors.scheduler.groups_protocol import Ask, Cancel, Evict, GroupEffect, GroupsProtocol, Report, Write
from partisan_actors.scheduler.groups_record import GroupRecord, Stamp
from partisan_actors.scheduler.policy import Candidate, Request
from partisan_actors.scheduler.resources import Resources
from partisan_actors.scheduler.room import Room
from partisan_actors.scheduler.strategies import InPlacementGroup

DOWN_AFTER_S = 3.0
NEWS_S = 0.5


class SimulatedNode:
    """One node's room and machine, its copy of the replicated map, and what it believes of the others."""

    def __init__(self, cluster: GroupCluster, name: str, total: Resources) -> None:
        self.id = NodeId(name, next(cluster.births))
        self.cluster = cluster
        self.room = Room(total)
        self.map: dict[GroupId, tuple[Stamp, GroupRecord | None]] = {}
        self.up: dict[NodeId, float] = {}  # when it was last heard
        self.available: dict[NodeId, Resources] = {}
        self.machine = GroupsProtocol(self.id, self.room, self, random.Random(f"{cluster.seed} {self.id}"))
        self.evicted: list[Any] = []

    # ---- Surroundings ----------------------------------------------------------------------------------------------

    def candidates(self) -> list[Candidate]:
        return [
            Candidate(node, self.cluster.total, self.available.get(node, self.cluster.total), local=node == self.id)
            for node in self.hosts()
        ]

    def hosts(self) -> list[NodeId]:
        return sorted(node for node in (*self.up, self.id) if self.is_up(node))

    def is_up(self, node: NodeId) -> bool:
        return node == self.id or self.cluster.now - self.up.get(node, -1e9) < DOWN_AFTER_S

    # ---- effects -----------------------------------------------------------------------------------------------------

    def carry_out(self, effects: list[GroupEffect]) -> None:
        cluster = self.cluster
        for effect in effects:
            match effect:
                case Ask(node):
                    cluster.send(self, node, lambda there, e=effect: there.prepare(self, e))
                    cluster.after(12.0, self, lambda e=effect: self.answer(e, False))
                case Cancel(node):
                    cluster.send(self, node, lambda there, e=effect: there.machine.cancelled(e.group, e.stamp))
                case Report(node):
                    cluster.send(self, node, lambda there, e=effect: there.take_report(self.id, e))
                case Write(group, stamp, record):
                    self.merge(group, stamp, record)
                    for other in cluster.live():
                        cluster.send(self, other.id, lambda there, e=effect: there.merge(e.group, e.stamp, e.record))
                case Evict(_, tokens):
                    self.evicted += tokens

    def prepare(self, asker: SimulatedNode, ask: Ask) -> None:
        is_held = self.machine.asked_to_prepare(ask.group, ask.stamp, ask.bundles, self.cluster.now)
        self.cluster.send(self, asker.id, lambda there: there.answer(ask, is_held))

    def answer(self, ask: Ask, is_held: bool) -> None:
        self.carry_out(self.machine.answered(ask.node, ask.group, ask.stamp, is_held, self.cluster.now))

    def take_report(self, sender: NodeId, report: Report) -> None:
        self.carry_out(self.machine.reported(sender, report.group, report.stamp, report.bundles, self.cluster.now))

    def merge(self, group: GroupId, stamp: Stamp, record: GroupRecord | None) -> None:
        known = self.map.get(group)
        if known is None or known[0] < stamp:
            self.map[group] = (stamp, record)
            self.carry_out(self.machine.record_changed(group, stamp, record, self.cluster.now))


class GroupCluster:
    """A cluster in virtual time, repeatable from its seed. Every node offers `total`."""

    def __init__(self, seed: int, count: int, total: Resources) -> None:
        self.seed = seed
        self.total = total
        self.now = 0.0
        self.births = itertools.count(1)
        self.rng = random.Random(seed)
        self.nodes: dict[str, SimulatedNode] = {}
        self.side: dict[str, int] = {}
        self.loss = 0.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._tokens = itertools.count()
        for number in range(count):
            self.start(f"n{number}")
        self.run(2.0)

    def live(self) -> list[SimulatedNode]:
        return [self.nodes[name] for name in sorted(self.nodes)]

    def start(self, name: str) -> None:
        node = self.nodes[name] = SimulatedNode(self, name, self.total)
        self.side.setdefault(name, 0)
        self._every(NEWS_S, node, lambda: self._tell_news(node))
        self._every(1.0, node, lambda: node.carry_out(node.machine.tick(self.now)))
        self._every(1.0, node, lambda: self._exchange(node))

    def crash(self, name: str) -> None:
        del self.nodes[name]

    def send(self, sender: SimulatedNode, to: NodeId, deliver: Callable[[SimulatedNode], None]) -> None:
        """Deliver some time, if both are up, on one side, and it is not lost."""
        is_lost = sender.id != to and self.rng.random() < self.loss

        def arrive() -> None:
            there = self.nodes.get(to.name)
            if there is None or there.id != to or is_lost or self.nodes.get(sender.id.name) is not sender:
                return
            if self.side[sender.id.name] == self.side[to.name]:
                deliver(there)

        self._at(self.rng.uniform(0.001, 0.05) if self.rng.random() < 0.95 else self.rng.uniform(0.05, 3.0), arrive)

    def after(self, delay_s: float, node: SimulatedNode, call: Callable[[], None]) -> None:
        self._at(delay_s, lambda: call() if self.nodes.get(node.id.name) is node else None)

    def run(self, for_s: float) -> None:
        end = self.now + for_s
        while self._queue and self._queue[0][0] <= end:
            self.now, _, call = heapq.heappop(self._queue)
            call()
        self.now = end

    def work(self) -> None:
        """Somebody comes and takes something of a node, or of a bundle; or somebody goes."""
        node = self.rng.choice(self.live())
        room = node.room
        holders = [token for token, _ in room.holders() if not isinstance(token, tuple)] + list(room._inside)
        if holders and self.rng.random() < 0.5:
            room.release(self.rng.choice(holders))
            return
        keys = sorted(key for key, is_kept in room.bundles().items() if is_kept)
        needs = Resources.of(num_cpus=self.rng.choice([0.1, 0.5, 1]))
        request = Request(needs)
        if keys and self.rng.random() < 0.7:
            group, index = self.rng.choice(keys)
            request = Request(needs, InPlacementGroup(group, self.rng.choice([-1, index])))
        room.acquire(f"work {next(self._tokens)}", request, for_life=self.rng.random() < 0.5)

    def _every(self, period_s: float, node: SimulatedNode, call: Callable[[], None]) -> None:
        def again() -> None:
            call()
            self.after(self.rng.uniform(0.5, 1.5) * period_s, node, again)

        self.after(self.rng.uniform(0.0, period_s), node, again)

    def _tell_news(self, node: SimulatedNode) -> None:
        free = node.room.pool.available
        for other in self.live():
            if other is not node:
                self.send(node, other.id, lambda there: self._hear(there, node.id, free))
        gone = [each for each in node.up if not node.is_up(each)]
        for each in gone:
            del node.up[each]
        node.carry_out(node.machine.nodes_changed(self.now, went_down=bool(gone)))

    def _hear(self, there: SimulatedNode, node: NodeId, free: Resources) -> None:
        there.up[node], there.available[node] = self.now, free

    def _exchange(self, node: SimulatedNode) -> None:
        other = self.rng.choice(self.live())
        if other is not node and self.side[other.id.name] == self.side[node.id.name]:
            for one, two in ((node, other), (other, node)):
                for group, (stamp, record) in list(one.map.items()):
                    two.merge(group, stamp, record)

    def _at(self, delay_s: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + delay_s, next(self._numbers), call))
