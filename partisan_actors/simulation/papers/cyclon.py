"""Cyclon, the baseline that HyParView's authors compared with: one view of random nodes, renewed by swapping entries.

After Voulgaris, Gavidia, van Steen, "CYCLON: Inexpensive Membership Management for Unstructured P2P Overlays" (2005),
with enhanced shuffling. It is here to be measured against and is no overlay to choose: its views are one-sided, so it
gives broadcast and relay no links to run over, and `neighbours` are those that it would send to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from partisan_actors.protocols.machine import Effect, Peer, Send

__all__ = ["Cyclon", "CyclonOptions", "Entries", "Introduce", "Swap"]


@dataclass(frozen=True, slots=True)
class CyclonOptions:
    """The sizes of HyParView's evaluation."""

    view_max: int = 35
    shuffle_length: int = 14
    walk_ttl: int = 5


@dataclass(frozen=True, slots=True)
class Introduce:
    """A random walk that looks for a view to put `newcomer` into; `ttl` hops are left."""

    newcomer: Peer
    ttl: int


@dataclass(frozen=True, slots=True)
class Swap:
    """Entries, with their ages, offered for as many of the receiver's."""

    entries: tuple[tuple[Peer, int], ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """The receiver's share of a swap, or what a newcomer gets for its place in a view."""

    entries: tuple[tuple[Peer, int], ...]


class Cyclon:
    """One node's Cyclon."""

    __slots__ = ("_offered", "_options", "_rng", "_view", "me")

    def __init__(self, me: Peer, options: CyclonOptions, rng: Random) -> None:
        self.me = me
        self._options = options
        self._rng = rng
        self._view: dict[Peer, int] = {}  # and each one's age in cycles
        self._offered: list[Peer] = []  # in the last swap; these give way to what comes back

    @property
    def neighbours(self) -> Sequence[Peer]:
        """The view."""
        return list(self._view)

    def start(self, now: float) -> list[Effect]:
        """Nothing to do: the caller says when it is time to shuffle."""
        return []

    def join(self, contact: Peer, now: float) -> list[Effect]:
        """Let `contact` send walks out, so many as a view has places."""
        return [Send(contact, Introduce(self.me, -1))]

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        """One of Cyclon's messages."""
        if isinstance(message, Introduce):
            return self._introduce(message)
        if isinstance(message, Swap):
            mine = self._draw(self._options.shuffle_length)
            answer = Entries(tuple((peer, self._view[peer]) for peer in mine))
            self._take(message.entries, mine)
            return [Send(sender, answer)]
        if isinstance(message, Entries):
            self._take(message.entries, self._offered)
            self._offered = []
        return []

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        """Says nothing here."""
        return []

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        """Forget it."""
        self._view.pop(peer, None)
        return []

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        """A cycle: everybody is a cycle older; the oldest gives up its place and is offered a swap."""
        view = self._view
        if not view:
            return []
        for peer in view:
            view[peer] += 1
        oldest = max(view, key=view.__getitem__)
        del view[oldest]
        self._offered = self._draw(self._options.shuffle_length - 1)
        return [Send(oldest, Swap(((self.me, 0), *((peer, view[peer]) for peer in self._offered))))]

    def _introduce(self, walk: Introduce) -> list[Effect]:
        peers = list(self._view)
        if walk.ttl < 0:  # straight from the newcomer
            onward = Introduce(walk.newcomer, self._options.walk_ttl - 1)
            targets = [self._rng.choice(peers) for _ in range(self._options.view_max)] if peers else []
            return [Send(peer, onward) for peer in targets] or self._give_place(walk.newcomer)
        if walk.ttl > 0 and peers:
            return [Send(self._rng.choice(peers), Introduce(walk.newcomer, walk.ttl - 1))]
        return self._give_place(walk.newcomer)

    def _give_place(self, newcomer: Peer) -> list[Effect]:
        """A swap of length one: the newcomer gets the entry whose place it takes, or this node if none has to go."""
        if newcomer == self.me or newcomer in self._view:
            return []
        given: tuple[Peer, int] = (self.me, 0)
        if len(self._view) >= self._options.view_max:
            peer = self._rng.choice(list(self._view))
            given = (peer, self._view.pop(peer))
        self._view[newcomer] = 0
        return [Send(newcomer, Entries((given,)))]

    def _draw(self, count: int) -> list[Peer]:
        peers = list(self._view)
        return self._rng.sample(peers, min(count, len(peers)))

    def _take(self, entries: Sequence[tuple[Peer, int]], giving_way: Sequence[Peer]) -> None:
        view, going = self._view, [peer for peer in giving_way if peer in self._view]
        for peer, age in entries:
            if peer == self.me or peer in view:
                continue
            if len(view) >= self._options.view_max:
                while going and going[-1] not in view:
                    going.pop()
                if not going:
                    return
                del view[going.pop()]
            view[peer] = age
