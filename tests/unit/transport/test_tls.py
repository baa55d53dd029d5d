"""Tests of TLS over byte streams: on both kinds of loop, over sockets and in memory, and in every way that it fails."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop

from partisan_actors.errors import AuthenticationError, ProtocolError
from partisan_actors.node.tls import Credentials, TlsFiles
from partisan_actors.transport.memory import MemoryNetwork, MemoryTransport
from partisan_actors.transport.tcp import TcpTransport
from partisan_actors.transport.thread_writer import ThreadWriter
from partisan_actors.transport.tls import TlsStream, TlsTransport
from tests.authority import Authority
from tests.nodes import until


class Side(asyncio.BufferedProtocol):
    """One end of a stream: keeps what comes and what becomes of it."""

    def __init__(self, room: int = 1 << 16) -> None:
        self.stream: Any = None
        self.heard = bytearray()
        self.losses: list[BaseException | None] = []
        self.pauses = 0
        self._room = bytearray(room)

    def connection_made(self, transport: Any) -> None:
        self.stream = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._room)

    def buffer_updated(self, count: int) -> None:
        self.heard += self._room[:count]

    def pause_writing(self) -> None:
        self.pauses += 1

    def connection_lost(self, error: BaseException | None) -> None:
        self.losses.append(error)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


Test = Callable[[Any], Coroutine[Any, Any, None]]


def on(loop: str, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it on that kind of loop."""
    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(test())


def transport_of(files: TlsFiles, door: Any = None) -> TlsTransport:
    loop = asyncio.get_running_loop()
    return TlsTransport(loop, door or TcpTransport(loop), contexts(files))


def contexts(files: TlsFiles) -> Callable[[bool], ssl.SSLContext]:
    return Credentials(files, "any", lambda text: None).context


async def connect(listener: Any, dialler: Any, address: str = "127.0.0.1:0") -> tuple[Side, Side]:
    """Both ends: of who listens, and of who dials."""
    accepted: list[Side] = []

    def accept() -> Side:
        accepted.append(Side())
        return accepted[-1]

    bound = await listener.listen(address, accept)
    dialled = Side()
    await dialler.dial(bound, lambda: dialled)
    await until(lambda: accepted, "somebody is accepted")
    return accepted[0], dialled


async def close(*transports: Any) -> None:
    for transport in transports:
        await transport.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_bytes_of_any_number_arrive_in_order_both_ways(authority: Authority, loop: str) -> None:
    async def test() -> None:
        a, b = transport_of(authority.issue()), transport_of(authority.issue())
        accepted, dialled = await connect(a, b)
        rng = random.Random(7)
        pieces = [rng.randbytes(size) for size in (1, 0, 16_384, 3, 1_000_000, 5, 2_500_000, 9)]

        for piece in pieces:
            accepted.stream.write(piece)
        dialled.stream.writelines([memoryview(piece) for piece in pieces])

        whole = b"".join(pieces)
        await until(lambda: len(accepted.heard) >= len(whole) <= len(dialled.heard), "everything is there")
        assert accepted.heard == dialled.heard == whole
        dialled.stream.close()
        await until(lambda: accepted.losses and dialled.losses, "both are closed")
        assert accepted.losses == dialled.losses == [None]
        await close(a, b)

    on(loop, test)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_who_rests_from_reading_hears_nothing_meanwhile_and_all_of_it_afterwards(
    authority: Authority, loop: str
) -> None:
    async def test() -> None:
        a, b = transport_of(authority.issue()), transport_of(authority.issue())
        accepted, dialled = await connect(a, b)
        hear, rests, heard_at_rest = accepted.buffer_updated, [False], [0]

        def go_on() -> None:
            rests[0] = False
            accepted.stream.resume_reading()

        def rest_after(count: int) -> None:
            hear(count)
            heard_at_rest[0] += rests[0]
            rests[0] = True
            accepted.stream.pause_reading()
            asyncio.get_running_loop().call_soon(go_on)

        accepted.buffer_updated = rest_after  # type: ignore[method-assign]  # as a large message does
        data = random.Random(8).randbytes(1_500_000)

        dialled.stream.write(data)

        await until(lambda: len(accepted.heard) >= len(data), "everything is there")
        assert accepted.heard == data and not heard_at_rest[0] and not accepted.losses
        dialled.stream.abort()
        await until(lambda: accepted.losses and dialled.losses, "both are closed")
        await close(a, b)

    on(loop, test)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_both_sides_see_the_other_s_certificate(authority: Authority, loop: str) -> None:
    async def test() -> None:
        a, b = transport_of(authority.issue("c/any")), transport_of(authority.issue("d/any"))
        accepted, dialled = await connect(a, b)
        dialled.stream.write(b"!")
        await until(lambda: accepted.heard)

        assert accepted.stream.get_extra_info("peercert")["subjectAltName"] == (("URI", "partisan://d/any"),)
        assert dialled.stream.get_extra_info("peercert")["subjectAltName"] == (("URI", "partisan://c/any"),)
        accepted.stream.abort()
        await until(lambda: accepted.losses and dialled.losses)
        await close(a, b)

    on(loop, test)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_what_crosses_the_wire_is_not_what_was_written(authority: Authority, loop: str) -> None:
    async def test() -> None:
        a, b = transport_of(authority.issue()), transport_of(authority.issue())
        crossed = bytearray()

        class Tapped(TlsStream):
            def buffer_updated(self, count: int) -> None:
                crossed.extend(self._view[:count])
                super().buffer_updated(count)

        a._stream = lambda protocol, *, server_side: Tapped(  # type: ignore[method-assign]  # a tap
            a._loop, protocol, a._context(server_side), a._view, server_side=server_side
        )
        accepted, dialled = await connect(a, b)
        dialled.stream.write(b"a secret of ours" * 100)
        await until(lambda: len(accepted.heard) == 1600)

        assert len(crossed) > 1600 and b"a secret of ours" not in crossed
        dialled.stream.abort()
        await until(lambda: accepted.losses)
        await close(a, b)

    on(loop, test)


