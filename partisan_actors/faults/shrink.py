"""`shrink`: from a plan under which something fails to a small one under which it still does, repeatably.

Zeller and Hildebrandt's delta debugging (IEEE TSE 2002) over the operations, then simpler values for what is left:
fewer names, shorter spans, smaller amounts, earlier times. Both again, until nothing helps any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.faults.operations import Operation
from partisan_actors.faults.plan import FaultPlan

__all__ = ["TRIES_MAX", "Shrunk", "shrink"]

TRIES_MAX: Final = 300

# Amounts are halved down to these: smaller ones would be no easier to understand. Rates stay as they are.
_LEAST: Final[Mapping[str, float]] = {
    "at_s": 0.0, "delay_s": 0.01, "jitter_s": 0.01, "window_s": 0.01, "input_s": 0.001, "count": 1,
}  # fmt: skip  # one table
_LEAST_SPAN_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest plan found, and how many plans were tried. `is_minimal`: no single step makes it any smaller."""

    plan: FaultPlan
    tries: int
    is_minimal: bool


def shrink(plan: FaultPlan, fails: Callable[[FaultPlan], bool], tries_max: int = TRIES_MAX) -> Shrunk:
    """The smallest plan found under which `fails` says True, as it must of `plan`, with at most `tries_max` calls.

    `fails` has to answer the same for the same plan. A plan whose chance is written out (`FaultPlan.with_choices`)
    shrinks best: otherwise what one operation selects may depend on what another did.
    """
    search = _Search(plan, fails, tries_max)
    try:
        while True:
            before = search.best
            search.drop_operations()
            search.simplify_operations()
            if search.best == before:
                return Shrunk(search.best, search.tries, True)
    except _OutOfTries:
        return Shrunk(search.best, search.tries, False)


class _OutOfTries(Exception):
    """The bound on tries is reached."""


class _Search:
    """The smallest failing plan so far; asks about each plan once."""

    def __init__(self, plan: FaultPlan, fails: Callable[[FaultPlan], bool], tries_max: int) -> None:
        self.best = plan
        self.tries = 0
        self._fails = fails
        self._tries_max = tries_max
        self._tried: set[str] = {plan.to_json()}

    def drop_operations(self) -> None:
        """Leave out ever smaller runs of operations, as long as it still fails without them."""
        size = len(self.best.operations)
        while size >= 1:
            start = 0
            while start < len(self.best.operations):
                operations = self.best.operations
                if not self._take((*operations[:start], *operations[start + size :])):
                    start += size
            size //= 2

    def simplify_operations(self) -> None:
        """Put simpler operations into the place of each, the simplest first, as long as it still fails with them."""
        for index in range(len(self.best.operations)):
            while any(self._put(index, simpler) for simpler in _simpler(self.best.operations[index])):
                pass

    def _put(self, index: int, operation: Operation) -> bool:
        operations = self.best.operations
        return self._take((*operations[:index], operation, *operations[index + 1 :]))

    def _take(self, operations: Sequence[Operation]) -> bool:
        candidate = replace(self.best, operations=tuple(operations))
        key = candidate.to_json()
        if key in self._tried:
            return False
        if self.tries >= self._tries_max:
            raise _OutOfTries
        self.tries += 1
        self._tried.add(key)
        if not self._fails(candidate):
            return False
        self.best = candidate
        return True


def _simpler(operation: Operation) -> Iterator[Operation]:
    """Operations that are simpler by one step, each by all rules; the greatest steps first."""
    for changes in _changes(operation):
        try:
            yield replace(operation, **changes)
        except ConfigError:  # such as a span that would end before it begins
            continue


def _changes(operation: Operation) -> Iterator[dict[str, Any]]:
    for name in ("nodes", "side", "other", "senders", "receivers"):
        names = getattr(operation, name, None)
        if isinstance(names, tuple) and len(names) > 1:
            half = len(names) // 2
            yield from ({name: some} for some in (names[:half], names[half:]))
            if half > 1:
                yield from ({name: (*names[:place], *names[place + 1 :])} for place in range(len(names)))
    until_s = getattr(operation, "until_s", None)
    if until_s is not None and until_s - operation.at_s > _LEAST_SPAN_S:
        shorter_s = max(_LEAST_SPAN_S, (until_s - operation.at_s) / 2)
        yield {"until_s": _rounded(operation.at_s + shorter_s)}
        yield {"at_s": _rounded(until_s - shorter_s)}
    for name, least in _LEAST.items():
        value = getattr(operation, name, None)
        if value is None or value <= least:
            continue
        smaller = max(least, int(value) // 2 if name in ("at_s", "count") else _rounded(value / 2))
        earlier = {"until_s": _rounded(until_s - value + smaller)} if name == "at_s" and until_s is not None else {}
        yield {name: smaller, **earlier}


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
