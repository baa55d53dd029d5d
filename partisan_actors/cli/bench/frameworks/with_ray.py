"""Ray, as its users write it: `ray.get` from the driver, plain methods."""

from __future__ import annotations

from typing import Any, ClassVar

import ray

from partisan_actors.cli.bench.frameworks.entrant import Entrant, new_array, new_bytes
from partisan_actors.cli.bench.frameworks.work import FANNED_OUT, IN_FLIGHT

__all__ = ["Ray"]

CPUS = 8
"""More than the machine has, so that Ray starts no fewer processes than it wants."""
STORE_BYTES = 2 << 30


class Adder:
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


class Driver:
    """Calls others."""

    def drive(self, counters: list[Any], calls: int) -> None:
        """So many calls in flight, dealt to `counters`."""
        ray.get([counters[number % len(counters)].add.remote(1) for number in range(calls)])


def given(value: Any) -> Any:
    """What was given."""
    return value


# Not as decorators: for those who check types without Ray, a decorated class would still be the plain one.
Counter: Any = ray.remote(num_cpus=0)(Adder)
Caller: Any = ray.remote(num_cpus=0)(Driver)
same: Any = ray.remote(given)


class Ray(Entrant):
    """Every actor of Ray's has a process, so there is one kind of creation."""

    name: ClassVar[str] = "ray"
    made: ClassVar[dict[str, int]] = {"create": 20, "create_isolated": 20}

    def version(self) -> str:
        return f"Ray {ray.__version__}"

    def start(self) -> None:
        ray.init(
            num_cpus=CPUS,
            include_dashboard=False,
            logging_level="ERROR",
            log_to_driver=False,
            object_store_memory=STORE_BYTES,
        )
        self._counter = Counter.remote()
        ray.get(self._counter.add.remote(1))

    def settle(self) -> None:
        """What more than one piece of work needs."""
        self._counters = [Counter.remote() for _ in range(FANNED_OUT)]
        self._callers = [Caller.remote() for _ in range(2)]
        self._bytes, self._array = new_bytes(), new_array()
        self._put_before = ray.put(self._array)
        ray.get([counter.add.remote(1) for counter in self._counters])
        ray.get([same.remote(number) for number in range(100)])

    def stop(self) -> None:
        ray.shutdown()

    def call(self) -> None:
        """One call, waited for."""
        ray.get(self._counter.add.remote(1))

    def calls(self) -> None:
        """Many calls, then all answers."""
        ray.get([self._counter.add.remote(1) for _ in range(IN_FLIGHT)])

    def one_to_n(self) -> None:
        """The same, dealt to several actors."""
        counters = self._counters
        ray.get([counters[number % FANNED_OUT].add.remote(1) for number in range(IN_FLIGHT)])

    def n_to_n(self) -> None:
        """Two actors that do so with two others."""
        ray.get([caller.drive.remote(self._counters[:2], IN_FLIGHT) for caller in self._callers])

    def task(self) -> None:
        """One task, waited for."""
        ray.get(same.remote(1))

    def tasks(self) -> None:
        """Many tasks, then all results."""
        ray.get([same.remote(number) for number in range(IN_FLIGHT)])

    def small_argument(self) -> None:
        """The same bytes each time."""
        ray.get(self._counter.size.remote(self._bytes))

    def fresh_large_argument(self) -> Any:
        """Another array."""
        return self._array.copy()

    def large_argument(self, array: Any) -> None:
        """An array that nobody has seen before."""
        ray.get(self._counter.size.remote(array))

    def small_put_get(self) -> None:
        """There and back in this process."""
        ray.get(ray.put(self._bytes))

    def large_put_get(self) -> None:
        """There and back in this process."""
        ray.get(ray.put(self._array))

    def put_before(self) -> None:
        """A ref as argument."""
        ray.get(self._counter.size.remote(self._put_before))

    def create(self) -> None:
        """Actors, which have a process each."""
        made = [Counter.remote() for _ in range(self.made["create"])]
        ray.get([counter.add.remote(1) for counter in made])

    create_isolated = create
