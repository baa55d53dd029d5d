"""Lanes whose connection broke: dialled again, by both sides, until their session goes on or there is no reason left.

The rules this file keeps:

1. A broken lane is dialled at once, then after FIRST_WAIT_S, and twice that, up to LONGEST_WAIT_S, each less a random
   part. Both sides dial, for each of them may be the one that can. When they meet, the connection of the side that had
   dialled first counts: while it dials, it does not take the other one's.
2. Its session ends when nobody listens where the peer did, or somebody else does; when the peer does not know it; when
   the peer is down; after `session_resume_s`; or when damaged frames, or none, are all that comes. Then the lane
   closes, and what was asked on it fails, as if there had been no sessions. So it does at once when SUSPENDED_MAX lanes
   wait already.
3. Whoever accepts has a session, and may have sent on it, before the dialler hears that it was welcome. When the
   connection breaks between the two, the dialler has no session to go on with; so it remembers what that would have
   been called, and begins it when the other side dials.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Final, Protocol

from partisan_actors.errors import AuthenticationError, ProtocolError, ResumeDeclined
from partisan_actors.ids import NodeId
from partisan_actors.node.addresses import Addresses
from partisan_actors.node.background import Background
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.dialling import DIAL_ERRORS, Dialling
from partisan_actors.node.one_way import Stalled
from partisan_actors.node.router import Peer, Router, lane_of
from partisan_actors.node.traffic import Traffics
from partisan_actors.transport.receiver import DamagedFrame
from partisan_actors.transport.session import Session
from partisan_actors.wire.handshake import Resume

if TYPE_CHECKING:
    from partisan_actors.transport.connection import Connection

__all__ = ["Sessions"]

logger = logging.getLogger(__name__)

FIRST_WAIT_S: Final = 0.02
LONGEST_WAIT_S: Final = 1.0
# Lanes that wait for a connection at once. One that breaks beyond that ends with its connection.
SUSPENDED_MAX: Final = 4096
# Dials in vain that are remembered, because the other side may have taken them for connections.
UNHEARD_MAX: Final = 1024


class SessionsHost(Protocol):
    """What this needs of its node."""

    me: NodeId
    config: NodeConfig
    loop: asyncio.AbstractEventLoop
    addresses: Addresses
    background: Background
    dialling: Dialling
    router: Router
    traffics: Traffics
    is_closing: bool


class Sessions:
    """The broken lanes of one node. `resumed` counts those that went on, `damaged_frames` what checksums found."""

    def __init__(self, host: SessionsHost) -> None:
        self._host = host
        # Only has to differ from node to node, so that two do not dial in step for ever.
        self._rng = random.Random(str(host.me))
        self._jobs: dict[Connection, asyncio.Task[None]] = {}
        self._dialled: dict[Connection, None] = {}
        self._unheard: dict[bytes, tuple[NodeId, str, int]] = {}
        self.resumed = 0
        self.damaged_frames = 0

    @property
    def broken_count(self) -> int:
        """How many lanes wait for a connection now."""
        return len(self._jobs)

    def broke(self, connection: Connection, error: BaseException) -> bool:
        """To be told by the owner of connections: see `ConnectionOwner.broke`."""
        host = self._host
        peer: Peer | None = connection.peer
        is_damage = isinstance(error, DamagedFrame)
        self.damaged_frames += is_damage
        if peer is None or peer.down is not None or host.is_closing:
            return False
        is_fruitless = is_damage or isinstance(error, Stalled)
        if (is_fruitless and connection.session.is_hopeless()) or len(self._jobs) >= SUSPENDED_MAX:
            return False
        channel, index = lane_of(connection)
        logger.info("the connection to node %s, %s/%d, broke: %s", peer.node, channel, index, error)
        job = self._go_on(connection, peer, error)
        self._jobs[connection] = host.background.start(job, f"resume {peer.node} {channel}/{index}")
        return True

    def closed(self, connection: Connection) -> None:
        """To be told by the owner of connections: that lane has closed, and is not to be dialled."""
        job = self._jobs.pop(connection, None)
        if job is not None and job is not asyncio.current_task(self._host.loop):
            job.cancel()

    def unheard(self, connection: Connection) -> None:
        """To be told by the owner: that connection has ended before it was open; the other side may have opened it."""
        handshake = connection.handshake
        if handshake.dialler and handshake.peer is not None and handshake.resume is None and handshake.sessions:
            self._unheard[handshake.connection_id] = (handshake.peer.node, handshake.channel, handshake.lane)
            if len(self._unheard) > UNHEARD_MAX:
                del self._unheard[next(iter(self._unheard))]

    # ---- on the side that dials -----------------------------------------------------------------------------------

    async def _go_on(self, connection: Connection, peer: Peer, error: BaseException) -> None:
        loop = self._host.loop
        deadline = loop.time() + self._host.config.session_resume_s
        wait_s = FIRST_WAIT_S
        while connection.is_suspended:
            is_over = await self._dial(connection, peer)
            if not connection.is_suspended:
                return
            if is_over or loop.time() >= deadline:
                connection.abort(error)
                return
            await asyncio.sleep(wait_s * (1 - self._rng.random() / 2))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _dial(self, connection: Connection, peer: Peer) -> bool:
        """Try every address once. Returns whether it is certain that the session is over."""
        addresses = self._host.addresses.addresses_of(peer.node)
        channel, index = lane_of(connection)
        refusals = 0
        self._dialled[connection] = None
        try:
            for address in addresses:
                resume = Resume(connection.session.identity, connection.session.received)
                try:
                    await self._host.dialling.open(address, channel, index, peer.node, resume=resume)
                    return False
                except ConnectionRefusedError:
                    refusals += 1
                except ResumeDeclined as declined:
                    return declined.for_ever
                except AuthenticationError:
                    return True
                except DIAL_ERRORS:
                    continue
        finally:
            self._dialled.pop(connection, None)
        return bool(addresses) and refusals == len(addresses)

    # ---- on either side -------------------------------------------------------------------------------------------

    def admit(self, connection: Connection) -> int:
        """The other side has dialled: see `ConnectionOwner.admit`."""
        handshake, me = connection.handshake, str(self._host.me)
        if handshake.resume is None:
            return 0
        assert handshake.peer is not None
        old = self._find(handshake.peer.node, handshake.resume.session)
        if old is None:
            return self._begin(connection, handshake.peer.node, handshake.resume)
        if lane_of(old) != lane_of(connection):
            raise ResumeDeclined(me, "it is not known here, or not any more", True)
        if old in self._dialled and old.session.is_ours:
            raise ResumeDeclined(me, "this side is dialling, too", False)
        if not old.session.can_resume(handshake.resume.received):
            raise ResumeDeclined(me, "that is an old offer", False)
        self._take_over(connection, old)
        self.closed(old)
        return connection.session.received

    def _begin(self, connection: Connection, node: NodeId, resume: Resume) -> int:
        me = str(self._host.me)
        if self._host.dialling.is_opening(resume.session):
            raise ResumeDeclined(me, "this side does not know yet that the connection broke", False)
        if resume.received or self._unheard.pop(resume.session, None) != (node, *lane_of(connection)):
            raise ResumeDeclined(me, "it is not known here, or not any more", True)
        connection.session = Session(resume.session, is_ours=True)
        return 0

    def opened(self, connection: Connection) -> None:
        """A connection that goes on with a session is open, whoever dialled it."""
        handshake = connection.handshake
        assert handshake.resume is not None and handshake.peer is not None
        received_there = handshake.resume.received
        if handshake.dialler:
            received_there = handshake.received_there
            old = self._find(handshake.peer.node, handshake.resume.session)
            if old is None or not old.is_suspended:
                connection.abort(ConnectionAbortedError("the session is over, or goes on elsewhere"))
                return
            self._take_over(connection, old)
            self._jobs.pop(old, None)  # it is what has dialled, and comes to its end
            if not connection.session.can_resume(received_there):
                raise ProtocolError("it goes on with a session of which it lacks what is not kept any more")
        self.resumed += 1
        self._host.traffics.resumed(connection)
        connection.resume(received_there)

    def _find(self, node: NodeId, session: bytes) -> Connection | None:
        peer = self._host.router.peers.get(node)
        if peer is None or peer.down is not None:
            return None
        return next((each for each in peer.open if each.session.identity == session and each.can_go_on), None)

    def _take_over(self, connection: Connection, old: Connection) -> None:
        connection.take_over(old)
        connection.peer = old.peer
        self._host.router.replaced(old.peer, old, connection)
        self._host.dialling.replaced(old)
