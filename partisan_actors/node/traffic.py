"""How much has gone over a node's channels: what its connections count, and what those had counted that are no more."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from partisan_actors.node.router import Peer, Router, lane_of
from partisan_actors.transport.connection import Connection

__all__ = ["Traffic", "Traffics"]


class Traffic:
    """That of one channel, or of one channel with one peer."""

    __slots__ = (
        "lanes",
        "oldest_wait_s",
        "queued_bytes",
        "queued_messages",
        "received_bytes",
        "received_messages",
        "reconnects",
        "sent_bytes",
        "sent_messages",
    )

    def __init__(self) -> None:
        self.lanes = self.reconnects = 0
        self.sent_bytes = self.received_bytes = self.sent_messages = self.received_messages = 0
        self.queued_messages = self.queued_bytes = 0
        self.oldest_wait_s = 0.0

    def add(self, connection: Connection) -> None:
        """Count what that connection, or its session, has carried."""
        self.sent_bytes += connection.bytes_out
        self.received_bytes += connection.bytes_in
        self.sent_messages += connection.messages_out
        self.received_messages += connection.messages_in

    def add_all(self, other: Traffic) -> None:
        """Count what is counted there."""
        for name in self.__slots__:
            if name != "oldest_wait_s":
                setattr(self, name, getattr(self, name) + getattr(other, name))
        self.oldest_wait_s = max(self.oldest_wait_s, other.oldest_wait_s)

    @property
    def is_used(self) -> bool:
        """Whether there is anything to tell."""
        return any(getattr(self, name) for name in self.__slots__)

    def plain(self) -> dict[str, int | float]:
        """Everything by name."""
        return {name: getattr(self, name) for name in self.__slots__}


class Traffics:
    """That of one node."""

    def __init__(self, router: Router) -> None:
        self._router = router
        # Of connections that are closed: by channel, and by peer and channel, for as long as the peer is known.
        self._closed: dict[str, Traffic] = {}
        self._closed_with: WeakKeyDictionary[Peer, dict[str, Traffic]] = WeakKeyDictionary()

    def closed(self, connection: Connection) -> None:
        """That connection is gone, and its session with it."""
        for traffic in self._past(connection):
            traffic.add(connection)

    def resumed(self, connection: Connection) -> None:
        """A lane that was broken goes on."""
        for traffic in self._past(connection):
            traffic.reconnects += 1

    def _past(self, connection: Connection) -> tuple[Traffic, Traffic]:
        channel, _ = lane_of(connection)
        known = self._router.peers.get(connection.peer.node)
        with_peer = self._closed_with.setdefault(known, {}) if known is not None else {}
        return self._closed.setdefault(channel, Traffic()), with_peer.setdefault(channel, Traffic())

    def rows(self) -> Iterator[tuple[str, Peer, Traffic]]:
        """Channel, peer, and what has gone between since the peer is known."""
        peers = self._router.peers
        for peer in [each for each in self._closed_with if peers.get(each.node) is not each]:
            del self._closed_with[peer]
        for peer in list(peers.values()):
            found = _now(peer)
            for channel, traffic in self._closed_with.get(peer, {}).items():
                found[channel].add_all(traffic)
            yield from ((channel, peer, traffic) for channel, traffic in found.items() if traffic.is_used)

    def by_channel(self) -> dict[str, Traffic]:
        """That of each channel, with every peer that ever was."""
        totals = {channel: Traffic() for channel in self._router.me.lanes}
        for found in (self._closed, *map(_now, list(self._router.peers.values()))):
            for channel, traffic in found.items():
                totals[channel].add_all(traffic)
        return totals


def _now(peer: Peer) -> dict[str, Traffic]:
    """What the connections to `peer` that are open count, and what waits for them, by channel."""
    found = {channel: Traffic() for channel in peer.lanes}
    for connection in peer.open:
        traffic = found[lane_of(connection)[0]]
        traffic.add(connection)
        messages, size = connection.backlog
        traffic.lanes += not connection.is_suspended
        traffic.queued_messages += messages
        traffic.queued_bytes += size
        traffic.oldest_wait_s = max(traffic.oldest_wait_s, connection.oldest_wait_s)
    for (channel, _), waiting in peer.waiting.items():
        found[channel].queued_messages += len(waiting)
        found[channel].queued_bytes += sum(len(message) for message, _ in waiting)
    return found
