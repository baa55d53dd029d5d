"""Byte streams over TCP: listening, dialling, and addresses in text form."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Any

from partisan_actors.errors import ConfigError

__all__ = ["TcpTransport", "is_loopback", "parse_address"]


def parse_address(text: str, default_port: int | None = None) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port`` as a pair. Raises ConfigError."""
    host, separator, port = text.rpartition(":")
    if not separator and default_port is not None:
        host, port = text, str(default_port)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ConfigError("address", text, "HOST:PORT, for example 127.0.0.1:7946 or [::1]:7946")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether `host` can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class TcpTransport:
    """The real network. One listening socket; every byte stream is a TCP connection with Nagle's algorithm off."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._server: asyncio.AbstractServer | None = None

    async def listen(self, address: str, factory: Callable[[], asyncio.BaseProtocol]) -> str:
        """Accept at `address`; port 0 takes a free one. Returns the bound address.

        Raises ConfigError when it cannot be bound.
        """
        host, port = parse_address(address)
        try:
            self._server = await self._loop.create_server(factory, host, port)
        except OSError as error:
            raise ConfigError("bind", address, f"an address that can be bound here ({error.strerror or error})") from error
        bound: Any = self._server.sockets[0].getsockname()  # type: ignore[attr-defined]  # every loop's server has it
        return f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}"

    async def dial(self, address: str, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        """Open a byte stream to `address`. Raises OSError."""
        host, port = parse_address(address)
        transport, _ = await self._loop.create_connection(factory, host, port)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None
