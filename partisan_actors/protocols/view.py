"""A bounded set of peers with random choice, in which every answer is repeatable from the seed.

Iteration follows insertion. Add, remove, membership and an unrestricted choice take constant time; a sample takes
time in proportion to the view at most. Not to be changed while it is iterated.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from random import Random

from partisan_actors.protocols.machine import Peer

__all__ = ["View"]


class View:
    """At most `size_max` peers, each once. Whoever adds to a full view decides first who goes."""

    __slots__ = ("_peers", "_places", "size_max")

    def __init__(self, size_max: int, peers: Iterable[Peer] = ()) -> None:
        """Raises ValueError when `size_max` is negative, or when `peers` are more than it."""
        if size_max < 0:
            raise ValueError(f"size_max = {size_max!r} is not valid: expected an int of at least 0")
        self.size_max = size_max
        self._peers: list[Peer] = []  # in no particular order: a removed peer's place is taken by the last one
        self._places: dict[Peer, int] = {}  # in order of insertion: where in `_peers` each one is
        for peer in peers:
            self.add(peer)

    def __len__(self) -> int:
        return len(self._peers)

    def __contains__(self, peer: object) -> bool:
        return peer in self._places

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._places)

    def __repr__(self) -> str:
        return f"View({self.size_max}, {list(self)!r})"

    @property
    def is_full(self) -> bool:
        """Whether an `add` of another peer would be refused."""
        return len(self._peers) >= self.size_max

    def add(self, peer: Peer) -> bool:
        """Whether `peer` is new here. Raises ValueError when it is and the view is full."""
        if peer in self._places:
            return False
        if self.is_full:
            raise ValueError(f"a view of {self.size_max} peers has no place for {peer!r}")
        self._places[peer] = len(self._peers)
        self._peers.append(peer)
        return True

    def discard(self, peer: Peer) -> bool:
        """Whether `peer` was here; it no longer is."""
        place = self._places.pop(peer, None)
        if place is None:
            return False
        last = self._peers.pop()
        if place < len(self._peers):
            self._peers[place] = last
            self._places[last] = place
        return True

    def clear(self) -> None:
        """Forget every peer."""
        self._peers.clear()
        self._places.clear()

    def choice(self, rng: Random, excluding: Container[Peer] = ()) -> Peer | None:
        """A peer drawn evenly from those not in `excluding`, or None when there is none."""
        if not self._peers:
            return None
        # Most draws are not excluded: one try at constant cost. A second draw among the rest keeps it even.
        drawn = self._peers[int(rng.random() * len(self._peers))]
        if drawn not in excluding:
            return drawn
        rest = [peer for peer in self._peers if peer not in excluding]
        return rest[int(rng.random() * len(rest))] if rest else None

    def sample(self, rng: Random, count: int) -> list[Peer]:
        """`count` different peers drawn evenly, or all of them in random order when there are fewer."""
        drawn, random = self._peers.copy(), rng.random
        held = len(drawn)
        count = min(count, held)
        for place in range(count):  # the first steps of a shuffle: a fifth of what `rng.sample` takes
            other = place + int(random() * (held - place))
            drawn[place], drawn[other] = drawn[other], drawn[place]
        del drawn[count:]
        return drawn

    def admit(self, peers: Iterable[Peer], rng: Random, giving_way: Iterable[Peer] = ()) -> None:
        """Add those of `peers` that are new. In a full view the last of `giving_way` goes for it, else a random peer.

        A view without places stays empty.
        """
        if not self.size_max:
            return
        held, places = self._peers, self._places
        going = [peer for peer in giving_way if peer in places]
        for peer in peers:
            if peer in places:
                continue
            if len(held) < self.size_max:
                places[peer] = len(held)
                held.append(peer)
                continue
            place = places[going.pop()] if going else int(rng.random() * len(held))
            del places[held[place]]
            places[peer] = place
            held[place] = peer