async def fail(authority: Authority, listener: Any, dialler: Any) -> tuple[Any, Any]:
    """Why it failed: as who listens is told, and who dials."""
    accepted, dialled = await connect(listener, dialler)
    dialled.stream.write(b"never heard")
    await until(lambda: accepted.losses and dialled.losses, "both are told")
    assert len(accepted.losses) == len(dialled.losses) == 1
    assert not accepted.heard and not dialled.heard
    await close(listener, dialler)
    return accepted.losses[0], dialled.losses[0]


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_an_expired_certificate_is_named_on_both_sides(authority: Authority, loop: str) -> None:
    async def test() -> None:
        expired = authority.issue(now=datetime.now(UTC) - timedelta(days=9))
        mine = contexts(authority.issue())

        there, here = await fail(authority, transport_of(authority.issue()), _unchecked(expired))
        assert isinstance(there, AuthenticationError) and "its certificate is refused: certificate has exp" in there.why
        assert isinstance(here, AuthenticationError) and here.why.endswith("this node's certificate: it has expired")

        there, here = await fail(authority, _unchecked(expired), TlsTransport(asyncio.get_running_loop(), _tcp(), mine))
        assert isinstance(here, AuthenticationError) and "its certificate is refused: certificate has exp" in here.why
        assert isinstance(there, AuthenticationError) and there.why.endswith("this node's certificate: it has expired")

    on(loop, test)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_another_ca_is_named_on_both_sides(authority: Authority, tmp_path: Path, loop: str) -> None:
    async def test() -> None:
        foreign = Authority(tmp_path, "others").issue()
        # It takes ours; we do not take it.
        half = TlsFiles(foreign.cert, foreign.key, authority.issue().ca)

        there, here = await fail(authority, transport_of(authority.issue()), _unchecked(half))
        assert isinstance(there, AuthenticationError) and "it was not issued by this node's CA" in there.why
        assert isinstance(here, AuthenticationError) and "a CA that is not the other side's" in here.why

        there, here = await fail(authority, transport_of(foreign), transport_of(authority.issue()))
        assert isinstance(here, AuthenticationError) and "it was not issued by this node's CA" in here.why
        assert isinstance(there, AuthenticationError) and "a CA that is not the other side's" in there.why

    on(loop, test)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_who_has_no_certificate_is_refused_and_told(authority: Authority, loop: str) -> None:
    async def test() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(authority.issue().ca)
        bare = TlsTransport(asyncio.get_running_loop(), _tcp(), lambda server_side: context)

        there, here = await fail(authority, transport_of(authority.issue()), bare)

        assert isinstance(there, AuthenticationError) and there.why == "the other side has no certificate"
        assert isinstance(here, AuthenticationError) and "wants a certificate, and this node has none" in here.why

    on(loop, test)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_an_old_tls_is_refused_and_told(authority: Authority, loop: str) -> None:
    async def test() -> None:
        context = contexts(authority.issue())(False)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        old = TlsTransport(asyncio.get_running_loop(), _tcp(), lambda server_side: context)

        there, here = await fail(authority, transport_of(authority.issue()), old)

        for error in (there, here):
            assert isinstance(error, ProtocolError) and "too old" in error.why

    on(loop, test)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_who_speaks_no_tls_is_refused_on_either_side(authority: Authority, loop: str) -> None:
    async def test() -> None:
        a, plain = transport_of(authority.issue()), _tcp()
        accepted, dialled = await connect(a, plain)
        dialled.stream.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: dialled.heard, "the alert is there")
        dialled.stream.close()
        await until(lambda: accepted.losses, "who listens with TLS is told")
        assert isinstance(accepted.losses[0], ProtocolError) and "does not speak TLS" in accepted.losses[0].why
        await close(a, plain)

        plain, b = _tcp(), transport_of(authority.issue())
        accepted, dialled = await connect(plain, b)
        accepted.stream.abort()
        await until(lambda: dialled.losses, "who dials with TLS is told")
        assert isinstance(dialled.losses[0], ConnectionError) and "perhaps it uses none" in str(dialled.losses[0])
        await close(plain, b)

    on(loop, test)


