"""Ours, twice: as a program that blocks, as most of Ray's users write, and as one that awaits."""

from __future__ import annotations

from typing import Any, ClassVar

import partisan_actors as pa
from partisan_actors.cli.bench import floor
from partisan_actors.cli.bench.frameworks.actors import Caller, Counter, same
from partisan_actors.cli.bench.frameworks.entrant import AwaitedEntrant, Entrant, new_array, new_bytes
from partisan_actors.cli.bench.frameworks.work import FANNED_OUT, IN_FLIGHT

__all__ = ["Awaited", "Ours"]

WORKERS = 2
"""As many as each other entrant has where that can be chosen, and as the machine has cores."""


class Ours(Entrant):
    """`with pa.init()` and `pa.get`, from a plain thread."""

    name: ClassVar[str] = "partisan_actors"

    def version(self) -> str:
        return f"partisan_actors {pa.__version__}"

    def start(self) -> None:
        self._session = pa.init(workers=WORKERS)
        self._counter = Counter.remote()
        pa.get(self._counter.add.remote(1))

    def settle(self) -> None:
        """What more than one piece of work needs."""
        self._counters = [Counter.remote() for _ in range(FANNED_OUT)]
        self._callers = [Caller.remote() for _ in range(2)]
        self._bytes, self._array = new_bytes(), new_array()
        self._put_before = pa.put(self._array)
        pa.get([counter.add.remote(1) for counter in self._counters])

    def stop(self) -> None:
        self._session.close()

    def call(self) -> None:
        """One call, waited for."""
        pa.get(self._counter.add.remote(1))

    def calls(self) -> None:
        """Many calls, then all answers."""
        pa.get([self._counter.add.remote(1) for _ in range(IN_FLIGHT)])

    def one_to_n(self) -> None:
        """The same, dealt to several actors."""
        counters = self._counters
        pa.get([counters[number % FANNED_OUT].add.remote(1) for number in range(IN_FLIGHT)])

    def n_to_n(self) -> None:
        """Two actors that do so with two others."""
        pa.get([caller.drive.remote(self._counters[:2], IN_FLIGHT) for caller in self._callers])

    def task(self) -> None:
        """One task, waited for."""
        pa.get(same.remote(1))

    def tasks(self) -> None:
        """Many tasks, then all results."""
        pa.get([same.remote(number) for number in range(IN_FLIGHT)])

    def small_argument(self) -> None:
        """The same bytes each time."""
        pa.get(self._counter.size.remote(self._bytes))

    def fresh_large_argument(self) -> Any:
        """Another array."""
        return self._array.copy()

    def large_argument(self, array: Any) -> None:
        """An array that nobody has seen before."""
        pa.get(self._counter.size.remote(array))

    def small_put_get(self) -> None:
        """There and back in this process."""
        pa.get(pa.put(self._bytes))

    def large_put_get(self) -> None:
        """There and back in this process."""
        pa.get(pa.put(self._array))

    def put_before(self) -> None:
        """A ref as argument."""
        pa.get(self._counter.size.remote(self._put_before))

    def create(self) -> None:
        """Light actors."""
        made = [Counter.remote() for _ in range(self.made["create"])]
        pa.get([counter.add.remote(1) for counter in made])

    def create_isolated(self) -> None:
        """Actors with a process each."""
        made = [Counter.options(isolation="process").remote() for _ in range(self.made["create_isolated"])]
        pa.get([counter.add.remote(1) for counter in made])


class Awaited(AwaitedEntrant):
    """`async with pa.init()` and `await`, on the loop that the node lives on."""

    name: ClassVar[str] = "partisan_actors, await"

    def version(self) -> str:
        return f"partisan_actors {pa.__version__}"

    def start(self) -> None:
        self._runner = floor.new_runner()
        self.loop = self._runner.get_loop()
        self.loop.run_until_complete(self._start())

    async def _start(self) -> None:
        self._session = pa.init(workers=WORKERS)
        await self._session.__aenter__()
        self._counter = Counter.remote()
        await self._counter.add.remote(1)

    def settle(self) -> None:
        """What more than one piece of work needs."""
        self.loop.run_until_complete(self._settle())

    async def _settle(self) -> None:
        self._counters = [Counter.remote() for _ in range(FANNED_OUT)]
        self._bytes, self._array = new_bytes(), new_array()
        self._put_before = pa.put(self._array)
        for counter in self._counters:
            await counter.add.remote(1)

    def stop(self) -> None:
        self.loop.run_until_complete(self._session.__aexit__(None, None, None))
        self._runner.close()

    async def call(self) -> None:
        """One call, waited for."""
        await self._counter.add.remote(1)

    async def calls(self) -> None:
        """Many calls, then all answers."""
        for ref in [self._counter.add.remote(1) for _ in range(IN_FLIGHT)]:
            await ref

    async def one_to_n(self) -> None:
        """The same, dealt to several actors."""
        counters = self._counters
        for ref in [counters[number % FANNED_OUT].add.remote(1) for number in range(IN_FLIGHT)]:
            await ref

    async def task(self) -> None:
        """One task, waited for."""
        await same.remote(1)

    async def tasks(self) -> None:
        """Many tasks, then all results."""
        for ref in [same.remote(number) for number in range(IN_FLIGHT)]:
            await ref

    async def small_argument(self) -> None:
        """The same bytes each time."""
        await self._counter.size.remote(self._bytes)

    def fresh_large_argument(self) -> Any:
        """Another array."""
        return self._array.copy()

    async def large_argument(self, array: Any) -> None:
        """An array that nobody has seen before."""
        await self._counter.size.remote(array)

    async def put_before(self) -> None:
        """A ref as argument."""
        await self._counter.size.remote(self._put_before)

    async def create(self) -> None:
        """Light actors."""
        made = [Counter.remote() for _ in range(self.made["create"])]
        for ref in [counter.add.remote(1) for counter in made]:
            await ref
