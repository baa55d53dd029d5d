"""Byte streams inside one process, with TcpTransport's face: for tests and for simulated clusters.

Bytes written on one side are handed to the other in a later loop turn, or later still, in order and copied, as a socket
would. An address is any text; one where nobody listens refuses, and so does one that is made unreachable.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from partisan_actors.errors import ConfigError

__all__ = ["MemoryNetwork", "MemoryTransport"]


class MemoryNetwork:
    """The addresses that listen, and those in `unreachable`, which refuse.

    `delay_s`, if given, says for each piece of bytes how long it travels at least; no piece overtakes another one of
    its stream.
    """

    def __init__(self, delay_s: Callable[[], float] | None = None) -> None:
        self.delay_s = delay_s
        self.listening: dict[str, Callable[[], asyncio.BaseProtocol]] = {}
        self.unreachable: set[str] = set()
        self._ports = 1

    def free_port(self) -> int:
        """A port number nobody uses."""
        self._ports += 1
        return self._ports


class MemoryTransport:
    """One node's door to a MemoryNetwork."""

    def __init__(self, loop: asyncio.AbstractEventLoop, network: MemoryNetwork) -> None:
        self._loop = loop
        self._network = network
        self._addresses: list[str] = []

    async def listen(self, address: str, factory: Callable[[], asyncio.BaseProtocol]) -> str:
        """Accept at `address`; port 0 takes a free one. Returns the bound address. Raises ConfigError."""
        host, _, port = address.rpartition(":")
        bound = f"{host}:{self._network.free_port()}" if port == "0" else address
        if bound in self._network.listening:
            raise ConfigError("bind", address, "an address that can be bound here (in use)")
        self._network.listening[bound] = factory
        self._addresses.append(bound)
        return bound

    async def dial(self, address: str, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        """Open a byte stream to `address`. Raises ConnectionRefusedError when nobody listens there."""
        accept = self._network.listening.get(address)
        if accept is None or address in self._network.unreachable:
            raise ConnectionRefusedError(f"nobody listens at {address}")
        delay_s = self._network.delay_s
        ours, theirs = _Stream(self._loop, factory(), delay_s), _Stream(self._loop, accept(), delay_s)
        ours.other, theirs.other = theirs, ours
        for stream in (theirs, ours):
            stream.protocol.connection_made(stream)

    async def close(self) -> None:
        """Stop listening."""
        for address in self._addresses:
            self._network.listening.pop(address, None)
        self._addresses.clear()


class _Stream(asyncio.Transport):
    """One end of a stream."""

    other: _Stream

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: Any, delay_s: Callable[[], float] | None = None
    ) -> None:
        super().__init__()
        self._loop = loop
        self._delay_s = delay_s
        self.protocol = protocol
        # What is on its way from here to the other side, in order; None is the end.
        self._travelling: deque[bytes | None] = deque()
        self._is_closing = False
        self._is_lost = False

    def write(self, data: Any) -> None:
        if not self._is_closing:
            self._send(bytes(data))

    def writelines(self, pieces: Iterable[Any]) -> None:
        for piece in pieces:
            self.write(piece)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Accepted and ignored: the other side is never slower than this one."""

    def pause_reading(self) -> None:
        """Nothing: what comes is handed over piece by piece anyway."""

    def resume_reading(self) -> None:
        """Nothing, as above."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            # After what was written before.
            self._loop.call_soon(self._lose, None)
            self._send(None)

    def _send(self, data: bytes | None) -> None:
        self._travelling.append(data)
        if self._delay_s is None:
            self._loop.call_soon(self._arrive)
        else:
            self._loop.call_later(self._delay_s(), self._arrive)

    def _arrive(self) -> None:
        data = self._travelling.popleft()
        if data is None:
            self.other._lose(None)
        else:
            self.other._feed(data)

    def _feed(self, data: bytes) -> None:
        view = memoryview(data)
        while len(view) and not self._is_closing:  # whoever has closed a socket reads no more of it
            target = self.protocol.get_buffer(len(view))
            count = min(len(target), len(view))
            target[:count] = view[:count]
            view = view[count:]
            self.protocol.buffer_updated(count)

    def _lose(self, error: BaseException | None) -> None:
        self._is_closing = True
        if not self._is_lost:
            self._is_lost = True
            self.protocol.connection_lost(error)
