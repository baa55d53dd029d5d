"""Our actors and task that other frameworks' ones are copies of. A module of its own: workers import nothing else."""

from __future__ import annotations

from typing import Any

import partisan_actors as pa

__all__ = ["Caller", "Counter", "same"]


@pa.actor
class Counter:
    """Adds up, and measures what it is given."""

    def __init__(self) -> None:
        self._total = 0

    async def add(self, amount: int) -> int:
        """The total."""
        self._total += amount
        return self._total

    def size(self, value: Any) -> int:
        """How long it is."""
        return len(value)


@pa.actor
class Caller:
    """Calls others."""

    async def drive(self, counters: list[Any], calls: int) -> None:
        """So many calls in flight, dealt to `counters`."""
        for ref in [counters[number % len(counters)].add.remote(1) for number in range(calls)]:
            await ref


@pa.task
def same(value: Any) -> Any:
    """What was given."""
    return value
