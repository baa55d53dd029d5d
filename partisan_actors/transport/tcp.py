"""Byte streams over TCP: listening and dialling."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.wire.addresses import format_address, parse_address

__all__ = ["ACCEPTED_IN_A_TURN", "TcpTransport"]

# Connections that wait to be accepted: as many as may come while a loop has no time. The system may allow fewer.
BACKLOG: Final = 4096
# uvloop accepts one connection for each listening socket in a turn of the loop. So that hundreds that join at once do
# not wait for as many turns, the one socket is listened on by so many handles.
ACCEPTED_IN_A_TURN: Final = 16


class TcpTransport:
    """The real network. One listening socket; every byte stream is a TCP connection with Nagle's algorithm off."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._servers: list[asyncio.Server] = []

    async def listen(self, address: str, factory: Callable[[], asyncio.BaseProtocol]) -> str:
        """Accept at `address`; port 0 takes a free one. Returns the bound address.

        Raises ConfigError when it cannot be bound.
        """
        host, port = parse_address(address)
        try:
            first = await self._loop.create_server(factory, host, port, backlog=BACKLOG)
        except OSError as error:
            why = error.strerror or error
            raise ConfigError("bind", address, f"an address that can be bound here ({why})") from error
        self._servers.append(first)
        for listening in first.sockets:
            for _ in range(ACCEPTED_IN_A_TURN - 1):
                same = socket.socket(fileno=os.dup(listening.fileno()))
                self._servers.append(await self._loop.create_server(factory, sock=same, backlog=BACKLOG))
        bound: Any = first.sockets[0].getsockname()
        return format_address(bound[0], bound[1])

    async def dial(self, address: str, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        """Open a byte stream to `address`. Raises OSError."""
        host, port = parse_address(address)
        transport, _ = await self._loop.create_connection(factory, host, port)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()
        self._servers.clear()
