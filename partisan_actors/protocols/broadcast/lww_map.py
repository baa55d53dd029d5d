"""`LwwMap`: a last-writer-wins map with deletions, the data that `exchange` keeps the same on every node.

For one key the greatest (stamp, fingerprint) wins, so the map depends on the set of writes it has seen and not on
their order; the fingerprint settles equal stamps alike everywhere. The xor of all fingerprints, kept up to date at
every change, says in 64 bits whether two maps are equal. The same is kept for each of BUCKETS parts, into which keys
fall by a hash, so that two large maps which differ in little need not be compared key by key.

A deletion is kept as a tombstone, so that an older write that arrives later does not bring the key back, and is
forgotten `tombstone_ttl_s` after it was written. Its age travels with it: no clocks are compared, and a node that
takes a tombstone keeps it no longer than the others do.
"""

from __future__ import annotations

import heapq
import zlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from partisan_actors.messages import message
from partisan_actors.protocols.broadcast.fingerprint import fingerprint
from partisan_actors.values import dataclass

__all__ = ["BUCKETS", "EVERY_BUCKET", "Changed", "Digest", "Entry", "LwwMap", "Stamp", "Update"]

BUCKETS: Final = 64
# Buckets are named by a mask: bit b stands for bucket b.
EVERY_BUCKET: Final = (1 << BUCKETS) - 1

Stamp: TypeAlias = tuple[int, ...]
Digest: TypeAlias = tuple[str, Stamp, int]  # key, stamp, fingerprint


@dataclass(frozen=True, slots=True)
class Entry:
    """What the map holds for a key: `value` is plain (or a registered message), or None when the key was deleted."""

    stamp: Stamp
    value: object


@message("exchange.update")
@dataclass(frozen=True, slots=True)
class Update:
    """An entry on its way. `age_s` is how long ago a deletion was written, as far as its nodes can tell; else 0."""

    key: str
    stamp: Stamp
    value: object
    age_s: float


@dataclass(frozen=True, slots=True)
class Changed:
    """The entry of `key` is another one now. `before` is None for a key not held; a deletion has `after.value` None."""

    key: str
    before: Entry | None
    after: Entry


class _Slot(NamedTuple):
    entry: Entry
    fingerprint: int
    bucket: int  # as a mask of one bit
    expires_at: float | None  # of a tombstone


