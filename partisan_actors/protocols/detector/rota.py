"""Whose turn it is to be pinged: a list gone through in order, and shuffled after each pass (SWIM, section 4.3)."""

from __future__ import annotations

import random

from partisan_actors.protocols.machine import Peer

__all__ = ["Rota"]


class Rota:
    """Peers in the order of their turns. Two turns of a peer are at most 2n - 1 turns apart, n being their number."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._order: list[Peer] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._order)

    @property
    def upcoming(self) -> Peer | None:
        """Whose turn is next."""
        return self._order[self._next] if self._order else None

    def add(self, peer: Peer) -> None:
        """A newcomer takes its turn at a random place of the pass, which may be over for it."""
        place = self._rng.randint(0, len(self._order))
        self._order.insert(place, peer)
        if place < self._next:
            self._next += 1

    def remove(self, peer: Peer) -> None:
        """That peer has no more turns. Raises ValueError when it had none."""
        place = self._order.index(peer)
        del self._order[place]
        if place < self._next:
            self._next -= 1
        self._begin_pass_at_end()

    def take(self) -> Peer | None:
        """Take the next turn."""
        if not self._order:
            return None
        peer = self._order[self._next]
        self._next += 1
        self._begin_pass_at_end()
        return peer

    def hurry(self, peer: Peer) -> None:
        """Let `peer` be next; nobody loses a turn by that. Raises ValueError when it has none."""
        place = self._order.index(peer)
        if place < self._next:  # it had its turn in this pass, and gets one more
            self._next -= 1
        self._order.insert(self._next, self._order.pop(place))

    def some(self, count: int, without: set[Peer]) -> list[Peer]:
        """Up to `count` peers at random, none of `without`."""
        drawn = self._rng.sample(self._order, min(len(self._order), count + len(without)))
        return [peer for peer in drawn if peer not in without][:count]

    def _begin_pass_at_end(self) -> None:
        if self._next >= len(self._order):
            self._next = 0
            self._rng.shuffle(self._order)
