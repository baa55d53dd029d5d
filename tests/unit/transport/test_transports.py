"""Tests of the two ways to get a byte stream: what holds for TCP holds in memory too."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.transport.base import Transport
from partisan_actors.transport.memory import MemoryNetwork, MemoryTransport
from partisan_actors.transport.tcp import TcpTransport
from tests.nodes import until

Make = Callable[[], Transport]


class Side(asyncio.BufferedProtocol):
    """One end of a stream, which keeps what it gets."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.data = bytearray()
        self.is_lost = False
        self._buffer = bytearray(1000)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        self.data += self._buffer[:count]

    def eof_received(self) -> None:
        return None

    def connection_lost(self, error: BaseException | None) -> None:
        self.is_lost = True


@pytest.fixture(params=["tcp", "memory"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    """Makes transports of one network."""
    loop = asyncio.get_running_loop()
    network = MemoryNetwork()
    made: list[Transport] = []

    def make_one() -> Transport:
        made.append(TcpTransport(loop) if request.param == "tcp" else MemoryTransport(loop, network))
        return made[-1]

    yield make_one
    for each in made:
        await each.close()


async def connected(make: Make) -> tuple[Side, Side]:
    """Two ends of one stream."""
    accepted: list[Side] = []

    def accept() -> Side:
        accepted.append(Side())
        return accepted[-1]

    address = await make().listen("127.0.0.1:0", accept)
    dialled = Side()
    await make().dial(address, lambda: dialled)
    await until(lambda: accepted and accepted[0].transport)
    return dialled, accepted[0]


async def test_a_free_port_is_taken_and_told(make: Make) -> None:
    address = await make().listen("127.0.0.1:0", Side)

    host, _, port = address.rpartition(":")
    assert host == "127.0.0.1" and int(port) > 0


async def test_what_is_written_arrives_on_the_other_side_in_order(make: Make) -> None:
    dialled, accepted = await connected(make)

    for number in range(100):
        dialled.transport.write(bytes([number]) * 50)
    accepted.transport.writelines([b"abc", memoryview(b"def")])

    await until(lambda: len(accepted.data) == 5000 and len(dialled.data) == 6)
    assert accepted.data == b"".join(bytes([number]) * 50 for number in range(100))
    assert dialled.data == b"abcdef"
    dialled.transport.close()
    await until(lambda: accepted.is_lost and dialled.is_lost)


async def test_what_was_written_before_the_end_still_arrives(make: Make) -> None:
    dialled, accepted = await connected(make)

    dialled.transport.write(b"last words")
    dialled.transport.close()

    await until(lambda: accepted.is_lost and dialled.is_lost)
    assert accepted.data == b"last words"


async def test_what_is_written_after_the_end_goes_nowhere(make: Make) -> None:
    dialled, accepted = await connected(make)
    dialled.transport.close()
    await until(lambda: accepted.is_lost and dialled.is_lost)

    dialled.transport.write(b"too late")

    assert accepted.data == b""


async def test_an_address_that_is_taken_cannot_be_listened_at(make: Make) -> None:
    address = await make().listen("127.0.0.1:0", Side)

    with pytest.raises(ConfigError, match="can be bound here"):
        await make().listen(address, Side)


async def test_where_nobody_listens_dialling_is_refused(make: Make) -> None:
    transport = make()
    address = await transport.listen("127.0.0.1:0", Side)
    await transport.close()

    with pytest.raises(ConnectionRefusedError):
        await make().dial(address, Side)


async def test_a_transport_may_be_closed_twice_and_without_having_listened(make: Make) -> None:
    transport = make()

    await transport.close()
    await transport.close()


async def test_an_address_in_memory_may_become_unreachable() -> None:
    network = MemoryNetwork()
    loop = asyncio.get_running_loop()
    address = await MemoryTransport(loop, network).listen("a:1", Side)
    network.unreachable.add(address)

    with pytest.raises(ConnectionRefusedError):
        await MemoryTransport(loop, network).dial(address, Side)


async def test_bytes_in_memory_are_copied_when_they_are_written() -> None:
    network = MemoryNetwork()
    loop = asyncio.get_running_loop()
    dialled, accepted = Side(), Side()
    await MemoryTransport(loop, network).listen("a:1", lambda: accepted)
    await MemoryTransport(loop, network).dial("a:1", lambda: dialled)
    data = bytearray(b"before")

    dialled.transport.write(data)
    data[:] = b"after!"

    await until(lambda: accepted.data)
    assert accepted.data == b"before"


async def test_delayed_bytes_in_memory_do_not_overtake_each_other() -> None:
    delays = iter([0.02, 0.0, 0.01, 0.0, 0.0])
    network = MemoryNetwork(lambda: next(delays))
    loop = asyncio.get_running_loop()
    dialled, accepted = Side(), Side()
    await MemoryTransport(loop, network).listen("a:1", lambda: accepted)
    await MemoryTransport(loop, network).dial("a:1", lambda: dialled)

    for piece in (b"1", b"2", b"3", b"4"):
        dialled.transport.write(piece)
    dialled.transport.close()

    await until(lambda: accepted.is_lost)
    assert accepted.data == b"1234"


async def test_an_address_is_listened_at_and_dialled_without_looking_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()

    def look_up(*what: object, **how: object) -> NoReturn:
        raise AssertionError(f"{what} was looked up")

    for name in ("getaddrinfo", "_ensure_resolved"):
        monkeypatch.setattr(loop, name, look_up)
    transport = TcpTransport(loop)

    dialled, accepted = await connected(lambda: transport)
    dialled.transport.write(b"hello")
    await until(lambda: accepted.data == b"hello")

    dialled.transport.abort()
    await transport.close()


async def test_a_name_is_listened_at_and_dialled() -> None:
    transport = TcpTransport(asyncio.get_running_loop())
    accepted: list[Side] = []
    address = await transport.listen("localhost:0", lambda: accepted.append(Side()) or accepted[-1])
    dialled = Side()

    await transport.dial(f"localhost:{address.rpartition(':')[2]}", lambda: dialled)
    await until(lambda: accepted and accepted[0].transport)

    dialled.transport.abort()
    await transport.close()


async def test_a_dial_that_is_given_up_leaves_no_socket_open() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:  # accepts nobody: soon, nobody is answered either
        host, port = full.getsockname()
        transport, before = TcpTransport(loop), len(os.listdir("/dev/fd"))
        dials = [asyncio.ensure_future(transport.dial(f"{host}:{port}", Side)) for _ in range(20)]
        await asyncio.wait(dials, return_when=asyncio.FIRST_COMPLETED)
        waiting = [dial for dial in dials if not dial.done()]

        for dial in waiting:
            dial.cancel()
        await asyncio.wait(dials)

        assert waiting and all(dial.cancelled() for dial in waiting)
        assert len(os.listdir("/dev/fd")) <= before + len(dials) - len(waiting)
