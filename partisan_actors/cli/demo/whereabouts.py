"""Who is where: the nodes that are up, the neighbours of each, and the shards they hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import partisan_actors as pa
from partisan_actors.api.inspection import LIVE
from partisan_actors.cli.demo.index import IndexShard
from partisan_actors.cli.demo.outcome import Overlay

__all__ = ["live_nodes", "node_of", "overlay", "overlay_without", "placement", "until"]

LOOK_S: Final = 0.005
"""How often it is looked again for something that is to happen."""
SETTLE_S: Final = 3.0
"""How long neighbours may take to tell that they let go of a dead node; then the overlay is shown as it is."""


async def placement(shards: Sequence[pa.ActorHandle[IndexShard]]) -> tuple[str, ...]:
    """The nodes of the shards, as the shards themselves say."""
    shelves = await asyncio.gather(*(shard.describe.remote() for shard in shards))
    return tuple(node_of(shelf.pid) for shelf in shelves)


def overlay() -> Overlay:
    """Every node that is up, with its neighbours."""
    return {row["name"]: tuple(row["neighbours"]) for row in live_nodes()}


async def overlay_without(dead: str) -> Overlay:
    """The same, once no neighbour of `dead` tells of it any more."""
    deadline = time.monotonic() + SETTLE_S
    await until(lambda: time.monotonic() > deadline or not any(dead in each for each in overlay().values()))
    return overlay()


async def until(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds. What it asks about becomes known by gossip, which has no event to wait for."""
    while not condition():  # noqa: ASYNC110 - as just said
        await asyncio.sleep(LOOK_S)


def node_of(pid: int) -> str:
    """The name of the node that is this process."""
    return next((row["name"] for row in live_nodes() if row["pid"] == pid), f"process {pid}")


def live_nodes() -> list[dict[str, Any]]:
    """The rows of `partisan_actors.nodes()` for the nodes that are up, those that are slow to answer included."""
    return [row for row in pa.nodes() if row["state"] in LIVE]
