"""What a node takes from outside: the real thing, unless it is given another world."""

from __future__ import annotations

import asyncio
import os
import time

from partisan_actors.ids import NodeId
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.node import Node
from partisan_actors.node.world import World


def test_the_world_is_the_real_one_by_default() -> None:
    world = World()

    assert abs(world.wall_clock_ns() - time.time_ns()) < 60 * 10**9
    assert len(world.token_bytes(32)) == 32
    assert world.token_bytes(32) != world.token_bytes(32)
    assert world.process_id() == os.getpid()
    assert world.host_name()


async def test_a_node_in_another_world_is_who_that_world_makes_it() -> None:
    def make() -> Node:
        world = World(lambda: 5_000_000, lambda count: bytes(count), lambda: 1, lambda: "elsewhere")
        return Node(NodeConfig(name="a"), asyncio.get_running_loop(), world=world)

    one, other = make(), make()

    assert one.me == other.me == NodeId("a", 5000)
    assert [one.rng.random() for _ in range(3)] == [other.rng.random() for _ in range(3)]
