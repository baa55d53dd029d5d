"""Keep-alive: notices peers that no longer answer although their connection looks open, and closes idle connections.

Any traffic counts as a sign of life. A held connection that was silent for a period is pinged; after `misses` silent
periods it is closed, which the overlay learns as a lost peer. A loop that was itself stalled gives everybody another
period first, so that a slow node suspects itself before the others.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from partisan_actors.node.router import Peer, Router
from partisan_actors.transport.connection import Connection
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

__all__ = ["KeepAlive"]

_PING: Final = pack([Kind.PING])
_PONG: Final = pack([Kind.PONG])


class KeepAlive:
    """Watches the connections of one router."""

    def __init__(self, router: Router, period_s: float, misses: int, idle_close_s: float) -> None:
        self._router = router
        self._period_s = period_s
        self._misses = misses
        self._idle_close_s = idle_close_s
        self._silent: dict[Connection, tuple[int, int]] = {}

    async def run(self) -> None:
        """Check every period, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._period_s
            await asyncio.sleep(self._period_s)
            if loop.time() - due > self._period_s / 2:
                continue  # this loop was stalled: what the others sent is still unread
            self._check()

    def _check(self) -> None:
        silent: dict[Connection, tuple[int, int]] = {}
        for peer in list(self._router.peers.values()):
            if not peer.is_held:
                continue
            for connection in peer.connections():
                count, seen = self._silent.get(connection, (0, -1))
                if connection.bytes_in != seen:
                    silent[connection] = (0, connection.bytes_in)
                    continue
                if count >= self._misses:
                    connection.abort(TimeoutError(f"no sign of life for {count * self._period_s:g} s"))
                    continue
                silent[connection] = (count + 1, seen)
                connection.send(_PING)
        self._silent = silent

    def on_ping(self, peer: Peer, message: list[Any], buffers: object = None) -> None:
        """A peer asks whether we live: answer on every lane it may be watching."""
        for connection in peer.connections():
            connection.send(_PONG)

    def on_pong(self, peer: Peer, message: list[Any], buffers: object = None) -> None:
        """A peer lives; that its bytes came is all that counts."""