async def test_over_memory_it_works_alike(authority: Authority) -> None:
    network, loop = MemoryNetwork(), asyncio.get_running_loop()
    a = transport_of(authority.issue(), MemoryTransport(loop, network))
    b = transport_of(authority.issue(), MemoryTransport(loop, network))
    accepted, dialled = await connect(a, b, "a:1")

    dialled.stream.write(b"x" * 100_000)
    accepted.stream.write(b"y")

    await until(lambda: len(accepted.heard) == 100_000 and dialled.heard == b"y")
    accepted.stream.close()
    await until(lambda: accepted.losses == dialled.losses == [None])


@pytest.mark.parametrize("seed", range(20))
async def test_random_bytes_in_place_of_tls_end_the_stream_once(authority: Authority, seed: int) -> None:
    network, loop, rng = MemoryNetwork(), asyncio.get_running_loop(), random.Random(seed)
    a = transport_of(authority.issue(), MemoryTransport(loop, network))
    accepted, dialled = await connect(a, MemoryTransport(loop, network), "a:1")

    record = b"\x16\x03\x01" + rng.randrange(2**14).to_bytes(2, "big")
    dialled.stream.write(rng.choice([b"", record]) + rng.randbytes(40_000))
    dialled.stream.close()

    await until(lambda: accepted.losses, f"it is told (seed {seed})")
    assert isinstance(accepted.losses[0], ProtocolError) and len(accepted.losses) == 1 and not accepted.heard


@pytest.mark.parametrize("seed", range(20))
async def test_a_flipped_bit_ends_the_stream_and_is_never_heard(authority: Authority, seed: int) -> None:
    network, loop, rng = MemoryNetwork(), asyncio.get_running_loop(), random.Random(seed)
    a = transport_of(authority.issue(), MemoryTransport(loop, network))
    b = transport_of(authority.issue(), MemoryTransport(loop, network))
    accepted, dialled = await connect(a, b, "a:1")
    dialled.stream.write(b"first")
    await until(lambda: accepted.heard == b"first")
    raw = dialled.stream._raw
    write = raw.write

    def corrupt(data: bytes) -> None:
        place = rng.randrange(5, len(data))  # after the record's header: a longer record would just be waited for
        write(data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :])

    raw.write = corrupt
    dialled.stream.write(b"second" * 10)

    await until(lambda: accepted.losses, f"it is told (seed {seed})")
    assert accepted.heard == b"first" and isinstance(accepted.losses[0], ProtocolError)


async def test_threads_never_write_around_the_encryption(authority: Authority) -> None:
    a, b = transport_of(authority.issue()), transport_of(authority.issue())
    accepted, dialled = await connect(a, b)

    assert ThreadWriter.of(accepted.stream) is None and ThreadWriter.of(dialled.stream) is None
    dialled.stream.abort()
    await until(lambda: accepted.losses and dialled.losses)
    await close(a, b)


async def test_who_reads_slowly_is_felt_by_who_writes(authority: Authority) -> None:
    a, b = transport_of(authority.issue()), transport_of(authority.issue())
    accepted, dialled = await connect(a, b)
    dialled.stream.write(b"!")
    await until(lambda: accepted.heard)
    dialled.stream.set_write_buffer_limits(high=1000)
    accepted.stream._raw.pause_reading()

    dialled.stream.write(bytes(20_000_000))

    await until(lambda: dialled.pauses, "it is told to pause")
    dialled.stream.abort()
    accepted.stream.abort()
    await until(lambda: accepted.losses and dialled.losses)
    await close(a, b)


def _tcp() -> TcpTransport:
    return TcpTransport(asyncio.get_running_loop())


def _unchecked(files: TlsFiles) -> TlsTransport:
    """With files that a node itself would not take."""

    def context(server_side: bool) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_cert_chain(files.cert, files.key)
        made.load_verify_locations(files.ca)
        return made

    return TlsTransport(asyncio.get_running_loop(), _tcp(), context)
