"""Answers go on the channels of their calls: who stands for a peer that has called on a channel of the user's.

Whoever answers a call knows the peer that it came from, and sends on the peer's channel for calls. So the handlers of
what came on another channel are given an `OnChannel` in place of the peer: all that would go on "calls" goes on that
channel. Plain calls know nothing of it. What comes on a built-in channel is answered on "calls": "bulk" is there for
what is large, and what is sent on the others may be dropped, since protocols repair that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from partisan_actors.node.peer import Buffers, Peer, Pending
from partisan_actors.wire.channels import BUILT_IN, CALLS
from partisan_actors.wire.envelope import ASKS
from partisan_actors.wire.frames import Kind

__all__ = ["Answering", "OnChannel", "StandIn", "channel_of_answers", "peer_behind"]

Handler: TypeAlias = Callable[..., None]

# Messages of actors, and what may hold one. Whoever judges them wants to know the channel of all of them.
_OF_ACTORS: Final = frozenset(
    {*range(Kind.CALL, Kind.REPLY_ERROR + 1), Kind.TELL_ACKED, Kind.ACKED, Kind.IN_TURN, Kind.MAPPED}
)


def channel_of_answers(channel: str) -> str:
    """The channel for the answers to what comes on that one.

    >>> channel_of_answers("telemetry"), channel_of_answers("bulk")
    ('telemetry', 'calls')
    """
    return CALLS if channel in BUILT_IN else channel


def peer_behind(peer: Peer | StandIn) -> Peer:
    """The peer itself, if another one stands for it."""
    return peer.peer if isinstance(peer, StandIn) else peer


class StandIn:
    """Stands for a peer where it is answered. All but the sending is the peer's."""

    __slots__ = ("peer",)
    # There is no lane that a plain call could take at once.
    direct = None

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.peer, name)

    def __str__(self) -> str:
        return str(self.peer)


class OnChannel(StandIn):
    """What would go on the channel for calls goes on `channel`, plain answers of whoever was called on that `lane`."""

    __slots__ = ("channel", "lane")

    def __init__(self, peer: Peer, channel: str, lane: int | None) -> None:
        self.peer, self.channel, self.lane = peer, channel, lane

    @property
    def calls(self) -> Any:
        """What a plain answer is sent on, if that is known and open."""
        return None if self.lane is None else self.peer.lanes[self.channel][self.lane]

    @property
    def pending(self) -> dict[int, Pending]:
        """The peer's: looked up for each answer that arrives."""
        return self.peer.pending

    def send(self, message: bytes, channel: str = CALLS, affinity: int = 0) -> None:
        """As `Peer.send`."""
        self.peer.send(message, self._instead_of(channel), affinity)

    def send_large(self, message: bytes, buffers: Buffers, channel: str = CALLS, affinity: int = 0) -> None:
        """As `Peer.send_large`."""
        self.peer.send_large(message, buffers, self._instead_of(channel), affinity)

    def reply_large(self, message: bytes, buffers: Buffers, channel: str, affinity: int) -> None:
        """As `Peer.reply_large`."""
        self.peer.reply_large(message, buffers, self._instead_of(channel), affinity)

    def _instead_of(self, channel: str) -> str:
        return self.channel if channel == CALLS else channel


class Answering:
    """The handlers of one node for what comes on each channel. `dispatch` has them as they are; it may change."""

    def __init__(self, dispatch: list[Handler], lanes: Mapping[str, int]) -> None:
        self._dispatch = dispatch
        self._tables = {
            channel: [_handler(dispatch, kind, channel, count) for kind in range(Kind.COUNT)]
            for channel, count in lanes.items()
            if channel not in BUILT_IN
        }

    def dispatch_on(self, channel: str) -> list[Handler]:
        """The handlers of what comes on that channel, by the kind of the message."""
        return self._tables.get(channel, self._dispatch)


def _handler(dispatch: list[Handler], kind: int, channel: str, lanes: int) -> Handler:
    lane = 0 if lanes == 1 else None

    def as_it_is(*arrived: Any) -> None:
        dispatch[kind](*arrived)

    def from_channel(peer: Peer, *message: Any) -> None:
        dispatch[kind](OnChannel(peer, channel, lane), *message)

    def called(peer: Peer, message: list[Any], *buffers: Any) -> None:
        # The lane that all answers of this actor take: see `ActorSystem.outcome`.
        affinity = int.from_bytes(message[2][-4:], "big")
        dispatch[kind](OnChannel(peer, channel, affinity % lanes), message, *buffers)

    if kind not in _OF_ACTORS:
        return as_it_is
    return called if kind in ASKS and lanes > 1 else from_channel
