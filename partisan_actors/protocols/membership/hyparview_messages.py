"""What HyParView's nodes say to each other: the paper's messages, and two that it lacks (`NeighborReply`, `KeepAlive`).

Each end of a link numbers it. Here `link` is the number that the receiver gave, `own` the one that the sender gave.
`tag` is the sender's, for a place that the receiver may have reserved for it.
"""

from __future__ import annotations

from partisan_actors.messages import message
from partisan_actors.protocols.machine import Peer
from partisan_actors.values import dataclass

__all__ = [
    "Disconnect",
    "ForwardJoin",
    "Join",
    "KeepAlive",
    "Neighbor",
    "NeighborReply",
    "Shuffle",
    "ShuffleReply",
]


@message("hyparview.join")
@dataclass(frozen=True, slots=True)
class Join:
    """A newcomer asks its contact for a link and for walks that find it more."""

    own: int
    tag: str = ""


@message("hyparview.forward_join")
@dataclass(frozen=True, slots=True)
class ForwardJoin:
    """A random walk that looks for a neighbour for `newcomer`; `ttl` hops are left."""

    newcomer: Peer
    ttl: int


@message("hyparview.neighbor")
@dataclass(frozen=True, slots=True)
class Neighbor:
    """A request for a link. One of high priority is refused only where every place is reserved for others."""

    own: int
    high: bool
    tag: str = ""


@message("hyparview.neighbor_reply")
@dataclass(frozen=True, slots=True)
class NeighborReply:
    """The answer to `Join` and `Neighbor`; `own` is 0 in a refusal."""

    link: int
    accepted: bool
    own: int
    tag: str = ""


@message("hyparview.disconnect")
@dataclass(frozen=True, slots=True)
class Disconnect:
    """The sender does not hold this link (any more); `leaving` when it is not in the overlay at all."""

    link: int
    leaving: bool


@message("hyparview.keep_alive")
@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The sender holds this link. Answered only by one that does not."""

    link: int
    own: int


@message("hyparview.shuffle")
@dataclass(frozen=True, slots=True)
class Shuffle:
    """A random walk that carries some of `origin`'s peers, to be exchanged where it stops."""

    origin: Peer
    ttl: int
    peers: tuple[Peer, ...]


@message("hyparview.shuffle_reply")
@dataclass(frozen=True, slots=True)
class ShuffleReply:
    """The other half of the exchange, straight to the origin of the shuffle."""

    peers: tuple[Peer, ...]
