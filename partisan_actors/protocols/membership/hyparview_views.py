"""HyParView's two views: which peers are in them, who may still enter, and who makes room.

Neither decides when: `hyparview` does, and tells the peers concerned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.hyparview_options import HyParViewOptions
from partisan_actors.protocols.view import View

__all__ = ["ActiveView", "Link", "PassiveView"]


@dataclass(slots=True)
class Link:
    """This end of a link: its number, the number of the other end, and what the peer there is."""

    own: int
    theirs: int
    tag: str = ""


class ActiveView(dict[Peer, Link]):
    """The links, in the order in which they were made; of its places, some may be reserved for peers of some tags.

    Of several peers with one tag, the first ones hold its reserved places. So when one of them goes, the next takes
    its place, and nobody has to write down who sits where.
    """

    __slots__ = ("_reservations", "size_max")

    def __init__(self, size_max: int, reservations: Mapping[str, int]) -> None:
        super().__init__()
        self.size_max = size_max
        self._reservations = reservations

    def free_places(self, tag: str = "") -> int:
        """How many peers with `tag` may enter before somebody has to go."""
        free = self.size_max - len(self)
        if self._reservations:
            free -= sum(count for reserved, count in self._unfilled().items() if reserved != tag)
        return free

    def reserved(self) -> list[Peer]:
        """The peers in reserved places, which are not to be dropped for others."""
        if not self._reservations:
            return []
        left = dict(self._reservations)
        held = []
        for peer, link in self.items():
            if left.get(link.tag, 0) > 0:
                left[link.tag] -= 1
                held.append(peer)
        return held

    def victim(self, rng: Random) -> Peer | None:
        """Who makes room for another, drawn evenly from those who may; None when every place is reserved."""
        held = self.reserved()
        others = [peer for peer in self if peer not in held] if held else list(self)
        return rng.choice(others) if others else None

    def _unfilled(self) -> dict[str, int]:
        left = dict(self._reservations)
        for link in self.values():
            if left.get(link.tag, 0) > 0:
                left[link.tag] -= 1
        return left


class PassiveView(View):
    """Peers to repair the active view from. Nobody enters who is `me`, or in `active`, or here already."""

    __slots__ = ("_active", "_me", "_offered", "_options", "_rng")

    def __init__(self, me: Peer, options: HyParViewOptions, active: ActiveView, rng: Random) -> None:
        super().__init__(options.passive_max)
        self._me = me
        self._options = options
        self._active = active
        self._rng = rng
        self._offered: tuple[Peer, ...] = ()

    def remember(self, peer: Peer) -> None:
        """Let `peer` in; when the view is full, a random one makes room."""
        if peer != self._me and peer not in self._active:
            self.admit((peer,), self._rng)

    def offer(self) -> tuple[Peer, ...]:
        """What to send in a shuffle: some peers of both views."""
        active = list(self._active)
        known = self._rng.sample(active, min(self._options.ka, len(active)))
        self._offered = (*known, *self.sample(self._rng, self._options.kp))
        return self._offered

    def exchange(self, origin: Peer, offered: Sequence[Peer]) -> tuple[Peer, ...]:
        """What to answer `origin` when its shuffle stops here: as many passive peers as came with it, `origin` too."""
        answer = tuple(self.sample(self._rng, 1 + len(offered)))
        self._integrate((origin, *offered), answer)
        return answer

    def settle(self, answer: Sequence[Peer]) -> None:
        """The answer to the last `offer` is here."""
        self._integrate(answer, self._offered)
        self._offered = ()

    def clear(self) -> None:
        """Forget every peer, and what was offered."""
        super().clear()
        self._offered = ()

    def _integrate(self, peers: Sequence[Peer], sent: Sequence[Peer]) -> None:
        me, active = self._me, self._active
        taken = peers[: 1 + self._options.ka + self._options.kp]
        self.admit([peer for peer in taken if peer != me and peer not in active], self._rng, giving_way=sent)
