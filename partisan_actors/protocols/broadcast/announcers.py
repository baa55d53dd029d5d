"""`Announcers`: which neighbours announce messages to a node, where there are more than it needs.

In a full mesh everybody is a lazy neighbour of everybody, and a broadcast among n nodes is announced n*n times. There a
node keeps `announcers_max` of those that announce to it, chosen by chance, and asks each of the others, once, to
announce nothing. When one of those that it keeps goes down, another one takes its place, and tells what came lately.
Rules kept here:

1. Only the receiver decides. A neighbour announces until it is asked not to, and again when the link is a new one.
2. With up to `announcers_max` neighbours, nobody is asked for anything.
3. Whoever loses a neighbour to which it sent payloads tells as many others, by chance, what came lately.

A part of the mesh that a message has not come to, as a node in between died, hears of it: a small part from announcers
outside, of which each of its nodes has some, a large one from the neighbours of the dead, by rule 3. Where links are
few, all ways to a part may lead through a single one, and that should announce: so this is for overlays in which
everybody is a neighbour of everybody.
"""

from __future__ import annotations

import random

from partisan_actors.protocols.machine import Peer

__all__ = ["Announcers"]


class Announcers:
    """Those of one node, and those to which it is none. None: as many as there are neighbours."""

    def __init__(self, announcers_max: int | None, rng: random.Random) -> None:
        self._max = announcers_max
        self._rng = rng
        self._kept: list[Peer] = []
        self._silenced: list[Peer] = []
        self._not_told: dict[Peer, None] = {}

    def tells(self, peer: Peer) -> bool:
        """Whether this node announces to `peer`."""
        return peer not in self._not_told

    def asked(self, peer: Peer, *, wanted: bool) -> None:
        """`peer` has said whether it wants announcements of this node."""
        if wanted:
            self._not_told.pop(peer, None)
        else:
            self._not_told[peer] = None

    def some_not_told(self) -> list[Peer]:
        """Some of those to which this node announces nothing, as many as announce to one."""
        count = len(self._not_told) if self._max is None else min(self._max, len(self._not_told))
        return self._rng.sample(list(self._not_told), count)

    def announced(self, peer: Peer) -> Peer | None:
        """The neighbour `peer` has announced something: who is to be asked to announce nothing more, if anybody."""
        if self._max is None or peer in self._kept:
            return None
        if peer in self._silenced:
            return peer  # it had not heard that yet, or has forgotten it with the link
        if len(self._kept) < self._max:
            self._kept.append(peer)
            return None
        # Each of those that ever announced is kept with the same probability.
        place = self._rng.randrange(len(self._kept) + len(self._silenced) + 1)
        if place < self._max:
            self._kept[place], peer = peer, self._kept[place]
        self._silenced.append(peer)
        return peer

    def down(self, peer: Peer) -> Peer | None:
        """`peer` is no neighbour any more: who is to be asked to announce again, if anybody."""
        self._not_told.pop(peer, None)
        if peer in self._silenced:
            self._silenced.remove(peer)
        if peer not in self._kept:
            return None
        self._kept.remove(peer)
        if not self._silenced:
            return None
        self._kept.append(self._silenced.pop(self._rng.randrange(len(self._silenced))))
        return self._kept[-1]
