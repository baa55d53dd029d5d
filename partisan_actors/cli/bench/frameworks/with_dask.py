"""Dask's actors and futures, on a local cluster of two worker processes."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import distributed

from partisan_actors.cli.bench.frameworks.entrant import Entrant, new_array, new_bytes
from partisan_actors.cli.bench.frameworks.work import FANNED_OUT, IN_FLIGHT

__all__ = ["Dask"]


class Counter:
    """Adds up, and measures what it is given."""

    def __init__(self) -> None:
        self._total = 0

    def add(self, amount: int) -> int:
        """The total."""
        self._total += amount
        return self._total

    def size(self, value: Any) -> int:
        """How long it is."""
        return len(value)


def same(value: Any) -> Any:
    """What was given."""
    return value


class Dask(Entrant):
    """Actors by `Client.submit(..., actor=True)`."""

    name: ClassVar[str] = "dask"
    made: ClassVar[dict[str, int]] = {"create": 100}

    def version(self) -> str:
        return f"Dask distributed {distributed.__version__}"

    def start(self) -> None:
        self._client = distributed.Client(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=logging.ERROR
        )
        self._counter = self._actor()
        self._counter.add(1).result()

    def settle(self) -> None:
        """What more than one piece of work needs."""
        self._counters = [self._actor() for _ in range(FANNED_OUT)]
        self._bytes, self._array = new_bytes(), new_array()

    def stop(self) -> None:
        self._client.shutdown()

    def call(self) -> None:
        """One call, waited for."""
        self._counter.add(1).result()

    def calls(self) -> None:
        """Many calls, then all answers."""
        for future in [self._counter.add(1) for _ in range(IN_FLIGHT)]:
            future.result()

    def one_to_n(self) -> None:
        """The same, dealt to several actors."""
        counters = self._counters
        for future in [counters[number % FANNED_OUT].add(1) for number in range(IN_FLIGHT)]:
            future.result()

    def task(self) -> None:
        """One task, waited for."""
        self._client.submit(same, 1, pure=False).result()

    def tasks(self) -> None:
        """Many tasks, then all results."""
        self._client.gather(self._client.map(same, range(IN_FLIGHT), pure=False))

    def small_argument(self) -> None:
        """The same bytes each time."""
        self._counter.size(self._bytes).result()

    def fresh_large_argument(self) -> Any:
        """Another array."""
        return self._array.copy()

    def large_argument(self, array: Any) -> None:
        """An array that nobody has seen before."""
        self._counter.size(array).result()

    def create(self) -> None:
        """Actors in the workers' processes."""
        futures = [self._client.submit(Counter, actor=True, pure=False) for _ in range(self.made["create"])]
        for future in [actor.result().add(1) for actor in futures]:
            future.result()

    def _actor(self) -> Any:
        return self._client.submit(Counter, actor=True, pure=False).result()
