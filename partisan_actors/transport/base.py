"""What a node needs of a network: a way to accept byte streams and a way to open one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

__all__ = ["Transport"]


class Transport(Protocol):
    """A way to get byte streams: `TcpTransport` or `MemoryTransport`."""

    async def listen(self, address: str, factory: Callable[[], asyncio.BaseProtocol]) -> str:
        """Accept at `address`; returns the bound address."""
        ...

    async def dial(self, address: str, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        """Open a byte stream. Raises OSError."""
        ...

    async def close(self) -> None:
        """Stop listening."""
        ...
