"""A node enters its cluster and leaves it: on purpose, in the background or waited for, and when others put it out.

After `leave` the node goes on as one that is alone: it has no connections, knows nobody, and takes nobody in until it
joins again. Otherwise a node that has old news of it would bring it back.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from partisan_actors.errors import AuthenticationError, ConfigError, NotYetConnected, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.addresses import Addresses
from partisan_actors.node.background import Background
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.dialling import Dialling
from partisan_actors.node.directory import LEFT, PREFIX, Directory
from partisan_actors.node.driver import Driver
from partisan_actors.node.presence import Presence
from partisan_actors.node.router import Peer, Router
from partisan_actors.transport.flusher import Flusher
from partisan_actors.transport.superseding import Waiting
from partisan_actors.wire.addresses import parse_address
from partisan_actors.wire.channels import CONTROL

__all__ = ["JOINS_MAX", "Membership"]

logger = logging.getLogger(__name__)

# How long a contact may take to answer a newcomer: at first, and at most, for it gets twice as long each time it is
# asked again. For how long contacts are tried that are slow, and how long a newcomer waits in between.
JOIN_ANSWER_S: Final = 30.0
JOIN_ANSWER_S_MAX: Final = 120.0
JOIN_S: Final = 300.0
JOIN_AGAIN_S: Final = 1.0
# Addresses that are being joined in the background; beyond that, `join` is refused.
JOINS_MAX: Final = 1024
# How often one is dialled in the background before it is given up, and the waits in between: doubled each time.
TRIES_MAX: Final = 8
FIRST_S: Final = 0.25
LONGEST_S: Final = 15.0
LOOK_S: Final = 0.01
# How long the last words of a node that leaves may take.
LAST_WORDS_S: Final = 0.05
CLOSED_S: Final = 1.5


class MembershipHost(Protocol):
    """What this needs of its node."""

    me: NodeId
    address: str
    config: NodeConfig
    lanes: dict[str, int]
    rng: random.Random
    loop: asyncio.AbstractEventLoop
    background: Background
    addresses: Addresses
    directory: Directory
    router: Router
    driver: Driver
    dialling: Dialling
    flusher: Flusher
    on_left: list[Callable[[str], None]]
    has_left: bool
    is_closing: bool
    is_leaving: bool

    async def connect(self, address: str, expected: NodeId | None = None, answer_s: float | None = None) -> Peer:
        """A control connection to whoever listens there. Raises NotYetConnected and AuthenticationError."""
        ...

    def dial(self, peer: Peer, channel: str, index: int) -> None:
        """Start to open that lane."""
        ...


class Membership:
    """The place of one node in its cluster."""

    def __init__(self, host: MembershipHost, presence: Presence) -> None:
        self._host = host
        self._presence = presence
        self._joining: dict[str, None] = {}
        self._refusals: dict[NodeId, str] = {}
        # Contacts to be tried when those before them refuse this node.
        self._further: list[str] = []
        # Why a contact did not take this node in; empty while none has refused, or another one may still take it.
        self.refusal = ""

    # ---- entering ---------------------------------------------------------------------------------------------

    async def join_any(self, contacts: Sequence[str]) -> None:
        """Join through the first contact that answers; when that refuses this node, through one after it.

        Where nobody listens is known at once. A contact that is slow may have a thousand who join through it before:
        it is asked again, more patiently each time, until JOIN_S are over.
        """
        host = self._host
        deadline, answer_s = host.loop.time() + JOIN_S, JOIN_ANSWER_S
        while True:
            failures: list[PartisanError] = []
            for number, address in enumerate(contacts, start=1):
                try:
                    peer = await host.connect(address, answer_s=answer_s)
                except (NotYetConnected, AuthenticationError) as error:
                    failures.append(error)
                    continue
                self._further = list(contacts[number:])
                host.driver.join(peer.node)
                return
            if host.loop.time() > deadline or not any(map(_is_slow, failures)):
                raise failures[0]
            answer_s = min(2 * answer_s, JOIN_ANSWER_S_MAX)
            await asyncio.sleep(JOIN_AGAIN_S * host.rng.uniform(0.5, 1.5))

    def join(self, address: str) -> None:
        """Enter the overlay of whoever listens at `address`. Returns at once: it is dialled in the background.

        One that does not answer is tried TRIES_MAX times with back-off, and then given up with a warning. Raises
        ConfigError for what is no address, for this node's own, and when JOINS_MAX are being joined.
        """
        host = self._host
        self._check(address)
        if address in self._joining:
            return
        if len(self._joining) >= JOINS_MAX:
            raise ConfigError("address", address, f"at most {JOINS_MAX} joins at a time")
        self._joining[address] = None
        host.background.start(self._join(address), f"join {address}")

    async def sync_join(self, address: str, timeout_s: float) -> NodeId:
        """`join`; returns who listens there, once every channel has all its connections to it.

        Raises NotYetConnected when that is not so after `timeout_s` or the contact refuses this node, ConfigError as
        `join` does, and AuthenticationError when it is none of ours.
        """
        self._check(address)
        try:
            async with asyncio.timeout(timeout_s):
                peer = await self._dial(address, tries=None)
                self.enter(peer.node)
                self._open_every_lane(peer)
                while not _is_complete(peer):
                    if peer.node in self._refusals:
                        raise NotYetConnected(address, self._refusals[peer.node])
                    await asyncio.sleep(LOOK_S)
                    self._open_every_lane(peer)
        except TimeoutError as error:
            raise NotYetConnected(
                address, f"not every channel has all its connections after {timeout_s:g} s"
            ) from error
        return peer.node

    def enter(self, contact: NodeId) -> None:
        """Join the overlay that `contact`, a node there is a connection to, is in."""
        self._host.has_left = False
        self._refusals.pop(contact, None)
        self._host.driver.join(contact)
        self._presence.publish()

    def refused(self, contact: NodeId, reason: str) -> None:
        """To be told by the overlay: `contact` does not take this node in."""
        if len(self._refusals) >= JOINS_MAX:
            del self._refusals[next(iter(self._refusals))]
        self._refusals[contact] = reason
        logger.warning("node %s does not take this node in: %s", contact, reason)
        if self._further:
            self._host.background.start(self._join_further(reason), "join through another contact")
        else:
            self.refusal = reason

    async def _join_further(self, reason: str) -> None:
        while self._further:
            try:
                peer = await self._host.connect(self._further.pop(0), answer_s=JOIN_ANSWER_S)
            except (NotYetConnected, AuthenticationError) as error:
                logger.warning("nor could this node join through another contact: %s", error)
                continue
            if not self._host.is_leaving and not self._host.is_closing:
                self._host.driver.join(peer.node)
            return
        self.refusal = reason

    def _check(self, address: str) -> None:
        host = self._host
        parse_address(address)
        if address == host.address or address in host.addresses.addresses_of(host.me):
            raise ConfigError("address", address, "that of another node: a node does not join itself")
        if self._host.is_leaving or host.is_closing:
            raise ConfigError("address", address, "a node that is not about to leave")

    async def _join(self, address: str) -> None:
        try:
            peer = await self._dial(address, tries=TRIES_MAX)
        except (NotYetConnected, AuthenticationError) as error:
            logger.warning("could not join through %s: %s", address, error)
        else:
            if not self._host.is_leaving and not self._host.is_closing:
                self.enter(peer.node)
        finally:
            del self._joining[address]

    async def _dial(self, address: str, tries: int | None) -> Peer:
        wait_s, tried = FIRST_S, 0
        while True:
            try:
                return await self._host.connect(address)
            except NotYetConnected:
                tried += 1
                if tries is not None and tried >= tries:
                    raise
            await asyncio.sleep(wait_s * self._host.rng.uniform(0.5, 1.5))
            wait_s = min(2 * wait_s, LONGEST_S)

    def _open_every_lane(self, peer: Peer) -> None:
        for channel, lanes in peer.lanes.items():
            for index, connection in enumerate(lanes):
                if connection is None and (channel, index) not in peer.waiting and self._host.router.can_dial(peer):
                    peer.waiting[channel, index] = Waiting()
                    self._host.dial(peer, channel, index)

    # ---- leaving ----------------------------------------------------------------------------------------------

    async def leave(self) -> None:
        """Leave the cluster: tell the others, and be alone. Returns when no connection to them is left.

        `on_left` is told before this node forgets what it knew; what waits for others ends with NodeDown.
        """
        if self._host.is_leaving or self._host.has_left or self._host.is_closing:
            return
        self._host.is_leaving = True
        try:
            self._presence.publish(state=LEFT)
            self._host.driver.leave()
            self._host.router.hurry_broadcasts()
            self._host.flusher.flush()
            await asyncio.sleep(LAST_WORDS_S)
            await self._be_alone("this node has left the cluster")
        finally:
            self._host.is_leaving = False

    def evicted(self, by: NodeId) -> None:
        """To be told by the overlay, which this node has left: `by` has put it out."""
        logger.warning("node %s has put this node out of the cluster", by)
        self._host.background.start(self._be_alone(f"node {by} has put this node out of the cluster"), "evicted")

    async def _be_alone(self, why: str) -> None:
        host = self._host
        host.has_left = True
        for tell in list(host.on_left):
            tell(why)
        others = [peer for peer in host.router.peers.values() if not peer.is_self and not peer.is_observer]
        host.dialling.give_up(why)
        host.driver.forget()
        host.directory.forget_others(why)
        for peer in others:
            host.router.mark_down(peer.node, why)
        self._presence.publish(again=True)
        deadline = host.loop.time() + CLOSED_S
        while any(peer.open for peer in others) and host.loop.time() < deadline:  # noqa: ASYNC110 - rare, and short
            await asyncio.sleep(LOOK_S)
        for peer in others:
            for connection in list(peer.open):
                connection.abort(ConnectionAbortedError(why))

    # ---- others -----------------------------------------------------------------------------------------------

    def evict(self, name: str) -> None:
        """Put the node of that name out of the cluster; it is alone then, and may join again.

        Raises ConfigError when no such node is known to be up.
        """
        host = self._host
        record = host.directory.records.get(name)
        if record is None or record.node == host.me or not host.directory.is_up(record.node):
            others = ", ".join(each.node.name for each in host.directory.live() if each.node != host.me)
            raise ConfigError("name", name, f"another node that is up: {others or 'there is none'}")
        host.driver.evict(record.node)
        if self._waits(record.node):
            host.background.start(self._write_off_later(record.node), f"evict {record.node}")
        else:
            self._write_off(record.node)

    async def _write_off_later(self, node: NodeId) -> None:
        # It is told first: whoever is written off is not dialled any more.
        deadline = self._host.loop.time() + self._host.config.dial_timeout_s
        while self._waits(node) and self._host.loop.time() < deadline:  # noqa: ASYNC110 - rare, and short
            await asyncio.sleep(LOOK_S)
        self._write_off(node)

    def _waits(self, node: NodeId) -> bool:
        """Whether what the overlay has to say to that node waits for a connection that is being made."""
        return (CONTROL, 0) in self._host.router.peer(node).waiting

    def _write_off(self, node: NodeId) -> None:
        """That node is out for everybody, above what it has said of itself: until it speaks again."""
        record, stamp = self._host.directory.find(node), self._host.directory.stamps.get(node.name)
        if record is not None and stamp is not None and record.is_live:
            self._host.driver.write(PREFIX + node.name, (stamp[0], stamp[1], LEFT), record.packed())

    def update_members(self, addresses: Sequence[str], *, replace: bool = False) -> None:
        """Join every one of these addresses at which no known member is. Ignored while this node leaves.

        With `replace`, members that can be dialled at none of them are put out. Without, nobody ever is: a list that
        says only a part is no reason to. Raises ConfigError as `join` and `evict` do, before anything is done.
        """
        host = self._host
        if self._host.is_leaving or host.is_closing:
            return
        for address in addresses:
            parse_address(address)
        wanted = set(addresses)
        known: set[str] = {host.address, *host.addresses.addresses_of(host.me)}
        surplus: list[str] = []
        for record in host.directory.live():
            known.update(record.addresses)
            if record.node != host.me and not wanted & set(record.addresses):
                surplus.append(record.node.name)
        for address in dict.fromkeys(addresses):
            if address not in known:
                self.join(address)
        for name in surplus if replace else ():
            self.evict(name)


def _is_slow(error: PartisanError) -> bool:
    """Whether whoever listens there may have had no time for us."""
    return isinstance(error.__cause__, (TimeoutError, ConnectionResetError))


def _is_complete(peer: Peer) -> bool:
    return all(connection is not None for lanes in peer.lanes.values() for connection in lanes)
