"""The page of events: rows of all nodes, those that many have seen once; and the stream of what comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import ClientResponse

from partisan_actors.telemetry.event_feed import EventFeed
from tests.unit.dashboard.fakes import FakeCluster, member, served
from tests.unit.dashboard.test_jaeger import asked

PATIENCE_S = 60


class Told:
    """A cluster of a, b and c, of which c does not answer, and the feeds of the others."""

    def __init__(self) -> None:
        self.time = 0
        self.cluster = FakeCluster(member("a"), member("b"), member("c"))
        self.feeds = {name: EventFeed(name, self._clock) for name in "ab"}
        for name, feed in self.feeds.items():
            self.cluster.answers[name, "events.tail"] = feed.tail

    def _clock(self) -> int:
        self.time += 1
        return self.time * 1_000_000_000

    def down(self, name: str) -> None:
        for feed in self.feeds.values():
            feed.tell("node.down", name, id=f"{name}~1", why="it does not answer")


def about(found: dict[str, Any]) -> list[str]:
    return [row["about"] for row in found["rows"]]


async def test_what_all_have_seen_is_shown_once_and_who_did_not_answer_is_told() -> None:
    told = Told()
    told.down("x")
    told.feeds["b"].tell("name.lost", "shop")

    async with served(told.cluster) as (client, _):
        found = await asked(client, "/api/v1/events")

    assert about(found) == ["x", "shop"] and found["rows"][0]["seen_by"] == ["a", "b"]
    assert (found["asked"], found["answered"], found["cut"]) == (3, 2, False)


async def test_events_are_chosen_by_kind_node_severity_and_text() -> None:
    told = Told()
    told.down("x")
    told.feeds["b"].tell("name.lost", "shop")

    async with served(told.cluster) as (client, _):
        assert about(await asked(client, "/api/v1/events", kind="node")) == ["x"]
        assert about(await asked(client, "/api/v1/events", kind="name.lost")) == ["shop"]
        assert about(await asked(client, "/api/v1/events", severity="error")) == ["x"]
        assert about(await asked(client, "/api/v1/events", q="SHOP")) == ["shop"]
        assert about(await asked(client, "/api/v1/events", node="a")) == ["x"]
        await asked(client, "/api/v1/events", status=400, kind="weather")
        await asked(client, "/api/v1/events", status=400, limit="100000")


async def events_of(response: ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    kind = ""
    async for line in response.content:
        word, _, value = line.decode().strip().partition(": ")
        if word == "event":
            kind = value
        elif word == "data":
            yield kind, json.loads(value)


async def test_the_stream_tells_each_event_once_as_it_comes() -> None:
    told = Told()
    told.down("x")

    async with served(told.cluster) as (client, _), asyncio.timeout(PATIENCE_S):
        async with client.get("/") as page:  # for the session
            assert page.status == 200
        async with client.get("/api/v1/events/stream") as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            stream = events_of(response)
            first = await anext(stream)
            told.down("y")
            second = await anext(stream)

    assert first[0] == second[0] == "events"
    assert about(first[1]) == ["x"] and about(second[1]) == ["y"]
    assert (first[1]["asked"], first[1]["answered"]) == (3, 2)
