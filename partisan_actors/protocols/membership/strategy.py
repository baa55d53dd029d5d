"""`MembershipStrategy`: the one interface behind which every overlay lives, ours and the user's own alike.

A strategy is a pure machine (see `protocols.machine`). Upper layers learn of it only through the effects
`NeighbourUp` and `NeighbourDown`: broadcast, relay, monitoring and placement run over any strategy that emits these
two truthfully. The rules a strategy keeps:

1. `NeighbourUp(p)` and `NeighbourDown(p)` alternate for each p, starting with up; `neighbours` lists exactly the
   peers that are up, in an order that depends only on the inputs.
2. It holds a connection (`Connect`) to every neighbour and lets go (`Disconnect`) of every peer that stops being one.
3. It never emits an effect for itself as a peer.
4. A `peer_down(p)` for a neighbour answers with `NeighbourDown(p, failed=True)`.
5. Randomness comes from the `random.Random` it was constructed with and from nowhere else.

A strategy is made as `Class(me, options, rng)`. Its class attribute `messages` is the tuple of its message classes, and
`options_type` the class of its options; `joins`, if it has that, the messages by which a newcomer asks to be taken in,
which a busy node lets wait. `JoinRefused` tells whoever asked to join that it will not come about.
What a strategy may offer beside that is `Superseding` and `Evicting`.
`partisan_actors.testing.conformance` tries the rules, and what a strategy claims beyond them, on any strategy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from partisan_actors.messages import message
from partisan_actors.protocols.machine import Effect, Peer
from partisan_actors.values import dataclass

__all__ = ["Evict", "Evicting", "MembershipStrategy", "Superseding"]


@message("membership.evict")
@dataclass(frozen=True, slots=True)
class Evict:
    """The sender has removed you: leave."""


@runtime_checkable
class MembershipStrategy(Protocol):
    """Decides who is whose neighbour. Every method but the two properties answers with effects."""

    def start(self, now: float) -> list[Effect]:
        """The node is up and knows nobody yet: set the periodic timers."""
        ...

    def join(self, contact: Peer, now: float) -> list[Effect]:
        """Enter the overlay that `contact` is in. May be called again, with other contacts, at any time."""
        ...

    def leave(self, now: float) -> list[Effect]:
        """Tell the others that this node goes, and forget them. `start` and `join` may follow."""
        ...

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        """One of this strategy's messages arrived from `sender`."""
        ...

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        """A connection to `peer` is open, whoever opened it. It does not make `peer` a neighbour."""
        ...

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        """`peer` could not be reached, its connection broke, or the failure detector gave it up."""
        ...

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        """A timer this strategy set ran out."""
        ...

    @property
    def neighbours(self) -> Sequence[Peer]:
        """The peers that broadcast and relay run over now, in a repeatable order."""
        ...

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        """Every view by its name, for people to look at: ``{"active": [...], "passive": [...]}``."""
        ...


@runtime_checkable
class Superseding(Protocol):
    """What a strategy may offer beside `MembershipStrategy`: to follow a node from one life into the next.

    One that does not is told `peer_down` of the former life, and may try that one again in vain.
    """

    def supersede(self, former: Peer, later: Peer, now: float) -> list[Effect]:
        """The node whose life was `former` has started another one, `later`.

        Nothing is left of `former`: it is no neighbour, in no view, and neither tried nor told anything. Where not that
        life was meant but the node (a contact that is remembered, a configured link), `later` is meant from now on.
        """
        ...


@runtime_checkable
class Evicting(Protocol):
    """What a strategy may offer beside `MembershipStrategy`: its own way to remove another node from the overlay.

    Where it has none, the evicted node is sent `Evict`, and leaves as by `leave`.
    """

    def evict(self, peer: Peer, now: float) -> list[Effect]:
        """Remove `peer` for everybody; nothing happens when it is not a member.

        `peer` itself, if it can be told, leaves with the effect `Evicted`. One that cannot be told is removed until it
        speaks again.
        """
        ...
