"""Requests to services of other nodes while connections break: each of them ends, on any channel."""

from __future__ import annotations

import asyncio
import random

import pytest

import partisan_actors as pa
from partisan_actors.node.node import Node
from partisan_actors.wire.channels import BULK, CALLS
from tests.integration.nodes import nodes

REQUESTS = 60
# Within an envelope, beside one, and more than the bulk channel takes in one go.
SIZES = (10, 50_000, 400_000, 3_000_000)
ENDS_WITHIN_S = 120.0


class Echo:
    async def same(self, peer: object, data: bytes) -> bytes:
        await asyncio.sleep(0)
        return data

    async def half(self, peer: object, data: bytes) -> bytes:
        await asyncio.sleep(0.01)
        return data[: len(data) // 2]


def break_one(node: Node, rng: random.Random) -> int:
    """Cut one of its connections; returns how many were cut."""
    lanes = [connection for peer in node.router.peers.values() for connection in peer.connections()]
    if not lanes:
        return 0
    rng.choice(lanes).cut(ConnectionResetError("of the test"))
    return 1


@pytest.mark.parametrize("channel", [BULK, CALLS])
async def test_each_is_answered_or_fails_while_connections_break_at_random(channel: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    async with nodes("a", "b") as cluster:
        for name in ("a", "b"):
            cluster[name].system.serve("echo", Echo(), channel=channel)
        a, b = cluster["a"], cluster["b"]
        cut = 0

        async def ask(data: bytes, method: str) -> bool:
            try:
                answer = await a.system.request(b.node.me, "echo", method, data, channel=channel)
            except pa.PartisanError:
                return False
            assert answer == (data if method == "same" else data[: len(data) // 2])
            return True

        asked = []
        for _ in range(REQUESTS):
            asked.append(asyncio.ensure_future(ask(rng.randbytes(rng.choice(SIZES)), rng.choice(("same", "half")))))
            await asyncio.sleep(rng.choice((0, 0, 0.002)))
            if rng.random() < 0.4:
                cut += break_one(rng.choice((a, b)).node, rng)

        answered = await asyncio.wait_for(asyncio.gather(*asked), ENDS_WITHIN_S)

        assert cut > 0
        print(f"{sum(answered)} of {REQUESTS} answered, {cut} connections cut")
        assert any(answered)
