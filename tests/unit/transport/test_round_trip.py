"""How far the other end is, as the kernel knows."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from partisan_actors.transport.round_trip import round_trip_s

on_linux = pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="asks Linux")


class Transport:
    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def get_extra_info(self, name: str) -> Any:
        return self.stream if name == "socket" else None


@on_linux
async def test_a_connection_that_has_carried_something_has_a_round_trip() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(1))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"x")
    assert await asyncio.wait_for(reader.readexactly(1), 60) == b"x"

    found = round_trip_s(writer.transport)

    writer.close()
    server.close()
    assert found is not None and 0 < found < 60


@on_linux
def test_what_is_closed_or_no_tcp_has_none() -> None:
    closed = socket.socket()
    closed.close()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert [round_trip_s(Transport(each)) for each in (None, closed, ours)] == [None, None, None]
    assert round_trip_s(None) is None
