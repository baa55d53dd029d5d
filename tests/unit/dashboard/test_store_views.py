"""Tests of what the dashboard tells of objects and of dead letters, on whole nodes in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import partisan_actors as pa
from partisan_actors.dashboard.options import DashboardOptions
from partisan_actors.dashboard.running import Dashboard
from partisan_actors.errors import ActorStopped
from partisan_actors.transport.memory import MemoryTransport
from tests.integration.nodes import COOKIE, Nodes, nodes, until
from tests.unit.dashboard.test_jaeger import asked


@pa.actor
class Holder:
    def __init__(self) -> None:
        self.held: list[Any] = []

    async def hold(self, refs: list[Any]) -> int:
        self.held += refs
        return len(self.held)


def dashboard_of(cluster: Nodes) -> Dashboard:
    transport = MemoryTransport(asyncio.get_running_loop(), cluster.network)
    address = cluster["a"].node.address
    return Dashboard(DashboardOptions(port=0), lambda: [address], COOKIE, transport=transport)


async def test_who_holds_an_object_is_told_by_its_owner() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            actor = Holder.options(scheduling_strategy=pa.NodeAffinity("b")).remote()
            ref = pa.put(bytes(400_000))
            assert await actor.hold.remote([ref]) == 1
        await until(lambda: any(each.borrowers for each in cluster["a"].objects.lending.lent.values()))

        async with dashboard_of(cluster) as made, _client(made) as client:
            found = await asked(client, "/api/v1/objects", node="a")

    rows = [row for row in found["rows"] if row["id"] == str(ref.id)]
    assert [(row["state"], row["where"], row["held_by"], row["handles"]) for row in rows] == [
        ("ready", "memory", ["b"], 1)
    ]
    assert rows[0]["size_bytes"] >= 400_000
    assert {each["node"] for each in found["stores"]} == {"a", "b"}


async def test_a_message_that_reached_nobody_is_told_with_the_reason_and_by_it() -> None:
    async with nodes("a") as cluster:
        cluster["a"].system.dead_letter("somebody who left", "greet", ActorStopped("somebody", "it has ended"), "b")
        cluster["a"].system.dead_letter("anybody", "wave", "who knows")

        async with dashboard_of(cluster) as made, _client(made) as client:
            found = await asked(client, "/api/v1/dead-letters", reason="actor ended")

    (row,) = found["rows"]
    assert found["count"] == 2 and found["reasons"] == {"actor ended": 1, "other": 1}
    assert (row["node"], row["whom"], row["method"], row["sender"]) == ("a", "somebody who left", "greet", "b")
    assert row["reason"] == "actor ended" and "it has ended" in row["why"]


def _client(made: Dashboard) -> Any:
    from aiohttp import ClientSession

    return ClientSession(made.url.rstrip("/"))
