"""`Peer`: one life of one other node, as a sender sees it, and which of its lanes a message takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from partisan_actors.errors import NoRoute, PartisanError
from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.in_turn import in_turn, stream_of

if TYPE_CHECKING:
    from partisan_actors.ids import NodeId
    from partisan_actors.protocols.delivery.turns import Arrivals, Departures
    from partisan_actors.transport.connection import Connection
    from partisan_actors.transport.superseding import Waiting

__all__ = ["Buffers", "Peer", "Pending"]

Buffers = Sequence[Any]


class Pending(Protocol):
    """Somebody who waits for a reply from a peer."""

    def done(self) -> bool:
        """Whether the outcome is known."""
        ...

    def succeed(self, value: Any) -> None:
        """The reply is here."""
        ...

    def fail(self, error: BaseException) -> None:
        """The reply is an error, or none will come."""
        ...


class Ways(Protocol):
    """What a peer needs of the router."""

    # How large messages leave the lanes to others: see `interleaving`.
    send_apart: Callable[[Peer, bytes, Buffers, str, int], bool]
    channel_without_order: Callable[[Peer, Buffers, str], str]
    share: Callable[[Peer, bytes, Buffers, str, int, bool], bool]
    without_fallback: frozenset[str]

    def send_bound(self, peer: Peer, message: bytes, buffers: Buffers | None, channel: str, affinity: int) -> None:
        """Send what has a routing of its own."""
        ...

    def send_otherwise(self, peer: Peer, channel: str, index: int, message: bytes, buffers: Buffers | None) -> None:
        """There is no open connection for that lane."""
        ...


class Peer:
    """One life of one other node, and our connections to it."""

    __slots__ = (
        "__weakref__",
        "acked",
        "arrivals",
        "calls",
        "departures",
        "direct",
        "down",
        "is_held",
        "is_observer",
        "is_self",
        "lanes",
        "leaving",
        "node",
        "open",
        "pending",
        "relay_until",
        "router",
        "sent_code",
        "usable",
        "waiting",
        "was_dialled",
    )

    def __init__(self, node: NodeId, router: Ways, lanes: dict[str, int]) -> None:
        self.node = node
        self.router = router
        self.lanes: dict[str, list[Connection | None]] = {name: [None] * count for name, count in lanes.items()}
        # Of the channels of which it has fewer lanes than we, how many that are; 0 if it lacks the channel.
        self.usable: dict[str, int] = {}
        # The one lane of the calls channel, when it has only one: what a plain call looks at.
        self.calls: Connection | None = None
        # The same, but None while something large is under way: then it matters who sends what to whom.
        self.direct: Connection | None = None
        self.departures: Departures | None = None
        self.arrivals: Arrivals | None = None
        # The `Party` that `delivery` keeps of it, once something is to be acknowledged.
        self.acked: Any = None
        # Every open connection, those we only receive on too, the oldest first; and those being let go, each with the
        # time at which patience ends.
        self.open: list[Connection] = []
        self.leaving: dict[Connection, float] = {}
        self.pending: dict[int, Pending] = {}
        self.waiting: dict[tuple[str, int], Waiting] = {}
        self.sent_code: set[bytes] = set()
        self.down: str | None = None
        self.is_self = False
        self.is_held = False
        self.is_observer = False
        # Whether this node has ever got through to it, and not only the other way round.
        self.was_dialled = False
        self.relay_until = 0.0

    def __str__(self) -> str:
        return str(self.node)

    def send(self, message: bytes, channel: str = CALLS, affinity: int = 0) -> None:
        """Send one packed message; `affinity` picks the lane. Raises NodeDown and Overloaded."""
        if self.departures is not None:
            message = self._in_its_turn(message, channel, affinity)
        self.send_on(*self.lane_for(channel, affinity), message, None)

    def send_large(self, message: bytes, buffers: Buffers, channel: str = CALLS, affinity: int = 0) -> None:
        """Send one message with out-of-band buffers, in order with the others. Raises NodeDown and Overloaded."""
        if buffers and self.router.share(self, message, buffers, channel, affinity, True):
            return
        if buffers and self.router.send_apart(self, message, buffers, channel, affinity):
            return
        if self.departures is not None:
            message = self._in_its_turn(message, channel, affinity)
        self.send_on(*self.lane_for(channel, affinity), message, buffers or None)

    def reply_large(self, message: bytes, buffers: Buffers, channel: str, affinity: int) -> None:
        """Send one message with out-of-band buffers that has no order with others. Raises NodeDown and Overloaded."""
        if self.router.share(self, message, buffers, channel, affinity, False):
            return
        channel = self.router.channel_without_order(self, buffers, channel)
        self.send_on(*self.lane_for(channel, affinity), message, buffers)

    def send_on(self, channel: str, index: int, message: bytes, buffers: Buffers | None) -> None:
        """Send on that very lane. Raises NodeDown and Overloaded."""
        connection = self.lanes[channel][index]
        if connection is None:
            self.router.send_otherwise(self, channel, index, message, buffers)
        elif buffers is None:
            connection.send(message)
        else:
            connection.send_large(message, buffers)

    def send_newest(self, message: bytes, buffers: Buffers | None, channel: str, affinity: int, key: object) -> None:
        """Send one message in place of one of the same key that still waits. Raises NodeDown, NoRoute, Overloaded."""
        channel, index = self.lane_for(channel, affinity)
        connection = self.lanes[channel][index]
        if connection is not None:
            connection.send_newest(key, message, buffers)
            return
        waiting = self.waiting.get((channel, index))
        if waiting is not None and waiting.supersede(key, message, buffers):
            return
        self.send_on(channel, index, message, buffers)
        waiting = self.waiting.get((channel, index))
        if waiting is not None:
            waiting.places[key] = len(waiting) - 1

    def lane_for(self, channel: str, affinity: int) -> tuple[str, int]:
        """The lane that messages of that affinity take: always the same, whichever connections there are.

        Where the peer has fewer lanes than we, those of the missing ones move, and no others; where it lacks the
        channel, all go over "calls", or this raises NoRoute.
        """
        index = affinity % len(self.lanes[channel])
        usable = self.usable.get(channel)
        if usable is None:
            return channel, index
        if usable:
            return channel, index % usable
        if channel in self.router.without_fallback:
            raise NoRoute(str(self.node), f"it has no channel {channel!r}, for which there is to be no fallback")
        return CALLS, index % self.usable.get(CALLS, len(self.lanes[CALLS]))

    def _in_its_turn(self, message: bytes, channel: str, affinity: int) -> bytes:
        assert self.departures is not None
        stream = stream_of(channel, affinity)
        return in_turn(message, stream, 0) if stream in self.departures.streams else message

    def connections(self) -> list[Connection]:
        """Every connection we send on."""
        return [connection for lanes in self.lanes.values() for connection in lanes if connection is not None]

    @property
    def is_connected(self) -> bool:
        """Whether any lane is open."""
        return any(connection is not None for lanes in self.lanes.values() for connection in lanes)

    def fail_pending(self, error: Callable[[], PartisanError]) -> None:
        """Nothing that was asked of this peer will be answered."""
        pending, self.pending = self.pending, {}
        for waiting in pending.values():
            waiting.fail(error())
