"""xoscar's actors, in a pool with two processes beside the main one."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, ClassVar

import xoscar
from xoscar.backends.allocate_strategy import ProcessIndex

from partisan_actors.cli.bench.frameworks.entrant import AwaitedEntrant, new_array, new_bytes
from partisan_actors.cli.bench.frameworks.work import FANNED_OUT, IN_FLIGHT

__all__ = ["Xoscar"]


class Counter(xoscar.Actor):  # type: ignore[misc]  # xoscar ships no type information
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


class Caller(xoscar.Actor):  # type: ignore[misc]  # as above
    """Calls others."""

    async def drive(self, counters: list[Any], calls: int) -> None:
        """So many calls in flight, dealt to `counters`."""
        await asyncio.gather(*[counters[number % len(counters)].add(1) for number in range(calls)])


class Xoscar(AwaitedEntrant):
    """It has no tasks and no object store."""

    name: ClassVar[str] = "xoscar"

    def version(self) -> str:
        return f"xoscar {xoscar.__version__}"

    def start(self) -> None:
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self._numbers = itertools.count()
        self.loop.run_until_complete(self._start())

    async def _start(self) -> None:
        self._pool = await xoscar.create_actor_pool("127.0.0.1", n_process=2)
        self._counter = await self._made(Counter, 1)
        await self._counter.add(1)

    def settle(self) -> None:
        """What more than one piece of work needs."""
        self.loop.run_until_complete(self._settle())

    async def _settle(self) -> None:
        self._counters = [await self._made(Counter, 1 + number % 2) for number in range(FANNED_OUT)]
        self._callers = [await self._made(Caller, 1 + number) for number in range(2)]
        self._bytes, self._array = new_bytes(), new_array()

    def stop(self) -> None:
        self.loop.run_until_complete(self._pool.stop())
        self.loop.close()

    async def call(self) -> None:
        """One call, waited for."""
        await self._counter.add(1)

    async def calls(self) -> None:
        """Many calls, then all answers."""
        await asyncio.gather(*[self._counter.add(1) for _ in range(IN_FLIGHT)])

    async def one_to_n(self) -> None:
        """The same, dealt to several actors."""
        counters = self._counters
        await asyncio.gather(*[counters[number % FANNED_OUT].add(1) for number in range(IN_FLIGHT)])

    async def n_to_n(self) -> None:
        """Two actors that do so with two others."""
        await asyncio.gather(*[caller.drive(self._counters[:2], IN_FLIGHT) for caller in self._callers])

    async def small_argument(self) -> None:
        """The same bytes each time."""
        await self._counter.size(self._bytes)

    def fresh_large_argument(self) -> Any:
        """Another array."""
        return self._array.copy()

    async def large_argument(self, array: Any) -> None:
        """An array that nobody has seen before."""
        await self._counter.size(array)

    async def create(self) -> None:
        """Actors in one process of the pool, one after the other: there is no other way."""
        made = [await self._made(Counter, 1) for _ in range(self.made["create"])]
        await asyncio.gather(*[counter.add(1) for counter in made])
        for counter in made:
            await xoscar.destroy_actor(counter)

    async def _made(self, kind: type, process: int) -> Any:
        return await xoscar.create_actor(
            kind,
            address=self._pool.external_address,
            uid=f"{kind.__name__}-{next(self._numbers)}",
            allocate_strategy=ProcessIndex(process),
        )
