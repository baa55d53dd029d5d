"""Keep-alive: notices connections that carry nothing any more although they look open, and closes idle ones.

Whether a peer lives is the detector's business; a peer may live, and one of its connections be dead all the same. So
each connection of a neighbour that was silent since the neighbour's last turn is pinged, and closed after `misses`
turns in which the neighbour answered, but not on that connection. Any traffic counts.

A peer that is not held, whom nobody asked anything that is unanswered, and with whom nothing was exchanged for
`idle_close_s`, is let go; so is, when more than `dialled_max` such peers are connected, the one least recently used.
No message is lost or overtaken by that:

    this side                                    the other side
      sends nothing more, and asks: ASK   ->       has handled all that was sent to it
                                                   in use: KEEP, and everything stays as it was
                                          <-       not in use: sends nothing more either, and AGREEs
      has handled all that was sent to it
      closes                              ->       both sides dial anew when there is something to send

What is sent meanwhile waits. Neither side reports a lost peer. One of two connections of a lane goes in the same way,
however busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from partisan_actors.ids import NodeId
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.one_way import OneWay
from partisan_actors.node.router import Peer, Router
from partisan_actors.transport.connection import Connection
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

__all__ = ["KeepAlive"]

_PING: Final = pack([Kind.PING])
_PONG: Final = pack([Kind.PONG])


# How often connections are looked at that may be idle, where nobody is pinged.
LOOK_S: Final = 2.0


class Phase:
    """What an IDLE message says, as small ints."""

    ASK: Final = 0
    AGREE: Final = 1
    KEEP: Final = 2


class KeepAlive:
    """Watches the connections of one router."""

    def __init__(
        self,
        router: Router,
        config: NodeConfig,
        loop: asyncio.AbstractEventLoop,
        is_doubtful: Callable[[NodeId], bool],
    ) -> None:
        """`is_doubtful` says whether a node is suspected, or down."""
        self._router = router
        self.one_way = OneWay(router, config, is_doubtful)
        self._loop = loop
        self._period_s = config.keep_alive_s or LOOK_S
        self._misses = config.keep_alive_misses
        self._patience_s = config.keep_alive_misses * self._period_s
        self._idle_close_s = config.idle_close_s
        self._dialled_max = config.dialled_max
        # Of each neighbour's connections: for how many turns each was silent, and how many bytes had come on it.
        self._silent: dict[Peer, dict[Connection, tuple[int, int]]] = {}
        # Of each connected peer that is not held: how many bytes were exchanged, and when that number was first seen.
        # In the order of last use.
        self._used: dict[Peer, tuple[int, float]] = {}
        self._is_crowded = False
        # How many bytes had come on a connection that is being let go.
        self._last_bytes: dict[Connection, int] = {}

    async def run(self) -> None:
        """Check every period, for ever."""
        while True:
            due = self._loop.time() + self._period_s
            await asyncio.sleep(self._period_s)
            self.one_way.tell()
            if self._loop.time() - due > self._period_s / 2:
                continue  # this loop was stalled: what the others sent is still unread
            self.one_way.check()
            self.check(self._loop.time())

    def check(self, now: float) -> None:
        """Let go of who is idle."""
        used: dict[Peer, tuple[int, float]] = {}
        last_bytes: dict[Connection, int] = {}
        for peer in list(self._router.open_peers):
            if peer.leaving:
                self._check_leaving(peer, last_bytes, now)
            if _is_watched(peer):
                count = sum(connection.bytes_in + connection.bytes_out for connection in peer.open)
                before = self._used.get(peer)
                used[peer] = before if before is not None and before[0] == count else (count, now)
        self._last_bytes = last_bytes
        self._used = dict(sorted(used.items(), key=lambda item: item[1][1]))
        self._let_go_of_idle(now)

    def connected(self, peer: Peer) -> None:
        """There is a connection to `peer`, where there was none: is it one too many?"""
        if _is_watched(peer):
            self._used[peer] = (0, self._loop.time())
        if len(self._used) > self._dialled_max and not self._is_crowded:
            self._is_crowded = True
            self._loop.call_soon(self._make_room)

    def _make_room(self) -> None:
        self._is_crowded = False
        self._used = {each: use for each, use in self._used.items() if _is_watched(each)}
        self._let_go_of_idle(self._loop.time())

    # ---- what does not answer ---------------------------------------------------------------------------------

    def look_at(self, peer: Peer, *, answers: bool) -> None:
        """It is that neighbour's turn. While it `answers` nowhere, no connection of it is given up for itself."""
        before = self._silent.get(peer, {})
        silent: dict[Connection, tuple[int, int]] = {}
        self._silent[peer] = silent
        for connection in list(peer.open):
            count, seen = before.get(connection, (0, -1))
            if connection.is_suspended:
                continue
            if connection.bytes_in != seen:
                silent[connection] = (0, connection.bytes_in)
            elif count >= self._misses and answers:
                connection.cut(TimeoutError(f"no sign of life on it, {count} times"))
            else:
                silent[connection] = (count + answers, seen)
                if connection not in peer.leaving:
                    connection.send(_PING)

    def forget(self, peer: Peer) -> None:
        """That peer is no neighbour any more."""
        self._silent.pop(peer, None)

    def on_ping(self, peer: Peer, message: list[Any], buffers: object = None) -> None:
        """A peer asks whether we live: answer on every connection it may be watching."""
        for connection in peer.open:
            if connection not in peer.leaving:
                connection.send(_PONG)

    def on_pong(self, peer: Peer, message: list[Any], buffers: object = None) -> None:
        """A peer lives; that its bytes came is all that counts."""

    # ---- who is not needed ------------------------------------------------------------------------------------

    def _let_go_of_idle(self, now: float) -> None:
        surplus = len(self._used) - self._dialled_max
        for peer, (_, since) in list(self._used.items()):
            if surplus <= 0 and now - since < self._idle_close_s:
                return
            if self._may_go(peer):
                self._ask(peer, now)
                surplus -= 1

    def _may_go(self, peer: Peer) -> bool:
        """Whether nobody here needs a connection to `peer` now, and one can be made when somebody does."""
        return (
            not peer.is_held
            and not peer.pending
            and not any(peer.waiting.values())
            and not (peer.departures is not None and peer.departures.streams)
            and not (peer.arrivals is not None and not peer.arrivals.is_idle)
            and not any(connection.is_paused for connection in peer.open)
            and self._router.can_dial(peer)
        )

    def _ask(self, peer: Peer, now: float) -> None:
        for connection in list(peer.open):
            self.let_go(peer, connection, now)

    def let_go(self, peer: Peer, connection: Connection, now: float) -> None:
        """Ask the other side whether this connection may be closed, and send nothing more on it."""
        if connection not in peer.leaving:
            self._router.let_go(peer, connection, now + self._patience_s)
            _say(connection, Phase.ASK)

    def _check_leaving(self, peer: Peer, last_bytes: dict[Connection, int], now: float) -> None:
        for connection, patience_ends in list(peer.leaving.items()):
            last_bytes[connection] = connection.bytes_in
            if connection.bytes_in != self._last_bytes.get(connection):
                peer.leaving[connection] = now + self._patience_s
            elif now > patience_ends:
                connection.abort(TimeoutError("no answer to the question whether it may be closed"))

    def on_idle(self, peer: Peer, message: list[Any], buffers: object = None) -> None:
        """The other side asks whether a connection may be closed, or has answered."""
        _, phase, identity = message
        connection = next((each for each in peer.open if each.session.identity == identity), None)
        match phase:
            case Phase.ASK if connection is not None:
                self._answer(peer, connection)
            case Phase.AGREE if connection in peer.leaving:
                connection.close()
            case Phase.KEEP if connection is not None:
                self._router.keep(peer, connection)

    def _answer(self, peer: Peer, connection: Connection) -> None:
        if connection in peer.leaving:  # both sides asked at once
            _say(connection, Phase.AGREE)
        elif self._may_go(peer) or self._router.has_other(peer, connection):
            self._router.let_go(peer, connection, self._loop.time() + self._patience_s)
            _say(connection, Phase.AGREE)
        else:
            _say(connection, Phase.KEEP)


def _is_watched(peer: Peer) -> bool:
    # An observer cannot be dialled: it goes when it wants to.
    return bool(peer.open) and not peer.is_held and not peer.is_observer


def _say(connection: Connection, phase: int) -> None:
    connection.send(pack([Kind.IDLE, phase, connection.session.identity]))
