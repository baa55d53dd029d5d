"""Whole runtimes in one process, over memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from partisan_actors.api.runtime import Runtime
from partisan_actors.transport.memory import MemoryNetwork, MemoryTransport
from tests.nodes import config_of, until


def door(network: MemoryNetwork) -> MemoryTransport:
    """A transport of its own for one more node."""
    return MemoryTransport(asyncio.get_running_loop(), network)


@asynccontextmanager
async def runtimes(network: MemoryNetwork, *names: str, **settings: Any) -> AsyncIterator[list[Runtime]]:
    """One cluster, joined through the first, in which everybody knows everybody."""
    made: list[Runtime] = []
    try:
        for name in names:
            runtime = Runtime(config_of(name, **settings), transport=door(network))
            made.append(runtime)
            await runtime.start([made[0].node.address] if len(made) > 1 else [])
        await until(lambda: all(len(runtime.node.directory.live()) == len(made) for runtime in made), "all are known")
        yield made
    finally:
        for runtime in made:
            await runtime.close()
