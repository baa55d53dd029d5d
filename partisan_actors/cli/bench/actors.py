"""The actors a worker node hosts for the benchmark. Importing this brings in nothing but the public API."""

from __future__ import annotations

import gc
import os
import sys

import partisan_actors as pa

__all__ = ["Adder", "Idle", "Probe"]


@pa.actor
class Adder:
    """Answers with a running total, from an async and from a sync method."""

    def __init__(self) -> None:
        self._total = 0

    async def add(self, amount: int) -> int:
        """Add to the total and answer with it."""
        self._total += amount
        return self._total

    def add_sync(self, amount: int) -> int:
        """The same from a sync method, which runs on the actor's own thread."""
        self._total += amount
        return self._total

    async def size(self, payload: bytes) -> int:
        """The length of `payload`."""
        return len(payload)

    async def process(self) -> int:
        """The process this actor lives in."""
        return os.getpid()


@pa.actor
class Idle:
    """The smallest useful actor: says that it is there."""

    async def here(self) -> bool:
        """True."""
        return True


@pa.actor
class Probe:
    """Tells about the process it lives in."""

    async def process(self) -> int:
        """Its process id."""
        return os.getpid()

    async def collect_garbage(self) -> int:
        """Collect garbage there and answer with the number of unreachable objects found."""
        return gc.collect()

    async def imported(self, packages: tuple[str, ...]) -> list[str]:
        """Which of these top-level packages have been imported there, in the order given."""
        present = {name.partition(".")[0] for name in sys.modules}
        return [package for package in packages if package in present]
