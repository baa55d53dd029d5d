"""Connections that take what is sent and do not deliver it, although the peer lives: found, cut, and made anew.

Whatever comes the other way says nothing of them. So each end tells the other once in a period what it has received,
and looks whether what it has sent is acknowledged. When the oldest frame of a connection is not for `keep_alive_misses`
times PATIENCE periods, the connection is cut, and the session goes on, on another one; half-way, it asks for a sign. A
long frame on a slow way has a second more for each BYTES_A_SECOND of it.

Not counted are periods in which the peer is suspected, for then its life is in question, and not the connection; and
those in which this node's own loop was stalled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from partisan_actors.ids import NodeId
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.router import Router
from partisan_actors.transport.connection import Connection
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

__all__ = ["PATIENCE", "OneWay", "Stalled"]

PATIENCE: Final = 5
BYTES_A_SECOND: Final = 64 * 1024
_PING: Final = pack([Kind.PING])


class Stalled(ConnectionError):
    """What is sent on a connection is not acknowledged."""


class OneWay:
    """Watches the connections of one router. With `keep_alive_s` 0 it cuts none. `cut_count` is how many it did."""

    def __init__(self, router: Router, config: NodeConfig, is_doubtful: Callable[[NodeId], bool]) -> None:
        self._router = router
        self._period_s = config.keep_alive_s
        self._patience = config.keep_alive_misses * PATIENCE
        self._is_doubtful = is_doubtful
        # Of each connection: the number of its oldest unacknowledged frame, and for how many periods it was that.
        self._seen: dict[Connection, tuple[int, int]] = {}
        self.cut_count = 0

    def tell(self) -> None:
        """A period has passed: say what was received, where nothing was sent that says so."""
        for peer in self._router.open_peers:
            for connection in peer.open:
                connection.acknowledge_if_due()

    def check(self) -> None:
        """A period has passed, in which what came was read: what of it acknowledges nothing?"""
        seen: dict[Connection, tuple[int, int]] = {}
        if self._period_s:
            for peer in list(self._router.open_peers):
                for connection in [each for each in peer.open if each not in peer.leaving]:
                    self._look_at(connection, self._is_doubtful(peer.node), seen)
        self._seen = seen

    def _look_at(self, connection: Connection, is_doubtful: bool, seen: dict[Connection, tuple[int, int]]) -> None:
        oldest = connection.session.oldest_unacknowledged
        if oldest is None or connection.is_suspended:
            return
        number, size = oldest
        before, periods = self._seen.get(connection, (number, -1))
        periods = periods + 1 if before == number and not is_doubtful else 0
        seen[connection] = number, periods
        if periods > self._patience + size / BYTES_A_SECOND / self._period_s:
            self.cut_count += 1
            connection.cut(Stalled(f"what was sent on it was not acknowledged for {periods * self._period_s:g} s"))
        elif periods == self._patience // 2 and not connection.is_paused:
            connection.send(_PING)
