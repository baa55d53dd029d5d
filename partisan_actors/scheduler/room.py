"""What one node admits work to: its pool, and the bundles that placement groups have reserved of it. Pure.

A bundle is held in the node's pool for life, and is a pool of its own for the work of its group. It is *prepared*
first, until a time, and *kept* once the group's record says that it is here. Tokens are as in `Pool`; where work is, is
remembered by its token, so giving back needs nothing else, and can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from partisan_actors.ids import GroupId
from partisan_actors.scheduler.groups_record import GroupRecord, Stamp
from partisan_actors.scheduler.policy import Request
from partisan_actors.scheduler.pool import Pool
from partisan_actors.scheduler.resources import NOTHING, Resources
from partisan_actors.scheduler.strategies import InPlacementGroup

__all__ = ["Room"]

BundleKey: TypeAlias = tuple[GroupId, int]


@dataclass(slots=True)
class _Reserved:
    """A bundle that is here: what work takes from, who decided on it, and until when, if it is only prepared."""

    pool: Pool
    stamp: Stamp
    until: float | None


def _nothing() -> None:
    """Nobody is late in telling."""


class Room:
    """The resources of a node, and who has them."""

    def __init__(self, total: Resources, *, is_lent: bool = False) -> None:
        """`is_lent`: the node is the process of another one, which has let in what comes, and holds what that has."""
        self._pool = Pool(total)
        # Called before anybody looks: what has ended, and was not told of yet, is to give back what it has.
        self.catch_up: Callable[[], object] = _nothing
        self.is_lent = is_lent
        self.lent_gpus: list[int] = []
        self.is_closed = False
        self._reserved: dict[BundleKey, _Reserved] = {}
        # The work that is in bundles; all other work is in the pool itself.
        self._inside: dict[Hashable, BundleKey] = {}

    @property
    def pool(self) -> Pool:
        """What there is outside of bundles."""
        self.catch_up()
        return self._pool

    # ---- work -------------------------------------------------------------------------------------------------

    def acquire(self, token: Hashable, request: Request, *, for_life: bool = False) -> bool:
        """Give `token` what it asks for if there is room now, in its group's bundle if it names one."""
        self.catch_up()
        return self.acquire_as_told(token, request, for_life=for_life)

    def acquire_as_told(self, token: Hashable, request: Request, *, for_life: bool = False) -> bool:
        """The same, for whoever must not have anything change meanwhile, or has caught up just now."""
        if self.is_lent:
            return self._pool.acquire(token, NOTHING, for_life=for_life)
        if not isinstance(request.strategy, InPlacementGroup):
            return self._pool.acquire(token, request.resources, for_life=for_life)
        if token in self._inside:
            return True
        for key, reserved in self._usable(request.strategy):
            if reserved.pool.acquire(token, request.resources, for_life=for_life):
                self._inside[token] = key
                return True
        return False

    def release(self, token: Hashable) -> bool:
        """Take back what `token` has, and tell whether it had anything, be it nothing."""
        key = self._inside.pop(token, None)
        if key is None:
            was_here = token in self._pool
            self._pool.release(token)
            return was_here
        self._reserved[key].pool.release(token)
        return True

    def hand_over(self, token: Hashable, other: Hashable) -> bool:
        """Give `other`, which has nothing yet, what `token` has outside of bundles; False if that is nothing."""
        return token not in self._inside and self._pool.hand_over(token, other)

    def can_wait(self, request: Request) -> bool:
        """Whether there will be room when tasks are done, though actors stay."""
        if self.is_closed or self.is_lent:
            return not self.is_closed
        needs = request.resources
        if not isinstance(request.strategy, InPlacementGroup):
            return needs.fits(self._pool.total - self._pool.held_for_life)
        return any(needs.fits(pool.total - pool.held_for_life) for pool in self.pools(request))

    def pools(self, request: Request) -> list[Pool]:
        """Where what is asked for may come from: the node's pool, or those of the bundles that are meant."""
        self.catch_up()
        if isinstance(request.strategy, InPlacementGroup):
            return [reserved.pool for _, reserved in self._usable(request.strategy)]
        return [self._pool]

    def held(self, token: Hashable) -> Resources:
        """What `token` has."""
        return self._pool_of(token).held(token)

    def gpus(self, token: Hashable) -> list[int]:
        """The numbers of the GPUs that `token` has, whole or in part."""
        return self.lent_gpus if self.is_lent else sorted(self._pool_of(token).gpus(token))

    def bundle_of(self, token: Hashable) -> BundleKey | None:
        """The bundle that `token` is in, if it is in one."""
        return self._inside.get(token)

    def holders(self) -> Iterator[tuple[Hashable, Resources]]:
        """Who has what of the node: work, and the bundles."""
        self.catch_up()
        return ((token, self._pool.held(token)) for token in self._pool)

    def __contains__(self, token: object) -> bool:
        return token in self._inside or token in self._pool

    def _pool_of(self, token: Hashable) -> Pool:
        key = self._inside.get(token)
        return self._pool if key is None else self._reserved[key].pool

    def _usable(self, place: InPlacementGroup) -> Iterator[tuple[BundleKey, _Reserved]]:
        if place.bundle_index >= 0:
            reserved = self._reserved.get((place.group, place.bundle_index))
            if reserved is not None and reserved.until is None:
                yield (place.group, place.bundle_index), reserved
            return
        for key, reserved in self._reserved.items():
            if key[0] == place.group and reserved.until is None:
                yield key, reserved

    # ---- bundles ----------------------------------------------------------------------------------------------

    def prepare(self, group: GroupId, stamp: Stamp, bundles: Mapping[int, Resources], until: float) -> bool:
        """Hold all of these bundles for a decision that may follow, or none. What is here already stays as it is."""
        if self.is_closed:
            return False
        self.catch_up()
        taken = []
        for index, amounts in sorted(bundles.items()):
            known = self._reserved.get((group, index))
            if known is not None:
                if known.until is not None:
                    known.stamp, known.until = max(known.stamp, stamp), max(known.until, until)
            elif self._reserve((group, index), amounts, stamp, until):
                taken.append((group, index))
            else:
                for key in taken:
                    self._drop(key)
                return False
        return True

    def cancel(self, group: GroupId, stamp: Stamp) -> None:
        """That decision is not taken: what was only prepared for it is free again."""
        for key, reserved in self._of(group):
            if reserved.until is not None and reserved.stamp == stamp:
                self._drop(key)

    def settle(self, record: GroupRecord, stamp: Stamp, here: Iterable[int]) -> tuple[list[int], list[Hashable]]:
        """The record says which bundles are `here`: keep those and no others.

        Returns the bundles that should be here and have no room, and the work that has lost its place.
        """
        self.catch_up()
        wanted, evicted, short = set(here), [], []
        for key, reserved in self._of(record.group):
            if key[1] in wanted:
                reserved.until, reserved.stamp = None, stamp
            elif reserved.stamp <= stamp:
                evicted += self._drop(key)
        for index in sorted(wanted):
            key = (record.group, index)
            if key not in self._reserved and not self._reserve(key, record.bundles[index], stamp, None):
                short.append(index)
        return short, evicted

    def forget(self, group: GroupId) -> list[Hashable]:
        """Nothing is reserved for the group any more. Returns the work that has lost its place."""
        return [token for key, _ in self._of(group) for token in self._drop(key)]

    def expire(self, now: float) -> bool:
        """Free what was prepared and never decided. Returns whether there was any."""
        late = [key for key, each in self._reserved.items() if each.until is not None and each.until <= now]
        for key in late:
            self._drop(key)
        return bool(late)

    def has_work(self, group: GroupId) -> bool:
        """Whether anything is in a bundle of the group here."""
        self.catch_up()
        return any(key[0] == group for key in self._inside.values())

    def bundles(self) -> dict[BundleKey, bool]:
        """The bundles that are here, and whether for good."""
        return {key: reserved.until is None for key, reserved in self._reserved.items()}

    def _of(self, group: GroupId) -> list[tuple[BundleKey, _Reserved]]:
        return [(key, reserved) for key, reserved in self._reserved.items() if key[0] == group]

    def _reserve(self, key: BundleKey, amounts: Resources, stamp: Stamp, until: float | None) -> bool:
        if not self._pool.acquire(key, amounts, for_life=True):
            return False
        self._reserved[key] = _Reserved(Pool(amounts, self._pool.gpus(key)), stamp, until)
        return True

    def _drop(self, key: BundleKey) -> list[Hashable]:
        evicted = [token for token, where in self._inside.items() if where == key]
        for token in evicted:
            del self._inside[token]
        del self._reserved[key]
        self._pool.release(key)
        return evicted
