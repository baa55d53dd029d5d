"""What nodes say to each other in Plumtree."""

from __future__ import annotations

from partisan_actors.messages import Carried, message
from partisan_actors.protocols.machine import Peer
from partisan_actors.values import dataclass

__all__ = ["Announce", "Gossip", "Graft", "Have", "IHave", "Lately", "Prune"]


@message("plumtree.gossip")
@dataclass(frozen=True, slots=True)
class Gossip:
    """A payload on its way. `hops` is the number of links crossed on arrival: 1 at the origin's neighbours."""

    origin: Peer
    counter: int
    topic: str
    hops: int
    payload: Carried


@message("plumtree.ihave")
@dataclass(frozen=True, slots=True)
class IHave:
    """The sender holds these messages: (origin, counter, hops its Gossip would carry)."""

    announcements: tuple[tuple[Peer, int, int], ...]


@message("plumtree.have")
@dataclass(frozen=True, slots=True)
class Have:
    """The sender holds these messages too, (origin, counter): they need not be announced to it again."""

    message_ids: tuple[tuple[Peer, int], ...]


@message("plumtree.prune")
@dataclass(frozen=True, slots=True)
class Prune:
    """Stop sending me payloads of the tree of `root`, announce them: I get them from somebody else."""

    root: Peer


@message("plumtree.graft")
@dataclass(frozen=True, slots=True)
class Graft:
    """Send me payloads of the tree of `root` from now on, and now its message of that counter, unless it is None."""

    root: Peer
    wanted: int | None


@message("plumtree.announce")
@dataclass(frozen=True, slots=True)
class Announce:
    """Whether the sender wants announcements of the receiver: see `announcers`."""

    wanted: bool


@message("plumtree.lately")
@dataclass(frozen=True, slots=True)
class Lately:
    """To a new neighbour: the sender holds these messages, which came before they were neighbours.

    Each run is (origin, first counter, last counter, most hops that its Gossips would carry, seconds since the last
    of them came).
    """

    runs: tuple[tuple[Peer, int, int, int, float], ...]
