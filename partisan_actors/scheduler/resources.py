"""Amounts of resources, exact to a ten-thousandth, and the pool of one node that hands them out and takes them back.

The rules:

1. An amount is a whole number of ten-thousandths (UNIT), so that ten tenths are one, whatever floats think of it.
2. A `Resources` never holds a negative or a zero amount: what it does not name it has none of.
3. In a `Pool`, what is available and what is held by tokens add up to the total at every moment.
4. What is held for life is no use to whoever waits for room.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from numbers import Rational, Real
from typing import Final

from partisan_actors.errors import ConfigError

__all__ = ["AMOUNT_MAX", "NOTHING", "RESERVED_NAMES", "UNIT", "Pool", "Resources"]

UNIT: Final = 10_000
"""How many steps one whole of a resource has."""

AMOUNT_MAX: Final = 10**14
"""The most of one resource that can be asked for or had, in wholes: 100 TB, if it is memory."""

RESERVED_NAMES: Final = ("num_cpus", "num_gpus", "memory")
"""The resources that have an option of their own."""

# Ray's spelling of the first two: refused as custom names, lest a program that was moved here asks for something new.
_REFUSED_NAMES: Final = frozenset({*RESERVED_NAMES, "CPU", "GPU"})

# Digits that a float's last bit cannot reach: 0.7 + 0.1 is 0.7999999999999999 and means 0.8.
_FLOAT_DIGITS: Final = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Resources:
    """How much of which resources: ``(name, ten-thousandths)`` in the order of names. Make it with `of` or `parse`."""

    amounts: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(
        cls,
        *,
        num_cpus: float = 0,
        num_gpus: float = 0,
        memory: float = 0,
        resources: Mapping[str, float] | None = None,
    ) -> Resources:
        """From the options of users: `memory` is in bytes, `resources` names custom ones.

        Fractions count in ten-thousandths, rounded down, so that three thirds always fit in one. Raises ConfigError,
        naming the option, for what is not a number, is negative, too large, or positive but under a ten-thousandth.
        """
        wanted = {
            "num_cpus": _units("num_cpus", num_cpus),
            "num_gpus": _units("num_gpus", num_gpus),
            "memory": _units("memory", memory),
        }
        if resources is not None and not isinstance(resources, Mapping):
            raise ConfigError("resources", resources, 'a mapping of names to amounts, as {"scanner": 1}')
        for name, amount in (resources or {}).items():
            if not isinstance(name, str) or not name.strip() or name in _REFUSED_NAMES:
                allowed = f"a custom name; {', '.join(RESERVED_NAMES)} are options of their own"
                raise ConfigError("resources", name, allowed)
            wanted[name] = _units(f"resources[{name!r}]", amount)
        return cls._from_units(wanted)

    @classmethod
    def parse(cls, plain: Mapping[str, float]) -> Resources:
        """The inverse of `plain`. Raises ConfigError for an amount or a name that is not valid."""
        custom = {name: amount for name, amount in plain.items() if name not in RESERVED_NAMES}
        num_cpus, num_gpus, memory = (plain.get(name, 0) for name in RESERVED_NAMES)
        return cls.of(num_cpus=num_cpus, num_gpus=num_gpus, memory=memory, resources=custom)

    def plain(self) -> dict[str, float]:
        """The amounts by name, in wholes, to show and to tell other nodes.

        Whole amounts are ints. They come back exactly, and so do fractions of amounts below 10**11.
        """
        return {name: units // UNIT if units % UNIT == 0 else units / UNIT for name, units in self.amounts}

    def fits(self, room: Resources) -> bool:
        """Whether `room` has at least this much of everything."""
        there = dict(room.amounts)
        return all(there.get(name, 0) >= units for name, units in self.amounts)

    def shortfall(self, room: Resources) -> Resources:
        """What `room` lacks to hold this; nothing when it fits."""
        there = dict(room.amounts)
        return self._from_units({name: max(0, units - there.get(name, 0)) for name, units in self.amounts})

    def share_used(self, total: Resources, available: Resources) -> float:
        """Of the resources named here, how much of the scarcest one is in use: from 0.0 (idle) to 1.0.

        This is the critical resource of whoever asks for these: a node without a free GPU is idle to the rest.
        """
        everything, free = dict(total.amounts), dict(available.amounts)
        shares = [1.0 - free.get(name, 0) / everything[name] if name in everything else 1.0 for name, _ in self.amounts]
        return max(0.0, max(shares, default=0.0))

    def __add__(self, other: Resources) -> Resources:
        sums = dict(self.amounts)
        for name, units in other.amounts:
            sums[name] = sums.get(name, 0) + units
        return self._from_units(sums)

    def __sub__(self, other: Resources) -> Resources:
        """What is left. Raises ValueError when `other` does not fit in this."""
        if not other.fits(self):
            raise ValueError(f"cannot take {other} from {self}: short of {other.shortfall(self)}")
        left = dict(self.amounts)
        for name, units in other.amounts:
            left[name] -= units
        return self._from_units(left)

    def __bool__(self) -> bool:
        return bool(self.amounts)

    def __str__(self) -> str:
        return ", ".join(_text(name, units) for name, units in self.amounts) or "nothing"

    @classmethod
    def _from_units(cls, units: Mapping[str, int]) -> Resources:
        return cls(tuple(sorted((name, amount) for name, amount in units.items() if amount)))


NOTHING: Final = Resources()
"""No resources at all: fits everywhere."""


class Pool:
    """The resources of one node: who holds what of them. Tokens are the caller's: an ActorId, a TaskId.

    Asking and giving back can be repeated, as messages can be: neither ever counts twice. A pool is not thread-safe.
    """

    __slots__ = ("_available", "_held", "_held_for_life", "_lasting", "_total")

    def __init__(self, total: Resources) -> None:
        self._total = total
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
        if token in self._lasting:
            del self._lasting[token]
            self._held_for_life -= held
        return held

    def replace(self, token: Hashable, request: Resources) -> bool:
        """Let `token` hold `request` instead of what it holds, if there is room; otherwise it keeps what it has.

        Not for what is held for life.
        """
        held = self._held.get(token)
        before = self.release(token)
        if self._take(token, request):
            return True
        if held is not None:
            self._available -= before
            self._held[token] = before
        return False

    def held(self, token: Hashable) -> Resources:
        """What `token` holds; nothing when the pool does not know it."""
        return self._held.get(token, NOTHING)

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
        if not request.fits(self._available):
            return False
        self._available -= request
        self._held[token] = request
        return True


def _units(field: str, amount: float) -> int:
    allowed = f"a number from 0 to {AMOUNT_MAX:g}, in steps of {1 / UNIT:.4f}"
    if isinstance(amount, bool) or not isinstance(amount, Real):
        raise ConfigError(field, amount, allowed)
    if not 0 <= amount <= AMOUNT_MAX:  # a NaN is in no range either
        raise ConfigError(field, amount, allowed)
    if isinstance(amount, Rational):  # int, numpy's integers, Fraction: exact as they are
        units = amount.numerator * UNIT // amount.denominator
    else:
        units = math.floor(Decimal(repr(float(amount))).quantize(_FLOAT_DIGITS) * UNIT)
    if amount and not units:
        raise ConfigError(field, amount, allowed)
    return int(units)


def _text(name: str, units: int) -> str:
    if name == "memory":
        return f"{units / UNIT / 2**30:.4g} GiB memory"
    shown = {"num_cpus": "CPU", "num_gpus": "GPU"}.get(name, name)
    return f"{units / UNIT:g} {shown}"
