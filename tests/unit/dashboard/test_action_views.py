"""What is done to nodes from the dashboard: told to the node first, with who asks, and refused where it cannot be."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import ClientSession

from tests.unit.dashboard.fakes import TOKEN, FakeCluster, member, served

BEARER = {"Authorization": f"Bearer {TOKEN}"}


def cluster() -> FakeCluster:
    made = FakeCluster(member("a"), member("b", state="down"))
    made.say("steering.note", None)
    made.say("control.stop", {"stops": True, "pid": 1, "host": "here"})
    made.say("drain.drain", ["a", 1, 0, 0, True])
    return made


async def post(client: ClientSession, path: str) -> tuple[int, Any]:
    async with client.post(f"/api/v1/nodes/{path}", headers=BEARER) as answer:
        return answer.status, await answer.json()


def asked_of(made: FakeCluster) -> list[tuple[str, str]]:
    return [(node, question) for node, question, _ in made.asked if not question.startswith(("members", "inspect"))]


async def test_a_node_hears_who_stops_it_before_it_is_stopped() -> None:
    made = cluster()
    async with served(made, token=TOKEN) as (client, _):
        status, told = await post(client, "a/stop")

    assert (status, told["text"]) == (200, "stops node a")
    assert asked_of(made) == [("a", "steering.note"), ("a", "control.stop")]
    (args,) = [args for _, question, args in made.asked if question == "steering.note"]
    assert args == ("asks to stop", "the dashboard, for somebody at 127.0.0.1,")


async def test_a_program_s_node_is_that_program_s() -> None:
    made = cluster()
    made.say("control.stop", {"stops": False, "pid": 7, "host": "here"})
    async with served(made, token=TOKEN) as (client, _):
        status, told = await post(client, "a/stop")

    assert status == 409 and "process 7 on here" in told["detail"]


async def test_a_node_is_drained_in_the_background_and_one_that_is_down_is_not() -> None:
    made = cluster()
    async with served(made, token=TOKEN) as (client, _):
        status, told = await post(client, "a/drain")
        refused, _ = await post(client, "b/drain")
        async with asyncio.timeout(60):
            while not made.count("drain.drain"):
                await asyncio.sleep(0)

    assert status == 200 and told["text"].startswith("drains node a") and not told["done"]
    assert refused == 409
    assert asked_of(made) == [("a", "steering.note"), ("a", "drain.drain")]


async def test_another_node_is_started_by_one_that_can_and_who_asks_is_told_first() -> None:
    made = cluster()
    made.say("control.start", {"name": "a-w1", "host": "here"})
    async with served(made, token=TOKEN) as (client, _):
        status, told = await post(client, "a/start")
        made.say("control.start", ValueError("node must be the first one of a `partisan start`"))
        refused, why = await post(client, "a/start")

    assert (status, told["text"]) == (200, "node a-w1 is up on here")
    assert asked_of(made)[:2] == [("a", "steering.note"), ("a", "control.start")]
    assert refused == 409 and "partisan start" in why["detail"]
