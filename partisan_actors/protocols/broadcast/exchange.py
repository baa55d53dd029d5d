"""Exchange: a small map that every node ends up with, kept the same by broadcast and repaired by anti-entropy.

A write that wins (see `lww_map`) is published: the stack broadcasts it, and every receiver merges it. A write that may
take a moment goes to a node that gathers such news first (see `gathering`), and publishes together what comes to it
within a while, which grows with the map.

What broadcast missed is found by comparing maps with a random neighbour every `period_s`, and with every new neighbour
when its turn comes:

    Summary(count, xor of fingerprints)  ->           nothing more is sent when they are equal
                                         <-  Sketch   the xor of each bucket
    Page    the first keys of the buckets
            that differ, each with stamp
            and fingerprint              ->
                                         <-  Offer    what the page lacks, or nothing: ask me later
                                         <-  Want     what the page has newer
    Entries, and the next Page while there is one ->

Rules kept here:

1. Entries move only when wanted, and a node pulls from one peer at a time (`pull_timeout_s` frees it when that peer
   falls silent), so a newcomer with five neighbours does not fetch the map five times.
2. What arrives, by broadcast or by exchange, is never published again.
3. At `entries_max` an own write to a new key is `Refused`; a new key from elsewhere is dropped and counted in
   `dropped`. Keys already held are still updated.
4. What is gathered may get lost with a node on its way, twice even. Then the comparison of maps spreads it.

What is not promised: a node cut off for longer than `tombstone_ttl_s` may bring back an entry deleted meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import ClassVar, Final, NamedTuple, TypeAlias

from partisan_actors.errors import ConfigError
from partisan_actors.messages import message
from partisan_actors.protocols.broadcast.gathering import MISSED_TIMER, PUBLISH_TIMER, Gather, Gathering
from partisan_actors.protocols.broadcast.lww_map import BUCKETS, Changed, Digest, Entry, LwwMap, Stamp, Update
from partisan_actors.protocols.machine import Effect, Peer, Send, SetTimer
from partisan_actors.values import dataclass

__all__ = [
    "EXCHANGE_TOPIC",
    "Entries",
    "Exchange",
    "Gather",
    "ExchangeEffect",
    "ExchangeOptions",
    "Offer",
    "Page",
    "Publish",
    "Refused",
    "Sketch",
    "Summary",
    "Want",
]

# The broadcast topic that `Publish` goes out under and `merge` is fed from.
EXCHANGE_TOPIC = "exchange"

# A clock in whole nanoseconds may tell a time-out a little early.
ROUNDING_S: Final = 1e-6
# When a neighbour that had no time is asked again, give or take a half.
BUSY_S: Final = 0.25

_PERIOD_TIMER = "period"
_COMPARE_TIMER = "compare"


@message("exchange.summary")
@dataclass(frozen=True, slots=True)
class Summary:
    """The sender's whole map in two numbers."""

    count: int
    xor: int


@message("exchange.sketch")
@dataclass(frozen=True, slots=True)
class Sketch:
    """The sender's whole map in a number for each bucket, and who gathers news: see `gathering`."""

    bucket_xors: tuple[int, ...]
    collector: Peer | None = None
    collector_age_s: float = 0.0


@message("exchange.page")
@dataclass(frozen=True, slots=True)
class Page:
    """All the sender's keys k with after < k <= upto in the buckets of `mask`; `upto` is None on the last page."""

    mask: int
    after: str
    upto: str | None
    digests: tuple[Digest, ...]


@message("exchange.offer")
@dataclass(frozen=True, slots=True)
class Offer:
    """Entries the sender has and the receiver's page showed it lacks; none: it has no time now, ask again."""

    digests: tuple[Digest, ...]


@message("exchange.want")
@dataclass(frozen=True, slots=True)
class Want:
    """Send me these entries, and the page of the same buckets after `after` unless that is None."""

    keys: tuple[str, ...]
    mask: int
    after: str | None


