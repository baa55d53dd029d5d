"""Exchange: a small map that every node ends up with, kept the same by broadcast and repaired by anti-entropy.

A write that wins (see `lww_map`) is published: the stack broadcasts it, and every receiver merges it. What broadcast
missed is found by comparing maps with a random neighbour every `period_s` and with every new neighbour:

    Summary(count, xor of fingerprints)  ->           nothing more is sent when they are equal
                                         <-  Page     the first keys, each with stamp and fingerprint
    Offer   what the page lacks          ->
    Want    what the page has newer      ->
                                         <-  Entries, and the next Page while there is one

Rules kept here:

1. Entries move only when wanted, and a node pulls from one peer at a time (`pull_timeout_s` frees it when that peer
   falls silent), so a newcomer with five neighbours does not fetch the map five times.
2. What arrives, by broadcast or by exchange, is never published again.
3. At `entries_max` an own write to a new key is `Refused`; a new key from elsewhere is dropped and counted in
   `dropped`. Keys already held are still updated.

What is not promised: a node cut off for longer than `tombstone_ttl_s` may bring back an entry deleted meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeAlias

from partisan_actors.errors import ConfigError
from partisan_actors.messages import message
from partisan_actors.protocols.broadcast.lww_map import Changed, Digest, Entry, LwwMap, Stamp, Update
from partisan_actors.protocols.machine import Effect, Peer, Send, SetTimer

__all__ = [
    "EXCHANGE_TOPIC",
    "Entries",
    "Exchange",
    "ExchangeEffect",
    "ExchangeOptions",
    "Offer",
    "Page",
    "Publish",
    "Refused",
    "Summary",
    "Want",
]

# The broadcast topic that `Publish` goes out under and `merge` is fed from.
EXCHANGE_TOPIC = "exchange"

_PERIOD_TIMER = "period"


@message("exchange.summary")
@dataclass(frozen=True, slots=True)
class Summary:
    """The sender's whole map in two numbers."""

    count: int
    xor: int


@message("exchange.page")
@dataclass(frozen=True, slots=True)
class Page:
    """All the sender's keys k with after < k <= upto; `upto` is None on the last page."""

    after: str
    upto: str | None
    digests: tuple[Digest, ...]


@message("exchange.offer")
@dataclass(frozen=True, slots=True)
class Offer:
    """Entries the sender has and the receiver's page showed it lacks."""

    digests: tuple[Digest, ...]


