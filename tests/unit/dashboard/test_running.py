"""Tests of dashboards of real nodes: on this loop, and beside a node on a thread."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession

from partisan_actors.api.runtime import Runtime
from partisan_actors.dashboard.options import DashboardOptions
from partisan_actors.dashboard.running import Dashboard
from partisan_actors.errors import ConfigError, NotYetConnected
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import COOKIE
from tests.unit.api.runtimes import door, runtimes


def dashboard_of(network: MemoryNetwork, node: Runtime, **options: Any) -> Dashboard:
    given = DashboardOptions(**{"port": 0, **options})
    return Dashboard(given, lambda: [node.node.address], COOKIE, transport=door(network))


async def told(client: ClientSession, url: str, status: int) -> str:
    """What is answered with that status, once it is: answers are shared for a moment."""
    async with asyncio.timeout(60):
        while True:
            async with client.get(url) as response:
                if response.status == status:
                    return await response.text()
            await asyncio.sleep(0.05)


async def test_nodes_tell_the_dashboard_of_themselves() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", "b", "c") as (a, *_), dashboard_of(network, a) as made, ClientSession() as client:
        found = {}
        for path in ("cluster", "nodes", "nodes/b", "overlay", "actors", "tasks", "groups", "deadlocks"):
            async with client.get(f"{made.url}api/v1/{path}") as response:
                assert response.status == 200, await response.text()
                found[path] = await response.json()

    assert (found["cluster"]["asked"], found["cluster"]["answered"]) == (3, 3)
    assert [row["name"] for row in found["nodes"]["rows"]] == ["a", "b", "c"]
    assert found["nodes/b"]["status"]["node"] == "b"
    assert found["overlay"]["parts"] == [["a", "b", "c"]]


async def test_health_is_that_of_the_node_that_was_found_first() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", "b") as (a, b), dashboard_of(network, b) as made, ClientSession() as client:
        async with client.get(f"{made.url}alive") as response:
            assert (response.status, (await response.json())["node"]) == (200, "b")
        async with client.get(f"{made.url}ready") as response:
            assert (response.status, (await response.json())["neighbours"]) == (200, 1)
        b.scheduler.close_room()
        assert "drained" in await told(client, f"{made.url}ready", 503)
        await b.close()
        assert "does not answer" in await told(client, f"{made.url}alive", 503)
        # The other node tells of the cluster now.
        assert '"asked":1' in await told(client, f"{made.url}api/v1/cluster", 200)
        assert a.node.directory.live()


async def test_who_finds_no_node_or_cannot_listen_says_so_and_leaves_nothing() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a") as (a,):
        lost = Dashboard(DashboardOptions(port=0), lambda: ["memory:9"], COOKIE, transport=door(network))
        with pytest.raises(NotYetConnected):
            await lost.__aenter__()
        with pytest.raises(ConfigError):
            await dashboard_of(network, a, host="203.0.113.7", token="x" * 16).__aenter__()
