"""Tests of what the dashboard tells of objects and of dead letters, on whole nodes in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import partisan_actors as pa
from partisan_actors.dashboard.access import CSRF_HEADER
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


@pa.actor
class Clerk:
    def __init__(self) -> None:
        self.letters: list[Any] = []

    async def file(self, letter: Any) -> None:
        self.letters.append(letter)

    async def filed(self) -> list[Any]:
        return self.letters


async def test_a_message_that_reached_nobody_is_sent_again_to_somebody_else() -> None:
    async with nodes("a", "b") as cluster:
        with cluster.at("a"):
            gone, here = (Clerk.options(scheduling_strategy=pa.NodeAffinity("b")).remote() for _ in range(2))
            await gone.filed.remote()
            await here.filed.remote()
            cell = cluster["b"].system.cell(gone._location.actor)
            assert cell is not None
            cell.stop("it was killed")
            await until(lambda: cluster["b"].system.cell(gone._location.actor) is None)
            gone.file.tell({"of": {1, 2}})
        letters = [cluster[name].system.dead_letters for name in ("a", "b")]
        await until(lambda: sum(each.count for each in letters) == 1)

        async with dashboard_of(cluster) as made, _client(made) as client:
            (row,) = (await asked(client, "/api/v1/dead-letters"))["rows"]
            assert row["may_resend"] and row["actor"] == str(gone._location.actor)
            path = f"/api/v1/nodes/{row['node']}/dead-letters/{row['number']}/resend"
            async with client.get("/"):
                pass
            secret = {CSRF_HEADER: (await asked(client, "/api/v1/session"))["csrf"]}
            refused = [
                await _status(client, path, secret, to="actor:x~1/1"),  # nobody
                await _status(client, path, secret, to=str(gone._location.actor)),  # it has ended
            ]
            assert refused[0] == 404 and refused[1] in (404, 409)
            assert await _status(client, path, secret, to=str(here._location.actor)) == 200
            assert await _status(client, path, secret, to=str(here._location.actor)) == 409  # it is not kept any more
        with cluster.at("a"):
            assert await here.filed.remote() == [{"of": {1, 2}}]


async def _status(client: Any, path: str, headers: Any, **parameters: str) -> int:
    async with client.post(path, params=parameters, headers=headers) as response:
        await response.read()
        return int(response.status)


def _client(made: Dashboard) -> Any:
    from aiohttp import ClientSession, CookieJar

    return ClientSession(made.url.rstrip("/"), cookie_jar=CookieJar(unsafe=True))
