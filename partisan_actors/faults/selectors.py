"""Which nodes a fault is about, said before it is known which nodes there will be.

A selector is "all", "rest" (of a pair: everybody who is not on its other side), "3 random", "30%", or names. It is
resolved when its operation begins, among the nodes there are then.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = ["ALL", "ANYBODY", "REST", "SELECTOR", "Group", "Selector", "group", "is_drawn", "is_selector", "select"]

Selector: TypeAlias = str | tuple[str, ...]

ALL: Final = "all"
REST: Final = "rest"
SELECTOR: Final = f'"{ALL}", "{REST}", "3 random", "30%" (of more than 0 up to 100), or a list of names'

_COUNT: Final = re.compile(r"([1-9]\d{0,5}) random")
_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d+)?)%")
_NAME: Final = re.compile(r"[^\s%,]{1,100}")


@dataclass(frozen=True, slots=True)
class Group:
    """Some names; or, `inverted`, all but those, with the names of nodes that are still to come."""

    names: frozenset[str]
    inverted: bool = False

    def __contains__(self, name: object) -> bool:
        return (name in self.names) != self.inverted


ANYBODY: Final = Group(frozenset(), inverted=True)


def is_selector(value: object) -> bool:
    """Whether `value` is a selector as SELECTOR describes it."""
    if isinstance(value, tuple):
        return bool(value) and all(
            isinstance(name, str) and _NAME.fullmatch(name) is not None and name not in (ALL, REST) for name in value
        )
    if not isinstance(value, str):
        return False
    share = _SHARE.fullmatch(value)
    return value in (ALL, REST) or bool(_COUNT.fullmatch(value)) or (share is not None and 0 < float(share[1]) <= 100)


def is_drawn(selector: Selector) -> bool:
    """Whether chance has a part in what it selects."""
    return isinstance(selector, str) and selector not in (ALL, REST)


def select(
    selector: Selector, candidates: Sequence[str], rng: random.Random, spared: Collection[str] = ()
) -> tuple[str, ...]:
    """The names it selects of `candidates`, in their order.

    Names that are no candidate are left out; `spared` ones are never drawn, and "all" does not mean them either, so
    that only their name reaches them. A share is rounded up: of anybody at all, it takes one at least.
    """
    if isinstance(selector, tuple):
        return tuple(name for name in candidates if name in selector)
    open_to_it = [name for name in candidates if name not in spared]
    count = _COUNT.fullmatch(selector)
    share = _SHARE.fullmatch(selector)
    if count is not None:
        wanted = int(count[1])
    elif share is not None:
        wanted = math.ceil(len(open_to_it) * float(share[1]) / 100)
    else:
        return tuple(open_to_it)
    drawn = set(rng.sample(range(len(open_to_it)), min(wanted, len(open_to_it))))
    return tuple(name for place, name in enumerate(open_to_it) if place in drawn)


def group(selector: Selector, candidates: Sequence[str], rng: random.Random, other: Group = ANYBODY) -> Group:
    """The same for a side of a network fault: "all" is anybody, "rest" anybody who is not in `other`."""
    if selector == ALL:
        return ANYBODY
    if selector == REST:
        return Group(other.names, not other.inverted)
    if isinstance(selector, tuple):
        return Group(frozenset(selector))  # also of names that are still to come
    return Group(frozenset(select(selector, candidates, rng)))
