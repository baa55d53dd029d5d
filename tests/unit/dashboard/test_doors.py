"""Tests of who keeps a dashboard waiting: what is closed and when, by the clock of the test; and over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from partisan_actors.dashboard import server as server_module
from partisan_actors.dashboard.doors import Doors, Patience
from partisan_actors.dashboard.endpoints import Desk
from tests.unit.dashboard.fakes import FakeCluster, member, served

SOON_S = 60.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_who_asks_nothing_is_closed_after_the_idle_time_and_whoever_asks_has_longer() -> None:
    clock = Clock()
    doors = Doors(Patience(idle_s=10, answer_s=50), clock)
    assert doors.overdue(["silent", "busy", "stream"]) == []
    doors.asked("busy")
    doors.streams("stream")

    clock.now += 10
    assert doors.overdue(["silent", "busy", "stream"]) == ["silent"]
    clock.now += 40
    assert doors.overdue(["busy", "stream"]) == ["busy"]
    clock.now += 10_000
    assert doors.overdue(["stream"]) == []


def test_an_answer_begins_the_idle_time_anew_and_who_has_gone_is_forgotten() -> None:
    clock = Clock()
    doors = Doors(Patience(idle_s=10, answer_s=50), clock)
    doors.asked("a")
    clock.now += 49
    doors.answered("a")
    clock.now += 9
    assert doors.overdue(["a"]) == []

    clock.now += 1
    assert doors.overdue(["a"]) == ["a"]
    assert doors.overdue([]) == []
    assert doors.overdue(["a"]) == []  # another one by that name


async def hangs_up(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other side hangs up."""
    async with asyncio.timeout(SOON_S):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


@pytest.mark.parametrize("begun", [b"", b"GET /alive HTTP/1.1\r\nHost: local", b"POST /login HTTP/1.1\r\nX: y\r\n"])
async def test_half_a_request_is_not_waited_for_for_ever(begun: bytes) -> None:
    async with served(FakeCluster(member("a")), patience=Patience(idle_s=0.2, sweep_s=0.05)) as (_, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(begun)

        assert await hangs_up(reader) == b""
        writer.close()


async def test_a_body_that_does_not_come_is_refused() -> None:
    head = b"POST /api/transform HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
    async with served(FakeCluster(member("a")), patience=Patience(body_s=0.1)) as (_, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head)

        async with asyncio.timeout(SOON_S):
            assert b" 408 " in await reader.readline()
        writer.close()


async def test_who_comes_when_the_house_is_full_is_told_so_and_comes_in_when_there_is_room() -> None:
    patience = Patience(connections_max=2)
    async with served(FakeCluster(member("a")), patience=patience) as (client, server):
        held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        for reader, writer in held:  # a connection counts once it is served
            writer.write(b"GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\n\r\n")
            async with asyncio.timeout(SOON_S):
                assert b" 200 " in await reader.readline()

        reader, turned_away = await asyncio.open_connection("127.0.0.1", server.port)
        assert (await hangs_up(reader)).startswith(b"HTTP/1.1 503 ")
        turned_away.close()
        for _, writer in held:
            writer.close()

        async with asyncio.timeout(SOON_S):
            while True:
                async with client.get("/api/v1/session") as response:
                    if response.status == 200:
                        break


async def test_a_page_that_does_not_read_its_stream_loses_it_and_others_have_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_over = asyncio.Event()

    async def flood(desk: Desk) -> AsyncGenerator[tuple[str, Any], None]:
        try:
            while True:
                yield "flood", "x" * 1_000_000
        finally:
            is_over.set()

    monkeypatch.setitem(server_module.STREAMS, "/api/v1/changes", flood)
    patience = Patience(write_s=0.2, streams_max=1)
    async with served(FakeCluster(member("a")), patience=patience) as (client, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /api/v1/changes HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(SOON_S):
            assert b" 200 " in await reader.readline()
            async with client.get("/api/v1/changes") as response:
                assert response.status == 503
            await is_over.wait()
            while True:
                async with client.get("/api/v1/changes") as response:
                    if response.status == 200:
                        break
        writer.close()
