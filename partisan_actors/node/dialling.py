"""Making connections: dialling, accepting, and shaking hands within a deadline."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from partisan_actors.errors import PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.binding import listen
from partisan_actors.node.compression import ChannelCompression
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.half_open import HalfOpen, half_open_max
from partisan_actors.node.tls import Credentials
from partisan_actors.protocols.fading import Fading
from partisan_actors.transport.base import Transport
from partisan_actors.transport.connection import Connection, ConnectionOwner
from partisan_actors.transport.flusher import Flusher
from partisan_actors.wire.channels import BUILT_IN, CALLS, CONTROL
from partisan_actors.wire.handshake import Handshake, Identity, Resume

__all__ = ["DIAL_ERRORS", "Dialling"]

NONCE_BYTES: Final = 16
FLUSH_AT_CLOSE_S: Final = 1.0
# How often the dial time-out passes before a connection is cut on which nobody has said who they are.
HELLO_PERIODS: Final = 15
# A time-out passes in so many pieces, and a loop that was stalled loses no more than one of them. A handshake takes ten
# turns of both ends' loops or so, and each turn of a process that hosts many nodes may be longer than a piece.
PIECES: Final = 40
# Where handshakes took long lately, at worst, the next ones may take twice as long, and so many times the dial time-out
# at most; half of that is forgotten after LATE_S. Who is overloaded must not take others for down, nor others it.
PATIENCE_MAX: Final = 12.0
LATE_S: Final = 30.0

# What `Dialling.open` raises when it fails.
DIAL_ERRORS: Final = (OSError, TimeoutError, PartisanError)


class Dialling:
    """Every connection of one node, from the first byte on. `owner` is told what becomes of them."""

    def __init__(
        self,
        config: NodeConfig,
        loop: asyncio.AbstractEventLoop,
        transport: Transport,
        flusher: Flusher,
        owner: ConnectionOwner,
        identity: Callable[[], Identity],
        token_bytes: Callable[[int], bytes],
        credentials: Credentials | None = None,
    ) -> None:
        self._config = config
        self._loop = loop
        self._transport = transport
        self._flusher = flusher
        self._owner = owner
        self._identity = identity
        self._token_bytes = token_bytes
        self._credentials = credentials
        self._compression = ChannelCompression(config.channels)
        self._connections: set[Connection] = set()
        # Whoever connects has longer to say who they are than an answer may take: they may be one of many at once.
        self._half_open = HalfOpen(loop, half_open_max(), config.dial_timeout_s * HELLO_PERIODS)
        self._bytes_of_closed = 0
        self._opening: dict[Connection, asyncio.Future[Connection]] = {}
        self._took_s = Fading(LATE_S)
        # For faults that are injected: told of every connection that is made, and asked before one is dialled.
        self.on_made: Callable[[Connection], None] | None = None
        self.refuses: Callable[[NodeId | None], bool] | None = None

    def give_up(self, why: str) -> None:
        """Whoever is being dialled is not any more: `open` raises."""
        for opening in self._opening.values():
            if not opening.done():
                opening.set_exception(ConnectionAbortedError(why))

    def is_opening(self, connection_id: bytes) -> bool:
        """Whether this node is dialling the connection that both sides will call so."""
        return any(opening.handshake.connection_id == connection_id for opening in self._opening)

    def connections(self) -> list[Connection]:
        """Every connection there is."""
        return list(self._connections)

    @property
    def connection_count(self) -> int:
        """How many connections there are, those that are not open yet included."""
        return len(self._connections)

    @property
    def bytes_in(self) -> int:
        """How many bytes have come to this node, on all its connections there ever were."""
        return self._bytes_of_closed + sum(connection.bytes_in for connection in self._connections)

    def compression_facts(self) -> dict[str, dict[str, Any]]:
        """What compression has saved on its connections, by channel; see `ChannelCompression.facts`."""
        return self._compression.facts(self._connections)

    async def listen(self) -> tuple[str, ...]:
        """Accept connections at the configured addresses; returns the bound ones. Raises ConfigError."""
        return await listen(self._transport, self._config.bind, self._accept)

    async def open(
        self,
        address: str,
        channel: str,
        index: int,
        expected: NodeId | None,
        answer_s: float | None = None,
        resume: Resume | None = None,
    ) -> Connection:
        """Dial and shake hands. Raises OSError, TimeoutError, AuthenticationError, ProtocolError or ResumeDeclined.

        `answer_s` is how long whoever listens there may take altogether: dial_timeout_s, unless it is given, and longer
        where others took long lately. With `resume` the connection is for a session that lost its own.
        """
        if self.refuses is not None and self.refuses(expected):
            raise OSError(errno.EHOSTUNREACH, "cut off by a fault")
        began = self._loop.time()
        timeout_s = self._patience_s(self._config.dial_timeout_s if answer_s is None else answer_s, began)
        connection = self._make(self._handshake(True, channel, index, expected, resume))
        opening = self._opening[connection] = self._loop.create_future()
        is_open = False
        try:
            async with _timeout(self._loop, timeout_s):
                await self._transport.dial(address, lambda: connection)
                await opening
                is_open = True
                self._took_s.saw(self._loop.time() - began, self._loop.time())
        except TimeoutError as error:
            raise TimeoutError(f"no answer within {timeout_s:g} s") from error
        finally:
            del self._opening[connection]
            if not is_open:
                self._connections.discard(connection)
                connection.abort(ConnectionAbortedError("it did not open in time"))
        return connection

    def _patience_s(self, timeout_s: float, now: float) -> float:
        return max(timeout_s, min(2.0 * self._took_s.worst(now), PATIENCE_MAX * self._config.dial_timeout_s))

    def opened(self, connection: Connection) -> None:
        """To be told by the owner: the handshake of `connection` is done."""
        self._half_open.discard(connection)
        # Only now an accepted connection knows its channel.
        channel = connection.handshake.channel
        connection.is_for_calls = channel == CALLS or channel not in BUILT_IN  # users' channels bring answers, too
        options = self._config.channels.get(connection.handshake.channel)
        if options is not None:
            connection.queue_bytes_max, connection.priority = options.queue_bytes_max, options.priority
        self._compression.opened(connection)
        opening = self._opening.get(connection)
        if opening is not None and not opening.done():
            opening.set_result(connection)

    def closed(self, connection: Connection, error: BaseException | None) -> None:
        """To be told by the owner: `connection` is gone."""
        self._half_open.discard(connection)
        self._bytes_of_closed += connection.bytes_in
        self._compression.closed(connection)
        self._connections.discard(connection)
        opening = self._opening.get(connection)
        if opening is not None and not opening.done():
            opening.set_exception(error or ConnectionResetError("closed during the handshake"))

    def replaced(self, connection: Connection) -> None:
        """To be told by the owner: another connection goes on in its place, and counts its bytes."""
        self._connections.discard(connection)

    async def stop_listening(self) -> None:
        """Accept nobody any more."""
        await self._transport.close()

    async def close(self) -> None:
        """Write what waits, and close every connection; those that take longer than FLUSH_AT_CLOSE_S are cut."""
        await self.stop_listening()
        for connection in list(self._connections):
            connection.close()
        deadline = self._loop.time() + FLUSH_AT_CLOSE_S
        while self._connections and self._loop.time() < deadline:  # noqa: ASYNC110 - once in a life, and short
            await asyncio.sleep(0.005)
        for connection in list(self._connections):
            connection.abort(ConnectionAbortedError("this node stopped"))

    def _accept(self) -> Connection:
        connection = self._make(self._handshake(False))
        self._half_open.add(connection)
        return connection

    def _handshake(self, *sides: Any) -> Handshake:
        config = self._config
        handshake = Handshake(self._identity(), config.cookie, self._token_bytes(NONCE_BYTES), *sides)
        # An observer comes and goes as it likes.
        handshake.sessions = config.session_resume_s > 0 and not config.observer
        handshake.checksums = config.checksums
        return handshake

    def _make(self, handshake: Handshake) -> Connection:
        # Whoever accepts does not know the channel yet; until the handshake is done, only the bound matters.
        options = self._config.channels.get(handshake.channel, BUILT_IN[CONTROL])
        connection = Connection(
            self._owner, self._flusher, handshake, options.queue_bytes_max, self._config.message_bytes_max
        )
        if self._credentials is not None:
            handshake.approve = partial(self._approve, self._credentials, connection)
        self._connections.add(connection)
        if self.on_made is not None:
            self.on_made(connection)
        return connection

    def _approve(self, credentials: Credentials, connection: Connection, peer: Identity) -> None:
        """Whether the certificate of the other side is that of who it says it is. Raises AuthenticationError."""
        credentials.check(connection.certificate, peer.cluster or self._identity().cluster, str(peer.node.name))


@asynccontextmanager
async def _timeout(loop: asyncio.AbstractEventLoop, timeout_s: float) -> AsyncIterator[None]:
    """As `asyncio.timeout`, but what a stalled loop has not read yet is no answer that did not come."""

    timer = loop.call_later(timeout_s / PIECES, lambda: piece_passed(PIECES - 1))

    def piece_passed(left: int) -> None:
        nonlocal timer
        if left:
            timer = loop.call_later(timeout_s / PIECES, piece_passed, left - 1)
        else:
            block.reschedule(loop.time())

    try:
        async with asyncio.timeout(None) as block:
            yield
    finally:
        timer.cancel()
