"""Gathering: how news that may wait a moment comes to few nodes, which publish together what came to them.

News goes from neighbour to neighbour. Without knowing more, to the neighbour with the smallest id, until it comes to a
node that has no smaller one. So at first every sixth node or so publishes. Whoever receives what was published learns
who did that, and through which neighbour the way leads there; from then on it passes news on towards the smallest id
that published lately, or straight there where that neighbour is none any more. So there is soon one node that gathers
for all of them, and a thousand joins are some dozens of broadcasts.

That node may be slow, or down, and news lost on the way. What was handed to a node that turns out to be down is passed
on once more. And whoever has news of its own waits to see it published, and if that takes too long, forgets who gathers
and passes it on again by the first rule.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from partisan_actors.messages import message
from partisan_actors.protocols.broadcast.lww_map import Update
from partisan_actors.protocols.machine import Effect, Peer, Send, SetTimer

__all__ = ["MISSED_TIMER", "PUBLISH_TIMER", "Gather", "Gathering"]

PUBLISH_TIMER: Final = "publish"
MISSED_TIMER: Final = "missed"

# After so many hops, as between nodes that know different ones to gather for them, news is published where it is.
HOPS_MAX: Final = 16
# A node that has published nothing for so long is not believed to gather any more.
COLLECTOR_S: Final = 30.0
# Where much is published, news waits longer for company: twice as long for so many broadcasts of the last seconds.
CROWD: Final = 4
CROWD_S: Final = 2.0
CROWD_MAX: Final = 256
HANDED_MAX: Final = 256
# How long this node's own news may take to be published, and how much longer for each second that news is gathered.
PUBLISHED_S: Final = 5.0
PUBLISHED_S_PER_S: Final = 20.0
# A clock in whole nanoseconds may tell a time-out a little early.
ROUNDING_S: Final = 1e-6


@message("exchange.gather")
@dataclass(frozen=True, slots=True)
class Gather:
    """Entries to be published together with others, and how many nodes they have come by."""

    updates: tuple[Update, ...]
    hops: int = 0


class _Collector(NamedTuple):
    """Who publishes for others, the neighbour through which that came, and when it last did."""

    peer: Peer
    through: Peer
    at: float


class Gathering:
    """The news that waits at one node, and where other news goes. Effects: Send, SetTimer."""

    def __init__(self, me: Peer, wait_s_max: float, rng: random.Random) -> None:
        self._me = me
        self._rng = rng
        self._wait_s_max = wait_s_max
        self._collector: _Collector | None = None
        self._waiting: dict[str, Update] = {}
        # What was passed on and is not known to have been published, the last HANDED_MAX entries, and to whom.
        self._handed: dict[str, tuple[Update, Peer]] = {}
        self._published_at: deque[float] = deque(maxlen=CROWD_MAX)
        # This node's news that was not published yet, each with when it is missed.
        self._own: dict[str, tuple[Update, float]] = {}

    def add(self, updates: Sequence[Update], neighbours: Collection[Peer], wait_s: float, now: float) -> list[Effect]:
        """This node has news. `wait_s`: how long whoever publishes it lets other news come together."""
        late_s = (PUBLISHED_S + PUBLISHED_S_PER_S * wait_s) * self._rng.uniform(1.0, 1.5)
        effects: list[Effect] = [] if self._own else [SetTimer(MISSED_TIMER, late_s)]
        for update in updates:
            self._own[update.key] = (update, now + late_s)
        return effects + self._pass_on(updates, 0, None, neighbours, wait_s, now)

    def receive(
        self, sender: Peer, gather: Gather, neighbours: Collection[Peer], wait_s: float, now: float
    ) -> list[Effect]:
        """A neighbour passes news on."""
        return self._pass_on(gather.updates, gather.hops, sender, neighbours, wait_s, now)

    def published(self, origin: Peer, sender: Peer, updates: Iterable[object], now: float) -> None:
        """What `origin` published arrived first through the neighbour `sender`."""
        for update in updates:
            if not isinstance(update, Update):
                continue
            self._handed.pop(update.key, None)
            own = self._own.get(update.key)
            if own is not None and own[0].stamp <= update.stamp:
                del self._own[update.key]
        self._published_at.append(now)
        current = self._current(now)
        if current is None or origin <= current.peer:  # type: ignore[operator]  # peers are ordered
            self._collector = _Collector(origin, sender, now)

    def take(self, now: float) -> list[Update]:
        """What is to be published now."""
        self._published_at.append(now)
        taken, self._waiting = list(self._waiting.values()), {}
        for update in taken:
            self._own.pop(update.key, None)
        return taken

    def missed(self, neighbours: Collection[Peer], wait_s: float, now: float) -> list[Effect]:
        """It is time to look whether this node's news was published."""
        missed = [update for update, at in self._own.values() if at <= now + ROUNDING_S]
        for update in missed:
            del self._own[update.key]
        rest = [at for _, at in self._own.values()]
        effects: list[Effect] = [SetTimer(MISSED_TIMER, max(0.0, min(rest) - now))] if rest else []
        missed = [update for update in missed if update.key not in self._waiting]
        if not missed:
            return effects
        self._collector = None
        return effects + self._pass_on(missed, 0, None, neighbours, wait_s, now)

    def unreachable(self, peer: Peer, neighbours: Collection[Peer], wait_s: float, now: float) -> list[Effect]:
        """`peer` is down, or cannot be reached: nothing is gathered there, and what it was handed goes elsewhere."""
        if self._collector is not None and self._collector.peer == peer:
            self._collector = None
        lost = [update for update, to in self._handed.values() if to == peer]
        for update in lost:
            del self._handed[update.key]
        return self._pass_on(lost, 0, peer, neighbours, wait_s, now) if lost else []

    def clear(self) -> None:
        """Forget all news."""
        self._handed.clear()
        self._waiting.clear()
        self._own.clear()
        self._collector = None

    def _pass_on(
        self,
        updates: Sequence[Update],
        hops: int,
        sender: Peer | None,
        neighbours: Collection[Peer],
        wait_s: float,
        now: float,
    ) -> list[Effect]:
        onward = self._onward(sender, neighbours, now) if hops < HOPS_MAX else None
        if onward is not None:
            self._remember(updates, onward)
            return [Send(onward, Gather(tuple(updates), hops + 1))]
        effects: list[Effect] = [] if self._waiting else [SetTimer(PUBLISH_TIMER, self._longer(wait_s, now))]
        for update in updates:
            self._waiting[update.key] = update
        return effects

    def _remember(self, updates: Sequence[Update], handed_to: Peer) -> None:
        for update in updates:
            self._handed.pop(update.key, None)
            self._handed[update.key] = (update, handed_to)
            if len(self._handed) > HANDED_MAX:
                del self._handed[next(iter(self._handed))]

    def _onward(self, sender: Peer | None, neighbours: Collection[Peer], now: float) -> Peer | None:
        """Where news goes next; None: it stays here."""
        others = [peer for peer in neighbours if peer != sender]
        smallest = min(others, default=self._me)  # type: ignore[type-var]  # peers are ordered
        collector = self._current(now)
        best = min((smallest, self._me))  # type: ignore[type-var]  # peers are ordered
        if collector is not None and collector.peer < best:  # type: ignore[operator]  # peers are ordered
            # Where the way is not known any more, since neighbours come and go, straight there.
            return collector.through if collector.through in others else collector.peer
        return smallest if smallest < self._me else None  # type: ignore[operator]  # peers are ordered

    def _longer(self, wait_s: float, now: float) -> float:
        """How long news waits here for other news."""
        published_at = self._published_at
        while published_at and published_at[0] < now - CROWD_S:
            published_at.popleft()
        return min(wait_s * (1 + len(published_at) / CROWD), max(wait_s, self._wait_s_max))

    def _current(self, now: float) -> _Collector | None:
        collector = self._collector
        return collector if collector is not None and now - collector.at < COLLECTOR_S else None
