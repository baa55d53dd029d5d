"""What the cluster is told of this node, and of neighbours that fell silent.

The record of a node is its own to write: it announces itself, renews the record as its load changes, and refutes
whoever suspects it or believes that it is down. Others write two things into it: who suspects it, and that it is down.
A neighbour whose connection broke is asked once more by each of its neighbours before it is declared down to everybody.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from partisan_actors.ids import NodeId
from partisan_actors.node.addresses import Addresses
from partisan_actors.node.background import Background
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.dialling import DIAL_ERRORS, Dialling
from partisan_actors.node.directory import DOWN, LEFT, PREFIX, SUSPECT, UP, Directory, NodeRecord
from partisan_actors.node.relay import Relay
from partisan_actors.node.router import Router
from partisan_actors.node.world import World
from partisan_actors.wire.channels import CONTROL

__all__ = ["Presence"]

logger = logging.getLogger(__name__)

# In a cluster of up to so many nodes each tells at once what is new; in a larger one they take turns, so that all
# together tell so many times a second. What a node hears does not grow with the cluster then, but gets old: at a
# thousand nodes, what is known of a node's load and neighbours may be from 50 s ago. Joins, ends and refutations never
# wait.
PROMPT_NODES: Final = 16
RECORDS_PER_S: Final = 20.0
# For news of neighbours alone, which hundreds of nodes that join at once have again and again.
NEIGHBOURS_PER_S: Final = 4.0
# And they tell it so many times more rarely while a node has come up lately, and not at all for so many load periods
# after one: neighbours will change again soon, and a newcomer that has heard of few takes its cluster for a small one.
GROWING: Final = 4.0
GREW_S: Final = 10.0
GREW_PERIODS: Final = 1.0
# Changes that come within this share of a load period go in one record, however small the cluster: neighbours come by
# the handful.
TOGETHER: Final = 0.25
# How long the overlay may take to give a newcomer its first neighbour, who then hears of it, before its record is
# written all the same.
FIRST_NEIGHBOUR_S: Final = 1.0

# A neighbour that stays for so long after it was told of something has passed it on.
HEARD_S: Final = 10.0

# A node that was dialled in vain is verified after so long, or twice that, unless its neighbours have told of its end.
REFUSED_S: Final = 2.0

# How long a node that cannot be dialled may take to answer through the overlay.
SIGN_OF_LIFE_S: Final = 1.5
# Whoever may be down gets so many times as long to answer as others: that nobody listens any more is known at once,
# and who is slow is rather busy than gone.
PATIENCE: Final = 3.0
# And whoever is only looked into so many times: nothing speaks against it, and where many have gone down, everybody has
# much to do. That nobody listens any more is known at once.
LOOK_PATIENCE: Final = 12.0
# Nodes that this one has declared down, and verifies again when a newer record says that they are up: it may be a
# refutation, or be older than their end and come late.
GONE_MAX: Final = 1024
# Neighbours that no record tells of, and that are verified at once: more of them are taken at their connection's word.
STRANGERS_MAX: Final = 64
# In a cluster of more nodes than this, what others have to say of a node is gathered like other news: where a machine
# of hundreds of nodes goes down, each is missed by several, all at once. What a node refutes never waits.
GATHERED_MAX: Final = 32
# How long the host of a process node, who knows how the process ended, may take to say so before others do.
VERDICT_S: Final = 10.0
# How many share a suspicion publicly: with the first, as many as count for its end.
SUSPECTED_BY_MAX: Final = 4


class PresenceHost(Protocol):
    """What this needs of its node."""

    me: NodeId
    config: NodeConfig
    rng: random.Random
    loop: asyncio.AbstractEventLoop
    background: Background
    directory: Directory
    router: Router
    addresses: Addresses
    dialling: Dialling
    relays: Relay
    describe_load: Callable[[], dict[str, Any]]
    on_sweep: list[Callable[[], None]]
    on_given_up: list[Callable[[], None]]
    on_accused: Callable[[], None]
    on_record: Callable[[NodeRecord], None]
    is_closing: bool
    is_leaving: bool
    world: World

    def neighbours(self) -> Sequence[NodeId]:
        """The overlay's neighbours now."""
        ...

    def write(self, key: str, stamp: tuple[int, ...], value: object, *, gather: bool = False) -> None:
        """Write to the replicated map. `gather`: others may hear of it a little later, together with other news."""
        ...


