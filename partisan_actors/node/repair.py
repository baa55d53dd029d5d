"""What the overlay cannot repair by itself: nodes without neighbours, and an overlay that fell apart.

A node without neighbours dials members that it knows, at random and with back-off, until one takes it in. And since
deaths are noticed by neighbours only, a node that no live node has for a neighbour is looked into by somebody else.
Who has whom is known from the nodes' records, which may be minutes old in a large cluster. So where many have gone down
each survivor looks, besides, into those that come before it in the order of all ids, whatever is said of them: then
nobody that is down is overlooked, unless those that come after it are down and overlooked as well; and of these the
last is not.

Small views may be full and yet lead nowhere: when the node that joined two parts of the overlay goes down, neither part
lacks a neighbour. But every node knows every record, and so who is the neighbour of whom. When that graph stays in two
parts for some sweeps, some nodes of each enter the overlay once more, through a node of the other.
"""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Protocol

from partisan_actors.ids import NodeId
from partisan_actors.node.addresses import Addresses
from partisan_actors.node.background import Background
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.dialling import DIAL_ERRORS, Dialling
from partisan_actors.node.directory import DOWN, UP, Directory, NodeRecord
from partisan_actors.wire.channels import CONTROL

__all__ = ["Repair", "connected", "watched_by"]

# The back-off of a node that is alone: the first wait, doubled each time up to the longest, times 0.5 to 1.5.
FIRST_S: Final = 1.0
LONGEST_S: Final = 30.0
# How many nodes look into the same record in one sweep, on average: each decides for itself.
WATCHERS: Final = 2.0
# A sweep takes time in proportion to the cluster. In one of more nodes than this, each sweeps in fewer periods; and in
# one of more than the second, in so many fewer that all of them together take no more time.
SWEPT_MAX: Final = 32
SWEPT_ALIKE: Final = 256
# So long after a node went down, or twice that, those are looked into whose neighbours are all down: nobody is left to
# miss them. By how many nodes, on average.
ORPHANS_S: Final = 1.0
ORPHANS_WATCHERS: Final = 4.0
# How many nodes before it each looks into then, in a cluster of more than SWEPT_MAX, and none of them more often than
# once in so long; and how many look for each death of that time: few leave hardly anybody without a neighbour.
BEFORE: Final = 3
LOOKING: Final = 16
LATELY_S: Final = 20.0
# Whoever has just spoken for itself is not looked into: its neighbours may not have had their turn yet to say that they
# have it, as while many join. So long ago counts as just now: at least, also in load periods, as neighbours wait for
# the end of one after a node has come up; for each node beyond SWEPT_MAX; and at most.
FRESH_S_MIN: Final = 2.0
FRESH_PERIODS: Final = 3.0
FRESH_S: Final = 0.25
FRESH_S_MAX: Final = 15.0
# For how many sweeps the overlay must look torn before it is taken to be; doubled each time up to the most, for there
# are overlays whose neighbours are not each other's.
TORN_SWEEPS: Final = 3
TORN_SWEEPS_MAX: Final = 48


class RepairHost(Protocol):
    """What this needs of its node."""

    me: NodeId
    config: NodeConfig
    rng: random.Random
    loop: asyncio.AbstractEventLoop
    background: Background
    directory: Directory
    addresses: Addresses
    dialling: Dialling

    def neighbours(self) -> Sequence[NodeId]:
        """The overlay's neighbours now."""
        ...


