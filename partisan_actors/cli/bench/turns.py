"""Taking turns: the floor and ours are sampled in short alternating slices, so that both meet the same weather.

A pair of processes keeps some of its luck for life: on one core, about one pair in ten is a quarter slower than the
others in every single turn. So each row is measured in several *sittings*, each with processes of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from time import perf_counter

from partisan_actors.cli.bench.samples import Comparison, Summary

__all__ = [
    "FLOOR",
    "OURS",
    "Plan",
    "Recording",
    "compare_awaited",
    "compare_blocking",
    "sample_awaited",
    "sample_blocking",
    "turns",
]

FLOOR = "floor"
OURS = "ours"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to look.

    Each round of each sitting gives each side one turn of `turn_s`; `repeats` is for rows that cannot take turns.
    `watch` is entered around each of our turns: this is where a profiler goes.
    """

    sittings: int = 5
    rounds: int = 3
    turn_s: float = 0.15
    repeats: int = 5
    watch: Callable[[], AbstractContextManager[object]] = field(default=nullcontext)

    @classmethod
    def quick(cls) -> Plan:
        """A plan for seeing that everything works. Its figures are rough."""
        return cls(sittings=1, rounds=3, turn_s=0.05, repeats=3)


class Recording:
    """The recorded turns of one row, mode by mode, over all its sittings."""

    def __init__(self) -> None:
        self._turns: dict[str, dict[str, list[list[float]]]] = {}

    def add(self, mode: str, side: str, samples: list[float]) -> None:
        """Record one turn."""
        self._turns.setdefault(mode, {FLOOR: [], OURS: []})[side].append(samples)

    def comparisons(self) -> tuple[Comparison, ...]:
        """The two sides of each mode, in the order the modes were first seen."""
        return tuple(
            Comparison(mode, Summary.of(sides[FLOOR]), Summary.of(sides[OURS])) for mode, sides in self._turns.items()
        )


def turns(rounds: int) -> Iterator[tuple[bool, str]]:
    """Whose turn it is, and whether it is recorded, in order.

    One round more than asked for is played: the first warms both sides up and is not recorded. Who begins alternates,
    because on a machine that is getting slower the second in a round would always look worse.
    """
    for number in range(rounds + 1):
        order = (FLOOR, OURS) if number % 2 == 0 else (OURS, FLOOR)
        for side in order:
            yield number > 0, side


async def compare_awaited(
    recording: Recording,
    mode: str,
    plan: Plan,
    floor: Callable[[], Awaitable[object]],
    ours: Callable[[], Awaitable[object]],
) -> None:
    """Let two operations take turns on the running loop."""
    for counts, side in turns(plan.rounds):
        if side == FLOOR:
            samples = await sample_awaited(floor, plan.turn_s)
        else:
            with plan.watch():
                samples = await sample_awaited(ours, plan.turn_s)
        if counts:
            recording.add(mode, side, samples)


def compare_blocking(
    recording: Recording,
    mode: str,
    plan: Plan,
    floor: Callable[[float], list[float]],
    ours: Callable[[float], list[float]],
) -> None:
    """Let two samplers take turns in the calling thread. Each is called with the seconds its turn lasts."""
    for counts, side in turns(plan.rounds):
        if side == FLOOR:
            samples = floor(plan.turn_s)
        else:
            with plan.watch():
                samples = ours(plan.turn_s)
        if counts:
            recording.add(mode, side, samples)


async def sample_awaited(operation: Callable[[], Awaitable[object]], seconds: float) -> list[float]:
    """Seconds that each `operation` took, one after another, for about `seconds`; at least one."""
    samples: list[float] = []
    begin = perf_counter()
    end = begin + seconds
    while True:
        await operation()
        done = perf_counter()
        samples.append(done - begin)
        if done >= end:
            return samples
        begin = perf_counter()


def sample_blocking(operation: Callable[[], object], seconds: float) -> list[float]:
    """The same for an operation that returns when it is done."""
    samples: list[float] = []
    begin = perf_counter()
    end = begin + seconds
    while True:
        operation()
        done = perf_counter()
        samples.append(done - begin)
        if done >= end:
            return samples
        begin = perf_counter()
