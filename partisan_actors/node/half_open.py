"""Connections on which nobody has proved yet to be one of ours: how many there may be, and who has to go.

They cost a descriptor and some memory each, and may stay for half a minute, because one of many that join at once may
need as long. So that whoever opens many of them keeps nobody else out, at the bound some have to go: of the host that
has most of them, those first that have not said a whole hello, and of those the oldest.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from partisan_actors.errors import ProtocolError
from partisan_actors.transport.connection import Connection

__all__ = ["HALF_OPEN_MAX", "HalfOpen", "half_open_max"]

HALF_OPEN_MAX: Final = 1024
# The part of them that goes at once, at the bound: finding out whom costs a look at each.
SHARE_EVICTED: Final = 16
# Their time passes in so many pieces.
PERIODS: Final = 15
CROWDED: Final = "too many connections that have not shaken hands"


def half_open_max() -> int:
    """HALF_OPEN_MAX, or half of the descriptors that this process may have, if that is less."""
    try:
        import resource
    except ImportError:  # not on every system
        return HALF_OPEN_MAX
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return HALF_OPEN_MAX if soft == resource.RLIM_INFINITY else max(SHARE_EVICTED, min(HALF_OPEN_MAX, soft // 2))


class HalfOpen:
    """The accepted connections of one node that are not open yet: `most` of them at most, for `within_s` at most."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int, within_s: float) -> None:
        self._loop = loop
        self._most = most
        self._within_s = within_s
        # In the order in which they came.
        self._waiting: dict[Connection, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, connection: Connection) -> None:
        """One more was accepted. At the bound, others are aborted."""
        if len(self._waiting) >= self._most:
            self._evict()
        self._pass_period(connection, PERIODS)

    def discard(self, connection: Connection) -> None:
        """It is open, or gone."""
        timer = self._waiting.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def _pass_period(self, connection: Connection, left: int) -> None:
        # In pieces, for a loop that was stalled is not to blame others for it.
        if left:
            period_s = self._within_s / PERIODS
            self._waiting[connection] = self._loop.call_later(period_s, self._pass_period, connection, left - 1)
        else:
            del self._waiting[connection]
            connection.abort(ProtocolError(f"no handshake within {self._within_s:g} s"))

    def _evict(self) -> None:
        hosts = {connection: _host(connection) for connection in self._waiting}
        # Without a host are those of this very moment, which cannot be aborted yet, and streams in memory.
        counts = Counter(host for host in hosts.values() if host) or Counter(hosts.values())
        (crowd, _), *_ = counts.most_common(1)
        crowded = [connection for connection, host in hosts.items() if host == crowd]
        crowded.sort(key=lambda connection: connection.handshake.peer is not None)  # stable: the oldest come first
        for connection in crowded[: max(1, self._most // SHARE_EVICTED)]:
            self.discard(connection)
            connection.abort(ProtocolError(CROWDED))


def _host(connection: Connection) -> str:
    address = connection.remote_address
    return address[0] if address is not None else ""
