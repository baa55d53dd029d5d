"""Tests of what comes in that is no HTTP, or too much of it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.unit.dashboard.fakes import FakeCluster, member, served


async def said(port: int, data: bytes, *, is_all: bool = True) -> bytes:
    """What the server answers to these bytes until it hangs up, or has nothing more to say."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    if is_all:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /alive HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /alive HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /api/transform HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n{",
    ],
)
async def test_what_is_no_request_is_refused_and_not_logged(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with served(FakeCluster(member("a"))) as (client, server):
        with caplog.at_level(logging.WARNING):
            async with asyncio.timeout(60):
                answer = await said(server.port, data)

        assert answer == b"" or answer.split(b" ")[1][:1] == b"4"
        assert "Traceback" not in caplog.text
        async with client.get("/api/v1/session") as response:
            assert response.status == 200


async def test_a_page_of_the_shell_is_not_read_from_outside_the_assets() -> None:
    async with served(FakeCluster(member("a"))) as (_, server):
        for path in (b"/assets/..%2fserver.py", b"/assets/%2e%2e/server.py", b"/assets/../../options.py"):
            answer = await said(server.port, b"GET " + path + b" HTTP/1.0\r\nHost: localhost\r\n\r\n", is_all=False)
            assert answer.split(b" ")[1] == b"404"