@message("exchange.want")
@dataclass(frozen=True, slots=True)
class Want:
    """Send me these entries, and the page after `after` unless that is None."""

    keys: tuple[str, ...]
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
    updates_max: int = 64  # entries in one Entries

    def __post_init__(self) -> None:
        for name in ("period_s", "pull_timeout_s", "tombstone_ttl_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(name, getattr(self, name), "seconds, more than 0")
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

    messages: ClassVar[tuple[type, ...]] = (Summary, Page, Offer, Want, Entries)

    def __init__(self, me: Peer, options: ExchangeOptions, rng: random.Random) -> None:
        """`me` is not used: the map is the same on every node. It is taken so that all layers are made alike."""
        self._options = options
        self._rng = rng
        self._map = LwwMap(options.entries_max, options.tombstone_ttl_s)
        self._neighbours: dict[Peer, None] = {}
        self._pull: _Pull | None = None
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

    def write(self, key: str, stamp: Stamp, value: object, now: float) -> list[ExchangeEffect]:
        """Set `key`, or delete it with `value` None.

        Answers [Publish, Changed] when the write wins, [] when the entry held is as great or greater, and [Refused]
        when there is no room for a new key. Raises ConfigError for an empty key and TypeError for a value that is
        neither plain nor a registered message.
        """
        if not key:
            raise ConfigError("key", key, "a string that is not empty")
        self._map.expire(now)
        if not self._map.has_room_for(key):
            return [Refused(key, self._options.entries_max)]
        update = Update(key, stamp, value, 0.0)
        changed = self._map.apply(update, now)
        return [] if changed is None else [Publish((update,)), changed]

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
                effects.append(changed)
        return effects

    def clear(self) -> None:
        """Forget every entry, tombstones too. For a node that stands alone: neighbours would bring them back."""
        self._map = LwwMap(self._options.entries_max, self._options.tombstone_ttl_s)
        self._pull = None

    def neighbour_up(self, peer: Peer, now: float) -> list[ExchangeEffect]:
        """`peer` is a neighbour now: compare maps with it."""
        self._neighbours[peer] = None
        self._map.expire(now)
        return [Send(peer, self.summary)]

    def neighbour_down(self, peer: Peer, now: float) -> list[ExchangeEffect]:
        """`peer` is no neighbour any more."""
        self._neighbours.pop(peer, None)
        if self._pull is not None and self._pull.peer == peer:
            self._pull = None
        return []

    def receive(self, sender: Peer, message: object, now: float) -> list[ExchangeEffect]:
        """One of `messages` arrived from `sender`, a neighbour or not."""
        self._map.expire(now)
        match message:
            case Summary():
                return [] if message == self.summary else [Send(sender, self._page(""))]
            case Page():
                return self._compare(sender, message, now)
            case Offer():
                return self._take_offer(sender, message, now)
            case Want():
                return self._serve(sender, message, now)
            case Entries():
                return self._take_entries(sender, message, now)
        return []

    def timer_fired(self, name: str, now: float) -> list[ExchangeEffect]:
        """A period is over: compare maps with a random neighbour."""
        self._map.expire(now)
        effects: list[ExchangeEffect] = [self._next_period()]
        if self._neighbours:
            effects.append(Send(self._rng.choice(list(self._neighbours)), self.summary))
        return effects

    def _next_period(self) -> SetTimer:
        return SetTimer(_PERIOD_TIMER, self._options.period_s * self._rng.uniform(0.75, 1.25))

    def _page(self, after: str) -> Page:
        digests, upto = self._map.first_digests(after, self._options.page_max)
        return Page(after, upto, tuple(digests))

    def _compare(self, sender: Peer, page: Page, now: float) -> list[ExchangeEffect]:
        pull = self._current_pull(now)
        if pull is not None and (pull.peer != sender or pull.by is not Page or not page.after):
            return []
        theirs = {key: (stamp, hashed) for key, stamp, hashed in page.digests}
        mine = self._map.digests(page.after, page.upto)
        offered = [digest for digest in mine if digest[0] not in theirs or digest[1:] > theirs[digest[0]]]
        size = self._options.page_max
        effects: list[ExchangeEffect] = [
            Send(sender, Offer(tuple(offered[start : start + size]))) for start in range(0, len(offered), size)
        ]
        wanted = self._better_of(page.digests)
        if wanted or page.upto is not None:
            self._pull = _Pull(sender, Page, now + self._options.pull_timeout_s)
            effects.append(Send(sender, Want(wanted, page.upto)))
        else:
            self._pull = None
        return effects

    def _take_offer(self, sender: Peer, offer: Offer, now: float) -> list[ExchangeEffect]:
        pull = self._current_pull(now)
        if pull is not None and (pull.peer != sender or pull.by is not Offer):
            return []
        wanted = self._better_of(offer.digests)
        if not wanted:
            return []
        self._pull = _Pull(sender, Offer, now + self._options.pull_timeout_s)
        return [Send(sender, Want(wanted, None))]

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
            effects.append(Send(sender, self._page(want.after)))
        elif not keys:
            effects.append(Send(sender, Entries((), last=True)))
        return effects

    def _take_entries(self, sender: Peer, entries: Entries, now: float) -> list[ExchangeEffect]:
        if self._pull is not None and self._pull.peer == sender:
            self._pull = None if entries.last else self._pull._replace(until=now + self._options.pull_timeout_s)
        return self.merge(entries.updates, now)

    def _current_pull(self, now: float) -> _Pull | None:
        return self._pull if self._pull is not None and now < self._pull.until else None
