"""The floor as an entrant: uvloop, msgpack and one connection, with no framework between the processes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import ClassVar

from partisan_actors.cli.bench import floor
from partisan_actors.cli.bench.frameworks.entrant import AwaitedEntrant, new_bytes
from partisan_actors.cli.bench.frameworks.work import IN_FLIGHT

__all__ = ["Floor"]


class Floor(AwaitedEntrant):
    """It can only add and measure."""

    name: ClassVar[str] = "floor"

    def version(self) -> str:
        from importlib.metadata import version

        return f"uvloop {version('uvloop')} and msgpack {version('msgpack')}"

    def start(self) -> None:
        self._serving = ExitStack()
        pid, port = self._serving.enter_context(floor.serving())
        self._runner = floor.new_runner()
        self.loop = self._runner.get_loop()
        self._peer = self.loop.run_until_complete(floor.connect(pid, port))
        self.loop.run_until_complete(self.call())

    def settle(self) -> None:
        self._bytes = new_bytes()

    def stop(self) -> None:
        self._peer.close()
        self._serving.close()
        self._runner.close()

    async def call(self) -> None:
        """One request, waited for."""
        await self._peer.add(1)

    async def calls(self) -> None:
        """Many requests, then all answers."""
        for answer in [self._peer.add(1) for _ in range(IN_FLIGHT)]:
            await answer

    async def small_argument(self) -> None:
        """The same bytes each time."""
        await self._peer.size(self._bytes)
