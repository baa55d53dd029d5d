"""Byte streams over TCP: listening and dialling."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
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
            family = _family(host)
            if family is None:
                first = await self._loop.create_server(factory, host, port, backlog=BACKLOG)
            else:
                sock = socket.create_server((host, port), family=family, backlog=BACKLOG)
                first = await self._loop.create_server(factory, sock=sock, backlog=BACKLOG)
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
        family = _family(host)
        if family is None:
            transport, _ = await self._loop.create_connection(factory, host, port)
        else:
            connected = await _connected(self._loop, family, (host, port))
            transport, _ = await self._loop.create_connection(factory, sock=connected)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()
        self._servers.clear()


def _family(host: str) -> socket.AddressFamily | None:
    """Of a host that is an address; None for one that is a name.

    Loops look up both on threads. An address needs none: of four threads of uvloop, most nodes have no other use.
    """
    if sys.platform == "win32":
        return None  # loops there cannot wait for a socket of somebody else's
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return family
    return None


async def _connected(
    loop: asyncio.AbstractEventLoop, family: socket.AddressFamily, address: tuple[str, int]
) -> socket.socket:
    """A socket that is connected to that address. Raises OSError."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        code = sock.connect_ex(address)
        if code in (errno.EINPROGRESS, errno.EINTR):
            writable: asyncio.Future[None] = loop.create_future()
            loop.add_writer(sock, _set, writable)
            try:
                await writable
            finally:
                loop.remove_writer(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, f"{os.strerror(code)} ({format_address(*address)})")
    except BaseException:
        sock.close()
        raise
    return sock


def _set(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