class Repair:
    """Looks after one node's place in the overlay, and after those that nobody watches.

    `join` enters the overlay through a node that there is a connection to; `look_into` finds out whether a node is up.
    """

    def __init__(self, host: RepairHost, join: Callable[[NodeId], None], look_into: Callable[[NodeId], None]) -> None:
        self._host = host
        self._join = join
        self._look_into = look_into
        self._torn_for = 0
        self._torn_enough = TORN_SWEEPS
        self._spoke_at: dict[NodeId, float] = {}
        self._deaths = 0  # of late, and the last of them
        self._died_at = float("-inf")
        self._looked_at: dict[NodeId, float] = {}  # whom it has looked into because they come before it
        self._deaths_timer: asyncio.TimerHandle | None = None
        host.directory.on_up.append(self._spoke)
        host.directory.on_change.append(self._spoke)
        host.directory.on_down.append(self._went_down)

    def _spoke(self, record: NodeRecord) -> None:
        if record.state == UP:  # else others wrote it
            self._spoke_at[record.node] = self._host.loop.time()

    def _went_down(self, record: NodeRecord, why: str) -> None:
        self._spoke_at.pop(record.node, None)
        if record.state != DOWN:
            return
        now = self._host.loop.time()
        self._deaths = self._deaths + 1 if now - self._died_at < LATELY_S else 1
        self._died_at = now
        self._look_after(ORPHANS_S * self._host.rng.uniform(1.0, 2.0))

    def _look_after(self, delay_s: float) -> None:
        if self._deaths_timer is None:
            self._deaths_timer = self._host.loop.call_later(delay_s, self._look_around)

    def _look_around(self) -> None:
        """Nodes went down: look into others who may have, and whom nobody is left to miss."""
        self._deaths_timer = None
        host = self._host
        neighbours = frozenset(host.neighbours())
        if not neighbours:
            return
        live = host.directory.live()
        for node in dict.fromkeys([*self._orphans(live), *self._before(live)]):
            if node != host.me and node not in neighbours:
                self._look_into(node)

    def _orphans(self, live: Sequence[NodeRecord]) -> list[NodeId]:
        """Those whose neighbours have all gone down, perhaps with them, as far as this node is to look into them."""
        host, records = self._host, self._host.directory.records
        up = {record.node.name for record in live}
        alone = [each for each in live if each.neighbours and up.isdisjoint(each.neighbours)]
        share = ORPHANS_WATCHERS / max(1, len(live))
        return [
            record.node
            for record in alone
            if all(name in records for name in record.neighbours) and host.rng.random() < share
        ]

    def _before(self, live: Sequence[NodeRecord]) -> list[NodeId]:
        """Those before this node in the order of ids, if it is to look into them."""
        host = self._host
        if len(live) <= SWEPT_MAX or host.rng.random() * len(live) >= LOOKING * self._deaths:
            return []
        here, now = bisect_left(live, host.me, key=lambda record: record.node), host.loop.time()
        before = [live[here - step].node for step in range(1, BEFORE + 1)]
        looked_at = {node: at for node, at in self._looked_at.items() if node in before and now - at < LATELY_S}
        before_last = [at for at in looked_at.values() if at < self._died_at]
        if before_last:  # they may have gone down since: once more, when it is time
            self._look_after(min(before_last) + LATELY_S - now)
        self._looked_at = {node: looked_at.get(node, now) for node in before}
        return [node for node in before if node not in looked_at]

    def close(self) -> None:
        """Look after nothing any more."""
        if self._deaths_timer is not None:
            self._deaths_timer.cancel()

    async def run(self) -> None:
        """Rejoin whenever this node is alone, for ever."""
        host, tries = self._host, 0
        while True:
            await asyncio.sleep(min(FIRST_S * 2.0**tries, LONGEST_S) * host.rng.uniform(0.5, 1.5))
            candidates = [] if host.neighbours() else self._candidates()
            if not candidates:
                tries = 0
                continue
            tries = min(tries + 1, 16)
            await self._enter_through(host.rng.choice(candidates), only_if_alone=True)

    def _candidates(self) -> list[NodeRecord]:
        """Whoever is up, as far as is known here; or else whoever does not answer, for it may be us who was cut off."""
        others = [record for record in self._host.directory if record.node != self._host.me]
        live = [record for record in others if self._host.directory.is_up(record.node)]
        return live or [record for record in others if record.state == DOWN]

    async def _enter_through(self, record: NodeRecord, *, only_if_alone: bool) -> None:
        for address in record.addresses:
            try:
                connection = await self._host.dialling.open(address, CONTROL, 0, record.node)
            except DIAL_ERRORS:
                continue
            if not only_if_alone or not self._host.neighbours():
                self._join(connection.peer.node)
            return

    def sweep(self) -> None:
        """Look into records of nodes that no live node watches, and after the overlay as a whole. Called repeatedly."""
        host, directory = self._host, self._host.directory
        count = directory.live_count
        share = SWEPT_MAX / max(1, count) * min(1.0, SWEPT_ALIKE / max(1, count))
        if count < 2 or not host.neighbours() or host.rng.random() > share:
            return
        live = directory.live()
        neighbours = {record.node.name: record.neighbours for record in live}
        near = connected(host.me.name, neighbours)
        watched = watched_by(near, neighbours) | {host.me.name}
        least_s = max(FRESH_S_MIN, FRESH_PERIODS * host.config.load_period_s)
        silent_since = host.loop.time() - min(max(least_s, FRESH_S * (len(live) - SWEPT_MAX)), FRESH_S_MAX)
        for record in live:
            if record.node.name in watched or self._spoke_at.get(record.node, 0.0) > silent_since:
                continue
            if host.rng.random() * len(live) < WATCHERS:
                self._look_into(record.node)
        anywhere = watched_by(neighbours, neighbours)
        self._mend([record for record in live if record.node.name in anywhere], near)

    def _mend(self, live: list[NodeRecord], near: Collection[str]) -> None:
        """Join the parts of a torn overlay."""
        host = self._host
        far = [record for record in live if record.node.name not in near]
        if not far:
            self._torn_for, self._torn_enough = 0, TORN_SWEEPS
            return
        self._torn_for += 1
        if self._torn_for < self._torn_enough:
            return
        self._torn_for, self._torn_enough = 0, min(2 * self._torn_enough, TORN_SWEEPS_MAX)
        if host.rng.random() * len(near) < WATCHERS:
            other = host.rng.choice(far)
            host.background.start(self._enter_through(other, only_if_alone=False), f"mend the overlay at {other.node}")


def connected(start: str, neighbours: Mapping[str, Collection[str]]) -> set[str]:
    """Who is reached from `start` by links that both ends speak of: a record may be from before the overlay tore."""
    found, front = {start}, [start]
    while front:
        here = front.pop()
        for there in neighbours.get(here, ()):
            if there not in found and here in neighbours.get(there, ()):
                found.add(there)
                front.append(there)
    return found


def watched_by(watchers: Collection[str], neighbours: Mapping[str, Collection[str]]) -> set[str]:
    """Whom the watchers have for neighbours.

    What those say counts who are near: nodes that went down together still speak of each other in their old records.
    """
    return {name for watcher in watchers for name in neighbours.get(watcher, ())}