class Presence:
    """The standing of one node in its cluster."""

    def __init__(self, host: PresenceHost) -> None:
        self._host = host
        self._version = 0
        self._last_written: NodeRecord | None = None
        self._written_at = float("-inf")
        # When it had other neighbours than its record says, and which share of its turn it waits for that.
        self._changed: tuple[float, float] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._gone: dict[NodeId, None] = {}
        # The neighbours that heard this node's last record at once and were not lost within HEARD_S. When none is left
        # it may have gone nowhere: whoever is taken for down is dropped by its neighbours in the moment in which it
        # refutes that. None for a record that is gathered: there it is noticed when it is not published.
        self._hearers: dict[NodeId, None] | None = None
        self._is_refuting = False
        # Those that are verified now although nobody has a record of them.
        self._strangers: dict[NodeId, None] = {}
        # Those that are verified now because nobody listened, or nobody is left to miss them.
        self._looked_into: dict[NodeId, None] = {}
        self._grew_at = float("-inf")
        host.directory.on_up.append(self._came_up)

    def introduce(self) -> None:
        """Announce this node for the first time, as soon as there is a neighbour to hear of it."""
        if self._host.neighbours():
            self.publish(gather=True)
        elif self._last_written is None:
            self._host.loop.call_later(FIRST_NEIGHBOUR_S, self.introduce_anyway)

    def renew(self) -> None:
        """Something may be new about this node: announce it when its turn comes. Called every load period, too."""
        if self._last_written is None:
            self.introduce()
            return
        if self._hearers == {} and self._host.neighbours():
            self.publish(gather=not self._is_refuting, again=True)
            return
        record = self._record(UP)
        if record == self._last_written:
            self._changed = None
            return
        if self._timer is not None:
            return
        wait_s = self._wait_s(record, self._last_written)
        if wait_s <= 0:
            self.publish(gather=True)
        elif wait_s < self._host.config.load_period_s:
            self._timer = self._host.loop.call_later(wait_s, self._renew_again)

    def _came_up(self, record: NodeRecord) -> None:
        self._grew_at = self._host.loop.time()

    def lost(self, node: NodeId) -> None:
        """That node is no neighbour any more."""
        if self._hearers and self._host.loop.time() - self._written_at < HEARD_S:
            self._hearers.pop(node, None)

    def close(self) -> None:
        """Announce nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def publish(self, state: int = UP, *, gather: bool = False, again: bool = False, why: str = "") -> None:
        """Announce this node's record, if it says anything new, or `again`: at once, or together with others'.

        `why` is the reason for which it leaves.
        """
        host = self._host
        if host.is_leaving and state == UP:
            return
        if again:
            self._last_written = None
        me, record = host.me, replace(self._record(state), why=why)
        if record == self._last_written:
            return
        self._last_written, self._changed = record, None
        self._written_at = host.loop.time()
        hearers = dict.fromkeys(host.neighbours())
        self._hearers = None if gather and hearers else hearers
        self._is_refuting = self._is_refuting and not gather
        known = host.directory.stamps.get(me.name)
        self._version = max(self._version, known[1] if known and known[0] == me.incarnation else 0) + 1
        host.write(PREFIX + me.name, (me.incarnation, self._version, state), record.packed(), gather=gather)

    def _record(self, state: int) -> NodeRecord:
        """What there is to say of this node now."""
        host = self._host
        return NodeRecord(
            node=host.me,
            addresses=tuple(host.addresses.addresses_of(host.me)),
            state=state,
            overlay=host.config.overlay,
            host=host.world.host_name(),
            pid=host.world.process_id(),
            hosts_actors=host.config.hosts_actors,
            hosted_by=host.config.hosted_by,
            labels=host.config.labels,
            neighbours=tuple(sorted(node.name for node in host.neighbours())),
            **host.describe_load(),
        )

    def _renew_again(self) -> None:
        self._timer = None
        if not self._host.is_closing:
            self.renew()

    def _wait_s(self, record: NodeRecord, last: NodeRecord) -> float:
        """Seconds until this node's turn to announce what is new."""
        host = self._host
        only_neighbours = replace(record, neighbours=last.neighbours) == last
        period_s, now = host.config.load_period_s, host.loop.time()
        rate = NEIGHBOURS_PER_S if only_neighbours else RECORDS_PER_S
        if only_neighbours and now - self._grew_at < GREW_S:
            rate /= GROWING
        turn_s = max(0, host.directory.live_count - PROMPT_NODES) / rate
        together_at = self._written_at + TOGETHER * period_s
        if not only_neighbours:
            return max(self._written_at + turn_s, together_at) - now
        if self._changed is None:
            self._changed = now, host.rng.random()
        # Those who joined together, and those for whom a machine that goes down changes something, have turns apart.
        changed_at, share = self._changed
        spread_at = max(self._written_at + (0.5 + share) * turn_s, changed_at + share * turn_s)
        return max(together_at, spread_at, self._grew_at + GREW_PERIODS * period_s) - now

    def introduce_anyway(self) -> None:
        """Announce this node, if it has not been, although there may be nobody to hear it, and again when there is."""
        if self._last_written is None and not self._host.is_closing:
            self.publish(gather=True)

    async def keep_current(self) -> None:
        """Announce what changed, every load period, for ever."""
        host = self._host
        while True:
            # Spread, so that a thousand nodes started together do not speak together.
            await asyncio.sleep(host.config.load_period_s * host.rng.uniform(0.5, 1.5))
            self.renew()
            for sweep in host.on_sweep:
                sweep()

    def entry_changed(self, key: str, stamp: tuple[int, ...], value: Any) -> None:
        """The replicated map has news of a node."""
        host = self._host
        if key == PREFIX + host.me.name and stamp[2:3] == (LEFT,):
            # Who put this node out, and did not reach it, hears soon that it is there still.
            self._last_written = None
        if host.directory.changed(key, stamp, value) and not host.is_closing:
            host.loop.call_soon(self.refute)
            host.on_accused()
            for tell in host.on_given_up if stamp[2] == DOWN else ():
                host.loop.call_soon(tell)
            return
        record = host.directory.records.get(key.removeprefix(PREFIX))
        if record is None:
            return
        if record.is_live:
            host.addresses.learn(record.node, record.addresses)
            if host.is_closing:
                return
            host.router.mark_up(record.node)
            host.on_record(record)
            if record.node in self._gone:
                del self._gone[record.node]
                self.suspect(record.node)
        elif record.node != host.me:
            host.router.mark_down(record.node, record.why_not)
            self._host_down(record.node.name)

    def _host_down(self, name: str) -> None:
        """A node is down, and so are the processes that it has: nobody is left to say how they ended."""
        for process in self._host.directory.processes_of(name) if not self._host.is_closing else ():
            if process != self._host.me:
                self._declare_down(process, f"its host, node {name}, is down")

    def refute(self) -> None:
        """Somebody takes this node for down, or nearly: announce it anew, with a higher version."""
        self._last_written = None
        self._is_refuting = True
        if not self._host.is_closing:
            self.publish()

    def tell_suspicion(self, node: NodeId) -> None:
        """Tell the cluster that this node gets no answer from that one, if it is not known to enough."""
        directory, me = self._host.directory, self._host.me.name
        record, stamp = directory.find(node), directory.stamps.get(node.name)
        if record is None or stamp is None or not record.is_live:
            return
        if me not in record.suspected_by and len(record.suspected_by) < SUSPECTED_BY_MAX:
            names = tuple(sorted({*record.suspected_by, me}))
            logger.info("node %s does not answer", node)
            value = replace(record, suspected_by=names).packed()
            self._write_of(node, (stamp[0], stamp[1], SUSPECT, len(names)), value)

    def part(self, node: NodeId) -> None:
        """A neighbour said goodbye: it leaves the cluster, or the overlay has changed and no more."""
        self._host.background.start(self._verify_parted(node), f"look after {node}")

    async def _verify_parted(self, node: NodeId) -> None:
        # Its last record may be lost: it can come through neighbours that leave at the same time.
        await asyncio.sleep(self._host.config.last_record_s)
        if self._host.directory.is_up(node):
            await self._verify(node)

    def suspect(self, node: NodeId) -> None:
        """A neighbour's connection broke: is it down?"""
        if self._host.directory.find(node) is None:
            if len(self._strangers) >= STRANGERS_MAX:
                self.declare_down(node)
                return
            self._strangers[node] = None
        self._host.background.start(self._verify_suspect(node), f"verify {node}")

    def look_into(self, node: NodeId) -> None:
        """That node may be down, and nobody left to miss it: is it?"""
        self._look_into(node, 0.0, LOOK_PATIENCE)

    def refused(self, node: NodeId) -> None:
        """Nobody listens where that node did. In a large cluster its neighbours may all have gone down with it."""
        if self._host.directory.live_count > GATHERED_MAX:
            self._look_into(node, REFUSED_S * self._host.rng.uniform(1.0, 2.0), PATIENCE)

    def _look_into(self, node: NodeId, delay_s: float, patience: float) -> None:
        if node not in self._looked_into and self._host.directory.is_up(node):
            self._looked_into[node] = None
            self._host.background.start(self._verify_later(node, delay_s, patience), f"verify {node}")

    async def _verify_later(self, node: NodeId, delay_s: float, patience: float) -> None:
        try:
            await asyncio.sleep(delay_s)
            if self._host.directory.is_up(node):
                await self._verify(node, patience)
        finally:
            self._looked_into.pop(node, None)

    async def _verify_suspect(self, node: NodeId) -> None:
        try:
            await self._verify(node)
        finally:
            self._strangers.pop(node, None)

    async def _verify(self, node: NodeId, patience: float = PATIENCE) -> None:
        """Ask it once more; if it does not answer, tell everybody."""
        host = self._host
        if host.router.peer(node).is_connected:
            return
        for address in host.addresses.addresses_of(node):
            try:
                await host.dialling.open(address, CONTROL, 0, node, host.config.dial_timeout_s * patience)
            except DIAL_ERRORS:
                continue
            return
        # Perhaps nobody can dial it, and only it dials others.
        if not host.router.peer(node).was_dialled and await host.relays.hears(node, SIGN_OF_LIFE_S):
            return
        self.declare_down(node)

    def declare_down(self, node: NodeId, why: str = "") -> None:
        """Tell the cluster that this life of this node is over, and `why` if that is known; it refutes what is not so.

        How a process node ended is for its host to say: others wait VERDICT_S for that.
        """
        directory = self._host.directory
        if not why and directory.keeper(node) is not None and not self._host.is_closing:
            self._host.loop.call_later(VERDICT_S, self._without_verdict, node)
            return
        self._declare_down(node, why)

    def _without_verdict(self, node: NodeId) -> None:
        if self._host.directory.is_up(node) and not self._host.router.peer(node).is_connected:
            self._declare_down(node, "")

    def _declare_down(self, node: NodeId, why: str) -> None:
        directory = self._host.directory
        record = directory.find(node)
        stamp = directory.stamps.get(node.name)
        self._gone[node] = None
        if len(self._gone) > GONE_MAX:
            del self._gone[next(iter(self._gone))]
        if record is None or stamp is None or not record.is_live:
            self._host.router.mark_down(node, "it does not answer")
            return
        logger.info("node %s is down", node)
        self._write_of(node, (stamp[0], stamp[1], DOWN), replace(record, suspected_by=(), why=why).packed())

    def _write_of(self, node: NodeId, stamp: tuple[int, ...], value: bytes) -> None:
        gather = self._host.directory.live_count > GATHERED_MAX
        self._host.write(PREFIX + node.name, stamp, value, gather=gather)
