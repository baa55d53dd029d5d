"""Amounts of resources, exact to a ten-thousandth: what a node has, and what work needs.

The rules:

1. An amount is a whole number of ten-thousandths (UNIT), so that ten tenths are one, whatever floats think of it.
2. A `Resources` never holds a negative or a zero amount: what it does not name it has none of.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from numbers import Rational, Real
from typing import Final, TypeAlias

from partisan_actors.errors import ConfigError
from partisan_actors.values import dataclass

__all__ = ["AMOUNT_MAX", "GPUS", "NOTHING", "RESERVED_NAMES", "UNIT", "Resources"]

UNIT: Final = 10_000
"""How many steps one whole of a resource has."""

AMOUNT_MAX: Final = 10**14
"""The most of one resource that can be asked for or had, in wholes: 100 TB, if it is memory."""

RESERVED_NAMES: Final = ("num_cpus", "num_gpus", "memory")
"""The resources that have an option of their own."""

GPUS: Final = "num_gpus"

SUMS_MAX: Final = 1024
"""So many sums and differences are remembered."""

# Ray's spelling of the first two: refused as custom names, lest a program that was moved here asks for something new.
_REFUSED_NAMES: Final = frozenset({*RESERVED_NAMES, "CPU", "GPU"})

# Digits that a float's last bit cannot reach: 0.7 + 0.1 is 0.7999999999999999 and means 0.8.
_FLOAT_STEPS: Final = 10**9


Amounts: TypeAlias = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Resources:
    """How much of which resources: ``(name, ten-thousandths)`` in the order of names. Make it with `of` or `parse`."""

    amounts: Amounts = ()

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
        (That more than one GPU is a whole number of them is asked of requests, see `check_request`.)
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
        return _fits(self.amounts, room.amounts)

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

    def check_request(self) -> None:
        """Raises ConfigError for what can be had but not asked for: a GPU and a half."""
        gpus = dict(self.amounts).get(GPUS, 0)
        if gpus > UNIT and gpus % UNIT:
            raise ConfigError("num_gpus", gpus / UNIT, "a fraction of one GPU, or a whole number of them")

    def __add__(self, other: Resources) -> Resources:
        return _sum(self.amounts, other.amounts)

    def __sub__(self, other: Resources) -> Resources:
        """What is left. Raises ValueError when `other` does not fit in this."""
        return _rest(self.amounts, other.amounts)

    def __bool__(self) -> bool:
        return bool(self.amounts)

    def __str__(self) -> str:
        return ", ".join(_text(name, units) for name, units in self.amounts) or "nothing"

    @classmethod
    def _from_units(cls, units: Mapping[str, int]) -> Resources:
        return cls(tuple(sorted((name, amount) for name, amount in units.items() if amount)))


NOTHING: Final = Resources()
"""No resources at all: fits everywhere."""


# What a node holds goes up and down between the same few amounts, with every task. Tuples are hashed without Python.
@functools.lru_cache(SUMS_MAX)
def _fits(part: Amounts, whole: Amounts) -> bool:
    there = dict(whole)
    return all(there.get(name, 0) >= units for name, units in part)


@functools.lru_cache(SUMS_MAX)
def _sum(one: Amounts, other: Amounts) -> Resources:
    sums = dict(one)
    for name, units in other:
        sums[name] = sums.get(name, 0) + units
    return Resources._from_units(sums)


@functools.lru_cache(SUMS_MAX)
def _rest(whole: Amounts, part: Amounts) -> Resources:
    taken, there = Resources(part), Resources(whole)
    if not taken.fits(there):
        raise ValueError(f"cannot take {taken} from {there}: short of {taken.shortfall(there)}")
    left = dict(whole)
    for name, units in part:
        left[name] -= units
    return Resources._from_units(left)


def _units(field: str, amount: float) -> int:
    allowed = f"a number from 0 to {AMOUNT_MAX:g}, in steps of {1 / UNIT:.4f}"
    if isinstance(amount, bool) or not isinstance(amount, Real):
        raise ConfigError(field, amount, allowed)
    if not 0 <= amount <= AMOUNT_MAX:  # a NaN is in no range either
        raise ConfigError(field, amount, allowed)
    if isinstance(amount, Rational):  # int, numpy's integers, Fraction: exact as they are
        units = amount.numerator * UNIT // amount.denominator
    else:
        whole, part = divmod(float(amount), 1.0)
        units = int(whole) * UNIT + round(part * _FLOAT_STEPS) * UNIT // _FLOAT_STEPS
    if amount and not units:
        raise ConfigError(field, amount, allowed)
    return int(units)


def _text(name: str, units: int) -> str:
    if name == "memory":
        return f"{units / UNIT / 2**30:.4g} GiB memory"
    shown = {"num_cpus": "CPU", "num_gpus": "GPU"}.get(name, name)
    return f"{units / UNIT:g} {shown}"