@message("exchange.entries")
@dataclass(frozen=True, slots=True)
class Entries:
    """The wanted entries, or some of them; `last` when no more entries or pages follow."""

    updates: tuple[Update, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class Publish:
    """Broadcast these updates under EXCHANGE_TOPIC; the receivers' `merge` takes them."""

    updates: tuple[Update, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """An own write did not happen: the map holds `entries_max` keys and `key` is not one of them."""

    key: str
    entries_max: int


ExchangeEffect: TypeAlias = Effect | Publish | Changed | Refused


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """The bounds and times of `Exchange`; the same on all nodes. Raises ConfigError when a value makes no sense."""

    period_s: float = 10.0  # between comparisons with a random neighbour, give or take a quarter
    pull_timeout_s: float = 5.0
    tombstone_ttl_s: float = 600.0
    entries_max: int = 100_000  # tombstones count
    page_max: int = 512  # keys in one Page, Offer or Want
    updates_max: int = 64  # entries in one Entries, or in one Publish of what was gathered
    compare_s_per_entry: float = 0.01  # between comparisons with new neighbours, at most period_s
    settled_s: float = 0.25  # the same when no news has come for so long, and twice as long as news is gathered
    offer_s_per_entry: float = 0.0002  # after so many entries were offered to one peer, until another gets an offer
    gather_s_per_entry: float = 0.001  # how long a gathered entry waits for others, at most gather_s_max
    gather_s_max: float = 1.0
    neighbours_only: bool = False  # for nodes that must not reach others but through the overlay

    def __post_init__(self) -> None:
        for name in ("period_s", "pull_timeout_s", "tombstone_ttl_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(name, getattr(self, name), "seconds, more than 0")
        for name in ("compare_s_per_entry", "settled_s", "offer_s_per_entry", "gather_s_per_entry", "gather_s_max"):
            if not getattr(self, name) >= 0:
                raise ConfigError(name, getattr(self, name), "seconds, 0 or more")
        for name in ("entries_max", "page_max", "updates_max"):
            if getattr(self, name) < 1:
                raise ConfigError(name, getattr(self, name), "1 or more")


class _Pull(NamedTuple):
    """The one peer entries are being fetched from, by its pages or its offers, and until when it is believed."""

    peer: Peer
    by: type
    until: float


class Exchange:
    """The map as held by one node. Effects: Send, SetTimer, Publish, Changed, Refused."""

    messages: ClassVar[tuple[type, ...]] = (Summary, Sketch, Page, Offer, Want, Entries, Gather)

    def __init__(self, me: Peer, options: ExchangeOptions, rng: random.Random) -> None:
        self._options = options
        self._rng = rng
        self._map = LwwMap(options.entries_max, options.tombstone_ttl_s)
        self._neighbours: dict[Peer, None] = {}
        self._pull: _Pull | None = None
        self._new: dict[Peer, None] = {}  # neighbours to compare maps with, in the order in which they came
        self._compared_at = float("-inf")
        self._changed_at = float("-inf")
        self._busy_until = float("-inf")
        self._gathering = Gathering(me, options.gather_s_max, rng, neighbours_only=options.neighbours_only)
        self.dropped = 0  # updates from elsewhere that had no room or no sense

    @property
    def summary(self) -> Summary:
        """The map in two numbers: equal on two nodes when, and but for a 64-bit coincidence only when, the maps are."""
        return Summary(len(self._map), self._map.xor)

    def get(self, key: str) -> Entry | None:
        """The entry of `key`, also while it is a tombstone (value None): the next write needs its stamp."""
        return self._map.get(key)

    def items(self, prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """The entries that are not tombstones and whose keys start with `prefix`, in key order.

        The map must not be written while the iterator is in use.
        """
        return self._map.items(prefix)

    def start(self, now: float) -> list[ExchangeEffect]:
        """The node is up: set the period going."""
        return [self._next_period()]

    def write(self, key: str, stamp: Stamp, value: object, now: float, *, gather: bool = False) -> list[ExchangeEffect]:
        """Set `key`, or delete it with `value` None. `gather`: others may hear of it a little later, with other news.

        Answers [Publish, Changed] when the write wins (or what gathers it, and Changed), [] when the entry held is as
        great or greater, and [Refused] when there is no room for a new key. Raises ConfigError for an empty key and
        TypeError for a value that is neither plain nor a registered message.
        """
        if not key:
            raise ConfigError("key", key, "a string that is not empty")
        self._map.expire(now)
        if not self._map.has_room_for(key):
            return [Refused(key, self._options.entries_max)]
        update = Update(key, stamp, value, 0.0)
        changed = self._map.apply(update, now)
        if changed is None:
            return []
        if not gather:
            self._gathering.spoke()
            return [Publish((update,)), changed]
        return [*self._gathering.add([update], self._neighbours, self._gather_s, now), changed]

    def merge(self, updates: Iterable[object], now: float) -> list[ExchangeEffect]:
        """Take what a broadcast brought. What is no `Update`, or has no room, is dropped and counted."""
        self._map.expire(now)
        effects: list[ExchangeEffect] = []
        for update in updates:
            if not isinstance(update, Update) or not update.key or not self._map.has_room_for(update.key):
                self.dropped += 1
                continue
            changed = self._map.apply(update, now)
            if changed is not None:
                self._changed_at = now
                effects.append(changed)
        return effects

    def published(self, origin: Peer, sender: Peer, updates: Iterable[object], now: float) -> None:
        """What `merge` is about to be given was published by `origin` and came first through `sender`."""
        self._gathering.published(origin, sender, updates, now)

    def clear(self) -> None:
        """Forget every entry, tombstones too. For a node that stands alone: neighbours would bring them back."""
        self._map = LwwMap(self._options.entries_max, self._options.tombstone_ttl_s)
        self._pull = None
        self._gathering.clear()

    def neighbour_up(self, peer: Peer, now: float) -> list[ExchangeEffect]:
        """`peer` is a neighbour now: compare maps with it, when that is due."""
        self._neighbours[peer] = None
        self._new[peer] = None
        return self._compare_next(now) if len(self._new) == 1 else []

    def neighbour_down(self, peer: Peer, now: float) -> list[ExchangeEffect]:
        """`peer` is no neighbour any more."""
        self._neighbours.pop(peer, None)
        self._new.pop(peer, None)
        if self._pull is not None and self._pull.peer == peer:
            self._pull = None
        return []

    def peer_down(self, peer: Peer, now: float) -> list[ExchangeEffect]:
        """`peer`, a neighbour or not, is down or cannot be reached: nothing is gathered there."""
        return [*self._gathering.unreachable(peer, self._neighbours, self._gather_s, now)]

    def gone(self, peer: Peer) -> None:
        """`peer` is over, as others say, whether this node has to do with it or not."""
        self._gathering.gone(peer)

    def leave(self, now: float) -> list[ExchangeEffect]:
        """This node goes: what was gathered here does not wait any longer."""
        return self._publish_gathered(now)

    def receive(self, sender: Peer, message: object, now: float) -> list[ExchangeEffect]:
        """One of `messages` arrived from `sender`, a neighbour or not."""
        self._map.expire(now)
        match message:
            case Summary():
                return [] if message == self.summary else [Send(sender, self._sketch(now))]
            case Sketch():
                return self._answer_sketch(sender, message, now)
            case Page():
                return self._compare(sender, message, now)
            case Offer():
                return self._take_offer(sender, message, now)
            case Want():
                return self._serve(sender, message, now)
            case Entries():
                return self._take_entries(sender, message, now)
            case Gather():
                onward = self._gathering.receive(sender, message, self._neighbours, self._gather_s, now)
                return [*self.merge(message.updates, now), *onward]
        return []

    def timer_fired(self, name: str, now: float) -> list[ExchangeEffect]:
        """It is time to compare maps with a random neighbour or with a new one, or to publish what was gathered."""
        self._map.expire(now)
        if name == _COMPARE_TIMER:
            return self._compare_next(now)
        if name == PUBLISH_TIMER:
            return [*self._gathering.hand_over(self._neighbours, now), *self._publish_gathered(now)]
        if name == MISSED_TIMER:
            return [*self._gathering.missed(self._neighbours, self._gather_s, now)]
        effects: list[ExchangeEffect] = [self._next_period()]
        if self._neighbours:
            peer = self._rng.choice(list(self._neighbours))
            self._new.pop(peer, None)
            effects.append(Send(peer, self.summary))
        return effects

    def _next_period(self) -> SetTimer:
        return SetTimer(_PERIOD_TIMER, self._options.period_s * self._rng.uniform(0.75, 1.25))

    @property
    def _gather_s(self) -> float:
        return min(len(self._map) * self._options.gather_s_per_entry, self._options.gather_s_max)

    def _publish_gathered(self, now: float) -> list[ExchangeEffect]:
        updates = self._gathering.take(self._neighbours, now)  # none, after they were handed over
        size = self._options.updates_max
        return [Publish(tuple(updates[start : start + size])) for start in range(0, len(updates), size)]

    # Comparing.

    def _compare_next(self, now: float) -> list[ExchangeEffect]:
        """Begin to compare maps with the first of the new neighbours, if the last time is long enough ago."""
        if not self._new:
            return []
        wait_s = self._compare_at - now
        if wait_s > ROUNDING_S:
            return [SetTimer(_COMPARE_TIMER, wait_s)]
        self._compared_at = now
        self._map.expire(now)
        peer = next(iter(self._new))
        del self._new[peer]
        effects: list[ExchangeEffect] = [Send(peer, self.summary)]
        return [*effects, SetTimer(_COMPARE_TIMER, self._compare_at - now)] if self._new else effects

    @property
    def _compare_at(self) -> float:
        """When maps may be compared again.

        While many join, maps always differ, and comparing them costs as much as the broadcasts. Where news has ceased,
        maps are mostly equal, which costs next to nothing, and who lacks something has no other way to it.
        """
        options = self._options
        spacing_s = min(len(self._map) * options.compare_s_per_entry, options.period_s)
        settled_at = max(self._changed_at, self._compared_at) + options.settled_s + 2 * self._gather_s
        return min(self._compared_at + spacing_s, settled_at)

    def _compare_later(self, peer: Peer) -> list[ExchangeEffect]:
        """A neighbour that many compare maps with has no time now."""
        if peer not in self._neighbours:
            return []
        self._new[peer] = None
        return [SetTimer(_COMPARE_TIMER, BUSY_S * self._rng.uniform(0.5, 1.5))]

    def _sketch(self, now: float) -> Sketch:
        return Sketch(tuple(self._map.bucket_xors), *self._gathering.collector(now))

    def _answer_sketch(self, sender: Peer, sketch: Sketch, now: float) -> list[ExchangeEffect]:
        if sketch.collector is not None and sender in self._neighbours:
            self._gathering.heard_of(sketch.collector, sketch.collector_age_s, sender, now)
        if len(sketch.bucket_xors) != BUCKETS or self._current_pull(now) is not None:
            return []
        mask = self._map.differing(sketch.bucket_xors)
        return [Send(sender, self._page(mask, ""))] if mask else []

    def _page(self, mask: int, after: str) -> Page:
        digests, upto = self._map.first_digests(after, self._options.page_max, mask)
        return Page(mask, after, upto, tuple(digests))

    def _compare(self, sender: Peer, page: Page, now: float) -> list[ExchangeEffect]:
        if now < self._busy_until and not page.after:
            return [Send(sender, Offer(()))]
        theirs = {key: (stamp, hashed) for key, stamp, hashed in page.digests}
        mine = self._map.digests(page.after, page.upto, page.mask)
        offered = [digest for digest in mine if digest[0] not in theirs or digest[1:] > theirs[digest[0]]]
        size = self._options.page_max
        effects: list[ExchangeEffect] = [
            Send(sender, Offer(tuple(offered[start : start + size]))) for start in range(0, len(offered), size)
        ]
        self._busy_until = now + len(offered) * self._options.offer_s_per_entry
        pull = self._current_pull(now)
        if pull is not None and (pull.peer != sender or pull.by is not Page or not page.after):
            return effects  # it may have what this node has; the other way round, it is another's turn
        wanted = self._better_of(page.digests)
        if wanted or page.upto is not None:
            self._pull = _Pull(sender, Page, now + self._options.pull_timeout_s)
            effects.append(Send(sender, Want(wanted, page.mask, page.upto)))
        else:
            self._pull = None
        return effects

    def _take_offer(self, sender: Peer, offer: Offer, now: float) -> list[ExchangeEffect]:
        if not offer.digests:
            return self._compare_later(sender)
        pull = self._current_pull(now)
        if pull is not None and (pull.peer != sender or pull.by is not Offer):
            return []
        wanted = self._better_of(offer.digests)
        if not wanted:
            return []
        self._pull = _Pull(sender, Offer, now + self._options.pull_timeout_s)
        return [Send(sender, Want(wanted, 0, None))]

    def _better_of(self, digests: Iterable[Digest]) -> tuple[str, ...]:
        return tuple(digest[0] for digest in digests if self._map.is_beaten_by(digest))

    def _serve(self, sender: Peer, want: Want, now: float) -> list[ExchangeEffect]:
        keys = [key for key in want.keys[: self._options.page_max] if key in self._map]
        size = self._options.updates_max
        effects: list[ExchangeEffect] = []
        for start in range(0, len(keys), size):
            updates = tuple(self._map.update(key, now) for key in keys[start : start + size])
            last = want.after is None and start + size >= len(keys)
            effects.append(Send(sender, Entries(updates, last)))
        if want.after is not None:
            effects.append(Send(sender, self._page(want.mask, want.after)))
        elif not keys:
            effects.append(Send(sender, Entries((), last=True)))
        return effects

    def _take_entries(self, sender: Peer, entries: Entries, now: float) -> list[ExchangeEffect]:
        if self._pull is not None and self._pull.peer == sender:
            self._pull = None if entries.last else self._pull._replace(until=now + self._options.pull_timeout_s)
        return self.merge(entries.updates, now)

    def _current_pull(self, now: float) -> _Pull | None:
        return self._pull if self._pull is not None and now < self._pull.until else None