class LwwMap:
    """Keys in order, each with its greatest entry; at most `entries_max` of them, tombstones included."""

    def __init__(self, entries_max: int, tombstone_ttl_s: float) -> None:
        self._entries_max = entries_max
        self._tombstone_ttl_s = tombstone_ttl_s
        self._slots: dict[str, _Slot] = {}
        self._keys: list[str] = []  # sorted
        self._expiries: list[tuple[float, str]] = []  # a heap; the slot says whether it still holds
        self.xor = 0
        self.bucket_xors = [0] * BUCKETS

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, key: str) -> bool:
        return key in self._slots

    def get(self, key: str) -> Entry | None:
        """The entry of `key`, tombstones included."""
        slot = self._slots.get(key)
        return None if slot is None else slot.entry

    def items(self, prefix: str) -> Iterator[tuple[str, Entry]]:
        """The entries that are not tombstones and whose keys start with `prefix`, in key order."""
        for index in range(bisect_left(self._keys, prefix), len(self._keys)):
            key = self._keys[index]
            if not key.startswith(prefix):
                return
            entry = self._slots[key].entry
            if entry.value is not None:
                yield key, entry

    def has_room_for(self, key: str) -> bool:
        """Whether `apply` can take an update of `key`."""
        return key in self._slots or len(self._slots) < self._entries_max

    def apply(self, update: Update, now: float) -> Changed | None:
        """Take `update` when it wins, for which there must be room; None when it does not, or is too old a deletion."""
        expires_at = None
        if update.value is None:
            expires_at = now + self._tombstone_ttl_s - max(0.0, update.age_s)
            if expires_at <= now:
                return None
        current = self._slots.get(update.key)
        if current is not None and _is_no_news(update, current.entry):
            return None
        hashed = fingerprint(update.key, update.stamp, update.value)
        if current is None:
            insort(self._keys, update.key)
            bucket = 1 << zlib.crc32(update.key.encode("utf-8", "surrogatepass")) % BUCKETS
        elif (current.entry.stamp, current.fingerprint) >= (update.stamp, hashed):
            return None
        else:
            bucket = current.bucket
            self._count(bucket, current.fingerprint)
        entry = Entry(update.stamp, update.value)
        self._slots[update.key] = _Slot(entry, hashed, bucket, expires_at)
        self._count(bucket, hashed)
        if expires_at is not None:
            heapq.heappush(self._expiries, (expires_at, update.key))
        return Changed(update.key, None if current is None else current.entry, entry)

    def expire(self, now: float) -> None:
        """Forget the tombstones whose time has come."""
        while self._expiries and self._expiries[0][0] <= now:
            expires_at, key = heapq.heappop(self._expiries)
            slot = self._slots.get(key)
            if slot is not None and slot.expires_at == expires_at:
                del self._slots[key]
                del self._keys[bisect_left(self._keys, key)]
                self._count(slot.bucket, slot.fingerprint)

    def update(self, key: str, now: float) -> Update:
        """The entry of `key` as it travels. Raises KeyError when there is none."""
        slot = self._slots[key]
        age_s = 0.0 if slot.expires_at is None else self._tombstone_ttl_s - (slot.expires_at - now)
        return Update(key, slot.entry.stamp, slot.entry.value, age_s)

    def differing(self, bucket_xors: Sequence[int]) -> int:
        """The buckets in which the map with these `bucket_xors` differs from this one, as a mask."""
        pairs = zip(self.bucket_xors, bucket_xors, strict=True)
        return sum(1 << bucket for bucket, (mine, theirs) in enumerate(pairs) if mine != theirs)

    def digests(self, after: str, upto: str | None, mask: int = EVERY_BUCKET) -> list[Digest]:
        """One digest for each key of these buckets with after < key <= upto, in key order; `upto` None is the end."""
        first = bisect_right(self._keys, after)
        end = len(self._keys) if upto is None else bisect_right(self._keys, upto)
        return [self._digest(key) for key in self._keys[first:end] if self._slots[key].bucket & mask]

    def first_digests(self, after: str, count: int, mask: int = EVERY_BUCKET) -> tuple[list[Digest], str | None]:
        """The first `count` digests after `after`, and the key they reach to: None when no key comes behind them."""
        digests: list[Digest] = []
        for key in self._keys[bisect_right(self._keys, after) :]:
            if not self._slots[key].bucket & mask:
                continue
            if len(digests) == count:
                return digests, digests[-1][0]
            digests.append(self._digest(key))
        return digests, None

    def is_beaten_by(self, digest: Digest) -> bool:
        """Whether `digest` names a greater entry than the one held."""
        key, stamp, hashed = digest
        slot = self._slots.get(key)
        return slot is None or (stamp, hashed) > (slot.entry.stamp, slot.fingerprint)

    def _count(self, bucket: int, hashed: int) -> None:
        """Add a fingerprint that was not counted, or take away one that was."""
        self.xor ^= hashed
        self.bucket_xors[bucket.bit_length() - 1] ^= hashed

    def _digest(self, key: str) -> Digest:
        slot = self._slots[key]
        return (key, slot.entry.stamp, slot.fingerprint)


def _is_no_news(update: Update, held: Entry) -> bool:
    """Whether that can be told without a fingerprint: half of what comes is held already."""
    if update.stamp != held.stamp:
        return update.stamp < held.stamp
    # Of other types what is equal may have another fingerprint.
    return type(update.value) is bytes and type(held.value) is bytes and update.value == held.value
