"""Full mesh: every node is the neighbour of every other one. For clusters of some tens of nodes.

A node that learns something new about the members tells all its neighbours (n messages from each of n nodes for every
join and leave), and nobody says anything once all know the same. The rules:

1. Whoever is in the `MemberSet` is a neighbour, unless it failed. A failed one is tried again with back-off; when it
   is reached, both ends tell each other all they know, so that nothing said in between is missed.
2. A member that was tried `redial.tries_max` times is removed, for everybody. One that is alive after all, and hears
   that it is removed, adds itself again.
3. A member that another one evicts is removed for everybody, and leaves when it is told.
4. A node that left answers whoever asks that it is gone. Both halves of a cluster that was split for so long that they
   removed each other stay apart until someone joins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

from partisan_actors.messages import message
from partisan_actors.protocols.machine import (
    CancelTimer,
    Connect,
    Disconnect,
    Effect,
    Evicted,
    NeighbourDown,
    NeighbourUp,
    Peer,
    Send,
)
from partisan_actors.protocols.membership.collecting import REDIAL, Collecting
from partisan_actors.protocols.membership.member_set import Change, MemberSet
from partisan_actors.protocols.membership.redial import Redial, RedialOptions
from partisan_actors.protocols.membership.strategy import Evict

__all__ = ["FullMesh", "FullMeshOptions", "Members"]


@message("full_mesh.members")
@dataclass(frozen=True, slots=True)
class Members:
    """Entries of the sender's `MemberSet`: peers and, at the same places, their lengths. `answer` with all of yours."""

    peers: tuple[Peer, ...]
    lengths: tuple[int, ...]
    answer: bool


@dataclass(frozen=True, slots=True)
class FullMeshOptions:
    """How long failed members are tried, and how many removed ones are remembered."""

    redial: RedialOptions = field(default_factory=lambda: RedialOptions(peers_max=1024))
    removed_max: int = 128


class FullMesh(Collecting):
    """One node's full mesh (a `MembershipStrategy`). `me` is its id in the others' eyes."""

    messages: ClassVar[tuple[type, ...]] = (Members, Evict)
    options_type: ClassVar[type] = FullMeshOptions

    def __init__(self, me: Peer, options: FullMeshOptions, rng: Random) -> None:
        super().__init__()
        self.me = me
        self.options = options
        self._redial = Redial(options.redial, rng)
        self._members = MemberSet(options.removed_max)
        self._neighbours: dict[Peer, None] = {}
        self._running = False
        self._length = 0  # of the last entry this node made about itself, also while it is out

    @property
    def neighbours(self) -> Sequence[Peer]:
        """Every member that is not known to have failed, in the order in which they came."""
        return list(self._neighbours)

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        """All members but this node, and those among them that are being tried again."""
        members = [peer for peer in self._members.members if peer != self.me]
        return {"members": members, "failed": [peer for peer in members if peer not in self._neighbours]}

    def start(self, now: float) -> list[Effect]:
        """Become a cluster of one."""
        if not self._running:
            self._running = True
            self._length = self._members.add(self.me, self._length)[1]
        return self._answer()

    def join(self, contact: Peer, now: float) -> list[Effect]:
        """Exchange members with `contact`, again with back-off until it answers. Starts a node that left."""
        effects = self.start(now)
        if contact != self.me and contact not in self._neighbours:
            self._send_all(contact, answer=True)
            self._try_later(contact, now)
        return effects + self._answer()

    def leave(self, now: float) -> list[Effect]:
        """Tell the neighbours that this node is removed, and forget them."""
        self._running = False
        if (gone := self._members.remove(self.me)) is not None:
            self._length = gone[1]
            self._tell([gone])
        for peer in list(self._neighbours):
            self._drop(peer, failed=False)
        self._members = MemberSet(self.options.removed_max)
        self._redial.clear()
        self._effects.append(CancelTimer(REDIAL))
        return self._answer()

    def evict(self, peer: Peer, now: float) -> list[Effect]:
        """Remove `peer` for everybody, and tell it to leave. See `strategy.Evicting`."""
        if peer != self.me and (gone := self._members.remove(peer)) is not None:
            self._send(peer, Evict())  # before the news, which it would contradict
            self._apply([Change(*gone, former=peer)], self.me)
        return self._answer()

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        """Handle one of `messages`; anything else is ignored. Only a member is obeyed when it evicts."""
        if isinstance(message, Evict) and self._running and sender in self._members:
            return [*self.leave(now), Evicted(sender)]
        if not isinstance(message, Members):
            return []
        if not self._running:
            wanted = message.answer and self._length > 0
            return [Send(sender, _members([(self.me, self._length)], answer=False))] if wanted else []
        changes = self._members.merge(zip(message.peers, message.lengths, strict=False))
        self._redial.discard(sender)
        if sender in self._members:  # first, so that it hears it if this node has to add itself again
            self._up(sender)
        self._apply(changes, sender)
        if message.answer:
            self._send_all(sender, answer=False)
        return self._answer()

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        """A connection alone means nothing here: a failed member is back when it speaks."""
        return []

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        """A neighbour failed: it is tried again later."""
        if peer in self._neighbours:
            self._drop(peer, failed=True)
            self._try_later(peer, now)
        return self._answer()

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        """Try those whose time has come, and remove those whose tries are used up."""
        for peer in self._redial.due(now) if name == REDIAL else ():
            if peer in self._redial:
                self._send_all(peer, answer=True)
            elif (gone := self._members.remove(peer)) is not None:
                self._tell([gone])
        self._set_redial_timer(now)
        return self._answer()

    def _apply(self, changes: list[Change], sender: Peer) -> None:
        for change in changes:
            if change.present and change.peer not in self._redial:
                self._up(change.peer)
        # Before the drops: whoever is removed and yet alive will contradict.
        self._tell([(change.peer, change.length) for change in changes], excluding=sender)
        if any(change.peer == self.me for change in changes) and self.me not in self._members:
            self._length = self._members.add(self.me)[1]
            self._tell([(self.me, self._length)])
        for change in changes:
            if change.former is not None and (change.former != change.peer or not change.present):
                self._redial.discard(change.former)
                self._drop(change.former, failed=change.former != change.peer)

    def _up(self, peer: Peer) -> None:
        self._redial.discard(peer)
        if peer != self.me and peer not in self._neighbours:
            self._neighbours[peer] = None
            self._effects += [Connect(peer), NeighbourUp(peer)]

    def _drop(self, peer: Peer, *, failed: bool) -> None:
        if peer in self._neighbours:
            del self._neighbours[peer]
            self._effects += [NeighbourDown(peer, failed), Disconnect(peer)]

    def _try_later(self, peer: Peer, now: float) -> None:
        self._redial.add(peer, now)
        self._set_redial_timer(now)

    def _tell(self, entries: Sequence[tuple[Peer, int]], excluding: Peer = None) -> None:
        if entries:
            # Its own entry goes with all it says: who learned of this node is not always alive to pass it on.
            news = _members([(self.me, self._length), *entries], answer=False)
            self._effects += [Send(peer, news) for peer in self._neighbours if peer != excluding]

    def _send_all(self, peer: Peer, *, answer: bool) -> None:
        self._send(peer, _members(self._members.entries(), answer=answer))


def _members(entries: Sequence[tuple[Peer, int]], *, answer: bool) -> Members:
    return Members(tuple(peer for peer, _ in entries), tuple(length for _, length in entries), answer)
