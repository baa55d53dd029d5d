"""Many nodes that join at once, in one process, over a network in memory: nobody is left out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from partisan_actors.cli.bench.overlay.graph import Shape
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import TestNode, config_of

# Of computing: all these nodes share one process, and what part of a machine it gets is not theirs to say.
DEADLINE_CPU_S = 90.0


async def until(condition: Callable[[], bool], describe: Callable[[], str]) -> None:
    """Return once `condition()` holds; fail after DEADLINE_CPU_S."""
    deadline = time.process_time() + DEADLINE_CPU_S
    while not condition():
        assert time.process_time() < deadline, describe()
        await asyncio.sleep(0.05)


def shape_of(nodes: list[TestNode]) -> Shape:
    """The overlay, in the nodes' own words."""
    numbers = {node.me: number for number, node in enumerate(nodes)}
    return Shape.of({numbers[node.me]: [numbers[peer] for peer in node.neighbours()] for node in nodes})


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("count", "contacts", "overlay"), [(150, 1, "hyparview"), (150, 10, "hyparview"), (40, 1, "full_mesh")]
)
async def test_nodes_that_join_at_once_are_one_symmetric_overlay_in_which_everybody_is_known(
    count: int, contacts: int, overlay: str
) -> None:
    network = MemoryNetwork()
    nodes = [TestNode(config_of(f"n{number}", overlay=overlay), network) for number in range(count)]
    try:
        await nodes[0].start()
        for node in nodes[1:contacts]:
            await node.start([nodes[0].address])
        others = enumerate(nodes[contacts:])
        await asyncio.gather(*(node.start([nodes[number % contacts].address]) for number, node in others))

        await until(lambda: shape_of(nodes).is_sound, lambda: str(shape_of(nodes)))
        await until(
            lambda: all(node.directory.live_count == count for node in nodes),
            lambda: f"known: {sorted(node.directory.live_count for node in nodes)}",
        )
        assert shape_of(nodes).alone == 0
    finally:
        await asyncio.gather(*(node.close(graceful=False) for node in nodes))
