"""The kill: a node is killed without warning, and its shards are watched until each answers from another node."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from random import Random

import partisan_actors as pa
from partisan_actors.cli.demo.index import IndexShard, insist
from partisan_actors.cli.demo.outcome import Kill, Return
from partisan_actors.cli.demo.whereabouts import live_nodes, node_of, until

__all__ = ["kill_node"]

Shards = Sequence[pa.ActorHandle[IndexShard]]


async def kill_node(shards: Shards, placed: Sequence[str], rng: Random, say: Callable[[str], None]) -> Kill:
    """Send SIGKILL to a node that holds shards; return when all that it held answer again."""
    victim = rng.choice(sorted(set(placed)))
    (pid,) = [row["pid"] for row in live_nodes() if row["name"] == victim]
    lost = [number for number, node in enumerate(placed) if node == victim]
    say(f"killing node {victim}, process {pid}, with {len(lost)} shards on it")
    killed = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    async with asyncio.TaskGroup() as watch:
        noticing = watch.create_task(_noticed(victim, killed))
        returning = [watch.create_task(_returned(number, shards[number], killed)) for number in lost]
    kill = Kill(victim, pid, noticing.result(), tuple(each.result() for each in returning))
    say(f"all of them answer again, {kill.recovery_s * 1000:.0f} ms after the kill")
    return kill


async def _noticed(victim: str, killed: float) -> float:
    await until(lambda: all(row["name"] != victim for row in live_nodes()))
    return time.perf_counter() - killed


async def _returned(number: int, shard: pa.ActorHandle[IndexShard], killed: float) -> Return:
    shelf, _ = await insist(shard.describe.remote)
    after_s = time.perf_counter() - killed
    return Return(number, node_of(shelf.pid), after_s)
