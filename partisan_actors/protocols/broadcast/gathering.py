"""Gathering: how news that may wait a moment comes to few nodes, which publish together what came to them.

News goes from neighbour to neighbour. Whoever receives what was published learns who did that, and through which
neighbour the way leads there; it passes news on towards the smallest id that published lately, or straight there where
that neighbour is none any more. So there is one node that gathers for all of them, and a thousand joins are some dozens
of broadcasts. A newcomer has seen nothing published, and leaves its news to its oldest neighbour, who may know more.
Where nothing was published lately, news goes to the neighbour with the smallest id, until it comes to a node that has
no smaller one. That one publishes it after a while, unless it has heard of a better one by then.

That node may be slow, or down, and news lost on the way. What was handed to a node that turns out to be down is passed
on once more. And whoever has news of its own waits to see it published: if that takes too long, it gives it to a
neighbour at random, who may know another way; and if that does not help, it forgets who gathers.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from partisan_actors.messages import message
from partisan_actors.protocols.broadcast.lww_map import Update
from partisan_actors.protocols.machine import Effect, Peer, Send, SetTimer
from partisan_actors.values import dataclass

__all__ = ["MISSED_TIMER", "PUBLISH_TIMER", "Gather", "Gathering"]

PUBLISH_TIMER: Final = "publish"
MISSED_TIMER: Final = "missed"

# After so many hops, as in a circle of nodes that learnt the way from different broadcasts, news goes straight to
# whoever gathers, if that is known; and after so many it is published where it is.
STRAIGHT_HOPS: Final = 8
HOPS_MAX: Final = 16
# How long news waits at least where nothing was seen published yet: a newcomer soon hears of those who were there.
NEWCOMER_S: Final = 0.25
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


class _Own(NamedTuple):
    """News of this node, when it is missed, and whether it has been before."""

    update: Update
    at: float
    was_missed: bool


class Gathering:
    """The news that waits at one node, and where other news goes. Effects: Send, SetTimer."""

    def __init__(self, me: Peer, wait_s_max: float, rng: random.Random, *, neighbours_only: bool = False) -> None:
        """With `neighbours_only` nothing goes straight to a node that is no neighbour."""
        self._me = me
        self._neighbours_only = neighbours_only
        self._rng = rng
        self._wait_s_max = wait_s_max
        self._collector: _Collector | None = None
        self._waiting: dict[str, Update] = {}
        # What was passed on and is not known to have been published, the last HANDED_MAX entries, and to whom.
        self._handed: dict[str, tuple[Update, Peer]] = {}
        self._published_at: deque[float] = deque(maxlen=CROWD_MAX)
        self._is_new = True  # whether this node has seen nothing published
        self._hops = 0  # the most by which what waits here has come
        # This node's news that was not published yet.
        self._own: dict[str, _Own] = {}

    def add(self, updates: Sequence[Update], neighbours: Collection[Peer], wait_s: float, now: float) -> list[Effect]:
        """This node has news. `wait_s`: how long whoever publishes it lets other news come together."""
        is_first = not self._own
        late_s = self._expect(updates, wait_s, now, was_missed=False)
        effects: list[Effect] = [SetTimer(MISSED_TIMER, late_s)] if is_first else []
        return effects + self._pass_on(updates, 0, None, neighbours, wait_s, now)

    def _expect(self, updates: Iterable[Update], wait_s: float, now: float, *, was_missed: bool) -> float:
        """Seconds in which this news of this node is to be published."""
        late_s = (PUBLISHED_S + PUBLISHED_S_PER_S * wait_s) * self._rng.uniform(1.0, 1.5)
        for update in updates:
            self._own[update.key] = _Own(update, now + late_s, was_missed)
        return late_s

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
            if own is not None and own.update.stamp <= update.stamp:
                del self._own[update.key]
        self._was_published(origin, sender, now)

    def _was_published(self, origin: Peer, sender: Peer, now: float) -> None:
        self._is_new = False
        self._published_at.append(now)
        current = self._current(now)
        if current is None or origin <= current.peer:  # type: ignore[operator]  # peers are ordered
            self._collector = _Collector(origin, sender, now)

    def collector(self, now: float) -> tuple[Peer | None, float]:
        """Who gathers, as far as this node knows, and how many seconds ago that one published last."""
        current = self._current(now)
        return (None, 0.0) if current is None else (current.peer, now - current.at)

    def heard_of(self, collector: Peer, age_s: float, sender: Peer, now: float) -> None:
        """The neighbour `sender` says who gathers, which it has known for so long."""
        current = self._current(now)
        is_better = current is None or collector < current.peer  # type: ignore[operator]  # peers are ordered
        if collector != self._me and is_better:
            self._collector = _Collector(collector, sender, now - max(0.0, age_s))
            self._is_new = False

    def hand_over(self, neighbours: Collection[Peer], now: float) -> list[Effect]:
        """What waits here was to be published now: if somebody gathers for this node by now, it goes there."""
        onward = self._onward(None, self._hops, neighbours, now) if self._waiting else None
        if onward is None:
            return []
        waiting, self._waiting = list(self._waiting.values()), {}
        return [self._hand(waiting, onward, self._hops)]

    def take(self, neighbours: Collection[Peer], now: float) -> list[Update]:
        """What is to be published now, to whoever is reached through the neighbours."""
        if self._waiting and neighbours:
            self._was_published(self._me, self._me, now)
        taken, self._waiting = list(self._waiting.values()), {}
        for update in taken:
            self._own.pop(update.key, None)
        return taken

    def missed(self, neighbours: Collection[Peer], wait_s: float, now: float) -> list[Effect]:
        """It is time to look whether this node's news was published."""
        missed = [own for own in self._own.values() if own.at <= now + ROUNDING_S]
        for own in missed:
            del self._own[own.update.key]
        missed = [own for own in missed if own.update.key not in self._waiting]
        once = [own.update for own in missed if neighbours and not own.was_missed]
        twice = [own.update for own in missed if not neighbours or own.was_missed]
        effects: list[Effect] = []
        if once:
            self._expect(once, wait_s, now, was_missed=True)
            effects.append(self._hand(once, self._rng.choice(list(neighbours)), 0))
        if twice:
            self._collector = None
            effects += self._pass_on(twice, 0, None, neighbours, wait_s, now)
        at = min((own.at for own in self._own.values()), default=None)
        return effects if at is None else [SetTimer(MISSED_TIMER, max(0.0, at - now)), *effects]

    def unreachable(self, peer: Peer, neighbours: Collection[Peer], wait_s: float, now: float) -> list[Effect]:
        """`peer` is down, or cannot be reached: nothing is gathered there, and what it was handed goes elsewhere."""
        self.gone(peer)
        lost = [update for update, to in self._handed.values() if to == peer]
        for update in lost:
            del self._handed[update.key]
        return self._pass_on(lost, 0, peer, neighbours, wait_s, now) if lost else []

    def gone(self, peer: Peer) -> None:
        """Others say that `peer` is down, or has left: it gathers nothing any more."""
        if self._collector is not None and self._collector.peer == peer:
            self._collector = None

    def spoke(self) -> None:
        """This node has published something that could not wait."""
        self._is_new = False

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
        onward = self._onward(sender, hops, neighbours, now)
        if onward is not None:
            return [self._hand(updates, onward, hops)]
        effects: list[Effect] = [] if self._waiting else [SetTimer(PUBLISH_TIMER, self._longer(wait_s, now))]
        self._hops = max(self._hops, hops) if self._waiting else hops
        for update in updates:
            waiting = self._waiting.get(update.key)
            if waiting is None or waiting.stamp <= update.stamp:  # older news may come by a longer way
                self._waiting[update.key] = update
        return effects

    def _hand(self, updates: Sequence[Update], to: Peer, hops: int) -> Send:
        for update in updates:
            self._handed.pop(update.key, None)
            self._handed[update.key] = (update, to)
            if len(self._handed) > HANDED_MAX:
                del self._handed[next(iter(self._handed))]
        return Send(to, Gather(tuple(updates), hops + 1))

    def _onward(self, sender: Peer | None, hops: int, neighbours: Collection[Peer], now: float) -> Peer | None:
        """Where news goes next; None: it stays here."""
        if hops >= HOPS_MAX:
            return None
        others = [peer for peer in neighbours if peer != sender]
        if self._is_new and others:
            return others[0]
        collector = self._current(now)
        if collector is not None:
            # Where the way is not known any more, since neighbours come and go, straight there.
            is_by_way = collector.through in others and hops < STRAIGHT_HOPS
            onward = collector.through if is_by_way else collector.peer
            if onward == self._me:
                return None
            if onward in others or not self._neighbours_only:
                return onward
        smallest = min(others, default=self._me)  # type: ignore[type-var]  # peers are ordered
        return smallest if smallest < self._me else None  # type: ignore[operator]  # peers are ordered

    def _longer(self, wait_s: float, now: float) -> float:
        """How long news waits here for other news."""
        published_at = self._published_at
        while published_at and published_at[0] < now - CROWD_S:
            published_at.popleft()
        longer_s = min(wait_s * (1 + len(published_at) / CROWD), max(wait_s, self._wait_s_max))
        return max(longer_s, NEWCOMER_S) if self._is_new else longer_s

    def _current(self, now: float) -> _Collector | None:
        collector = self._collector
        return collector if collector is not None and now - collector.at < COLLECTOR_S else None
