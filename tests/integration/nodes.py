"""Several whole nodes in this process, over a network in memory: real above the socket, quick to start and break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from partisan_actors.actors.context import current_system
from partisan_actors.api.runtime import Runtime
from partisan_actors.node.config import NodeConfig
from partisan_actors.transport.memory import MemoryNetwork, MemoryTransport

__all__ = ["Nodes", "until"]

COOKIE = b"cookie of the nodes in memory"
# News that a change of the overlay swallowed comes with the next comparison of maps, which is every ten seconds or so.
KNOWN_S = 60.0


class Crashable(MemoryTransport):
    """A door that can be shut: for good, as a node that crashed reaches nobody, whatever it still does in this process,
    or towards some addresses."""

    is_crashed = False
    forbidden: Collection[str] = ()

    async def dial(self, address: str, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        if self.is_crashed or address in self.forbidden:
            raise ConnectionRefusedError("this node has crashed" if self.is_crashed else "the network is cut")
        await super().dial(address, factory)


class Nodes:
    """A cluster of runtimes by name."""

    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.runtimes: dict[str, Runtime] = {}
        self.transports: dict[str, Crashable] = {}

    def __getitem__(self, name: str) -> Runtime:
        return self.runtimes[name]

    async def add(self, name: str, *, contact: str = "", **settings: Any) -> Runtime:
        """Start a node and join it to the others, through the first or through `contact`."""
        loop = asyncio.get_running_loop()
        config = NodeConfig(
            name=name,
            cluster="memory",
            bind="memory:0",
            cookie=COOKIE,
            seed=len(self.runtimes),
            **{"load_period_s": 0.05, "keep_alive_s": 0.2, "resources": {"num_cpus": 1.0}, **settings},
        )
        transport = self.transports[name] = Crashable(loop, self.network)
        runtime = Runtime(config, transport=transport)
        known = [self.runtimes[contact]] if contact else list(self.runtimes.values())[:1]
        contacts = [other.node.address for other in known]
        await runtime.start(contacts)
        self.runtimes[name] = runtime
        await until(
            lambda: all(len(each.node.directory.live()) == len(self.runtimes) for each in self.runtimes.values()),
            timeout_s=KNOWN_S,
        )
        return runtime

    async def crash(self, name: str) -> None:
        """End a node without a word to anybody."""
        runtime = self.runtimes.pop(name)
        self.transports.pop(name).is_crashed = True
        await runtime.node.close(graceful=False)
        await runtime.system.close(hooks_s=0.0)
        runtime.executor.close()
        await runtime.node.background.close()

    @contextmanager
    def at(self, name: str) -> Iterator[Runtime]:
        """Code in here belongs to that node."""
        token = current_system.set(self.runtimes[name].system)
        try:
            yield self.runtimes[name]
        finally:
            current_system.reset(token)

    def where(self) -> dict[str, int]:
        """How many actors each node runs."""
        return {name: len(runtime.system.local_cells()) for name, runtime in sorted(self.runtimes.items())}


@asynccontextmanager
async def nodes(*names: str, **settings: Any) -> AsyncIterator[Nodes]:
    """A cluster of those nodes; all of them end with the block."""
    cluster = Nodes()
    try:
        for name in names:
            await cluster.add(name, **settings)
        yield cluster
    finally:
        for runtime in reversed(list(cluster.runtimes.values())):
            await runtime.close()


async def until(condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """The first true answer of `condition`. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not (answer := condition()):
            await asyncio.sleep(0.005)
    return answer
