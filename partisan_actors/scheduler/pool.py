"""The pool of one node's resources, which hands them out and takes them back; and its GPUs, one by one.

The rules:

1. What is available and what is held by tokens add up to the total at every moment.
2. What is held for life is no use to whoever waits for room.
3. A GPU is a thing: who holds whole ones has their ids for himself, and a fraction is a fraction of one of them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from typing import Final

from partisan_actors.scheduler.resources import GPUS, NOTHING, UNIT, Resources

__all__ = ["GPUS_MAX", "Gpus", "Pool"]

GPUS_MAX: Final = 1024
"""How many GPUs of a node have ids; a node that says it has more has only a number of them."""


class Pool:
    """The resources of one node: who holds what of them. Tokens are the caller's: an ActorId, a TaskId.

    Asking and giving back can be repeated, as messages can be: neither ever counts twice. A pool is not thread-safe.
    """

    __slots__ = ("_available", "_gpus", "_held", "_held_for_life", "_lasting", "_total")

    def __init__(self, total: Resources, gpus: Mapping[int, int] | None = None) -> None:
        """`gpus` is how many ten-thousandths of which GPUs there are; None: as many whole ones as `total` says."""
        self._total = total
        self._gpus = Gpus.of(total) if gpus is None else Gpus(gpus)
        self._available = total
        self._held_for_life = NOTHING
        self._held: dict[Hashable, Resources] = {}
        self._lasting: dict[Hashable, None] = {}

    def acquire(self, token: Hashable, request: Resources, *, for_life: bool = False) -> bool:
        """Give `request` to `token` if there is room now, and tell whether `token` holds it.

        A token that holds exactly this already keeps it. Raises ValueError when it holds something else: see `replace`.
        `for_life` says that nobody should wait for its return.
        """
        held = self._held.get(token)
        if held is not None:
            if held != request:
                raise ValueError(f"{token} holds {held} already and asks for {request}")
            return True
        is_taken = self._take(token, request)
        if is_taken and for_life:
            self._lasting[token] = None
            self._held_for_life += request
        return is_taken

    def release(self, token: Hashable) -> Resources:
        """Take back what `token` holds, and tell what that was; nothing when it holds nothing."""
        held = self._held.pop(token, None)
        if held is None:
            return NOTHING
        self._available += held
        self._gpus.release(token)
        if token in self._lasting:
            del self._lasting[token]
            self._held_for_life -= held
        return held

    def hand_over(self, token: Hashable, other: Hashable) -> bool:
        """Let `other`, which holds nothing yet, hold what `token` holds, if it does; tells whether it did.

        Not for what is held for life, nor for GPUs.
        """
        held = self._held.pop(token, None)
        if held is None:
            return False
        self._held[other] = held
        return True

    def replace(self, token: Hashable, request: Resources) -> bool:
        """Let `token` hold `request` instead of what it holds, if there is room; otherwise it keeps what it has.

        Not for what is held for life.
        """
        held, gpus = self._held.get(token), self._gpus.of_token(token)
        before = self.release(token)
        if self._take(token, request):
            return True
        if held is not None:
            self._available -= before
            self._held[token] = before
            self._gpus.take_again(token, gpus)
        return False

    def held(self, token: Hashable) -> Resources:
        """What `token` holds; nothing when the pool does not know it."""
        return self._held.get(token, NOTHING)

    def gpus(self, token: Hashable) -> dict[int, int]:
        """Which GPUs `token` holds, and how many ten-thousandths of each."""
        return self._gpus.of_token(token)

    @property
    def total(self) -> Resources:
        """All there is, held or not."""
        return self._total

    @property
    def held_for_life(self) -> Resources:
        """What nobody should wait for."""
        return self._held_for_life

    @property
    def available(self) -> Resources:
        """What nobody holds."""
        return self._available

    def __contains__(self, token: object) -> bool:
        return token in self._held

    def __iter__(self) -> Iterator[Hashable]:
        """The tokens that hold something, be it nothing, in a repeatable order."""
        return iter(list(self._held))

    def __len__(self) -> int:
        return len(self._held)

    def _take(self, token: Hashable, request: Resources) -> bool:
        if not request.fits(self._available) or not self._gpus.take(token, request):
            return False
        self._available -= request
        self._held[token] = request
        return True


class Gpus:
    """Who has which GPUs. Whole ones are taken whole; a fraction comes from the GPU that it leaves least of."""

    __slots__ = ("_free", "_taken")

    def __init__(self, units: Mapping[int, int]) -> None:
        self._free = dict(units)
        self._taken: dict[Hashable, dict[int, int]] = {}

    @classmethod
    def of(cls, total: Resources) -> Gpus:
        """As many as there are, numbered from 0; the last may be a part of one."""
        units = dict(total.amounts).get(GPUS, 0)
        if units > GPUS_MAX * UNIT:
            return cls({})
        return cls({number: min(UNIT, units - number * UNIT) for number in range(math.ceil(units / UNIT))})

    def take(self, token: Hashable, request: Resources) -> bool:
        """Give `token` what `request` says, if whole GPUs, or one with so much left, are there."""
        if not self._free:
            return True  # there are none, or they are only counted
        wanted = dict(request.amounts).get(GPUS, 0)
        if not wanted:
            return True
        free = sorted((units, gpu) for gpu, units in self._free.items() if units >= min(wanted, UNIT))
        count = max(1, wanted // UNIT)
        if len(free) < count:
            return False
        self.take_again(token, {gpu: min(wanted, UNIT) for _, gpu in free[:count]})
        return True

    def take_again(self, token: Hashable, gpus: Mapping[int, int]) -> None:
        """Give `token` exactly these."""
        if gpus:
            self._taken[token] = dict(gpus)
            for gpu, units in gpus.items():
                self._free[gpu] -= units

    def release(self, token: Hashable) -> None:
        """Take back what `token` has."""
        for gpu, units in self._taken.pop(token, {}).items():
            self._free[gpu] += units

    def of_token(self, token: Hashable) -> dict[int, int]:
        """What `token` has."""
        return dict(self._taken.get(token, {}))
