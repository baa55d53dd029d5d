"""Tests of compressed channels on whole nodes: what two agree on, through the overlay, with TLS, and on resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from partisan_actors.node.router import Buffers
from partisan_actors.transport.framing import Packer
from partisan_actors.transport.memory import MemoryNetwork
from partisan_actors.wire.channels import check_channels
from partisan_actors.wire.codec import pack
from partisan_actors.wire.compression import PACKED_HEAD, compressor, numbered
from partisan_actors.wire.frames import Kind
from tests.authority import Authority
from tests.nodes import TestNode, nodes, until

SIZE = 1_000_000
ZEROS_MOST = 20_000
COMPRESSED = check_channels({name: {"compression": "zlib"} for name in ("calls", "bulk")})


def listen_for_large(node: TestNode) -> list[tuple[Any, list[bytes]]]:
    """From now on, what is told with buffers: the value, and the buffers."""
    heard: list[tuple[Any, list[bytes]]] = []

    def told(peer: Any, message: list[Any], buffers: Buffers | None = None) -> None:
        heard.append((message[3], [bytes(buffer) for buffer in buffers or ()]))

    node.dispatch[Kind.TELL] = told
    return heard


def tell_large(node: TestNode, other: TestNode, number: int, *buffers: bytes) -> None:
    node.peer(other).send_large(pack([Kind.TELL, b"actor", "method", number]), list(buffers))


def speaks_no_compression(node: TestNode) -> None:
    """Let it shake hands as a node would that has never heard of compression."""
    make = node.dialling._handshake

    def older(*sides: Any) -> Any:
        handshake = make(*sides)
        handshake._abilities = lambda: {"sessions": True, "checksums": False}
        return handshake

    node.dialling._handshake = older  # type: ignore[method-assign]  # it speaks for an older one


def packer_to(node: TestNode, other: TestNode, channel: str = "calls") -> Packer | None:
    (connection,) = [each for each in node.peer(other).lanes[channel] if each is not None]
    return connection.packer


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_both_sides_compress_what_is_long_enough_on_the_channels_that_say_so() -> None:
    async with nodes("a", "b", channels=COMPRESSED) as (a, b):
        heard = listen_for_large(b)
        a.tell(b, "x" * 5000)
        await until(lambda: heard)
        b.tell(a, "y" * 5000)  # on the same connection
        await until(lambda: a.told)
        tell_large(a, b, 1, bytes(SIZE))
        await until(lambda: len(heard) == 2)

        assert heard[0][0] == "x" * 5000 and heard[1] == (1, [bytes(SIZE)]) and a.told == ["y" * 5000]
        assert b.dialling.bytes_in < ZEROS_MOST
        assert a.dialling.compression_facts()["bulk"]["bytes_before"] >= SIZE
        assert b.dialling.compression_facts()["calls"]["frames"] == 1


async def test_each_side_goes_by_its_own_setting() -> None:
    network = MemoryNetwork()
    async with nodes("a", network=network, channels=COMPRESSED) as (a,), nodes("b", network=network) as (b,):
        a.introduce(b)
        a.tell(b, "x" * 5000)
        await until(lambda: b.told)
        b.tell(a, "y" * 5000)  # on the same connection
        await until(lambda: a.told)

        assert (a.told, b.told) == (["y" * 5000], ["x" * 5000])
        assert packer_to(a, b) is not None and packer_to(b, a) is None


async def test_who_knows_of_no_compression_gets_plain_frames() -> None:
    async with nodes("a", "b", channels=COMPRESSED) as (a, b):
        speaks_no_compression(b)
        heard = listen_for_large(b)
        a.tell(b, "x")
        await until(lambda: heard)
        tell_large(a, b, 1, bytes(SIZE))
        await until(lambda: len(heard) == 2)

        assert heard[1] == (1, [bytes(SIZE)]) and b.dialling.bytes_in > SIZE
        assert packer_to(a, b, "bulk") is None
        assert a.dialling.compression_facts()["bulk"]["frames"] == 0


async def test_who_reads_only_zlib_gets_that() -> None:
    network, zstd = MemoryNetwork(), check_channels({"calls": {"compression": "zstd:5"}})
    async with nodes("a", network=network, channels=zstd) as (a,), nodes("b", network=network) as (b,):
        a.introduce(b)
        make = b.dialling._handshake

        def plainer(*sides: Any) -> Any:
            handshake = make(*sides)
            handshake._abilities = lambda: {"sessions": True, "checksums": False, "compressions": ["zlib", "new"]}
            return handshake

        b.dialling._handshake = plainer  # type: ignore[method-assign]  # without the package
        a.tell(b, "x" * 5000)
        await until(lambda: b.told)

        packer = packer_to(a, b)
        assert b.told == ["x" * 5000] and packer is not None and str(packer.compression) == "zlib:1"


async def test_what_is_relayed_is_compressed_on_each_hop() -> None:
    quiet_ones = {"routing": "relay", "keep_alive_s": 1000.0, "load_period_s": 1000.0}
    async with nodes("a", "b", "c", channels=COMPRESSED, **quiet_ones) as (a, b, c):
        near = {a: [b], b: [a, c], c: [b]}
        await a.connect(b.address, b.me)
        await b.connect(c.address, c.me)
        await until(lambda: all(one.peer(other).is_connected for one, others in near.items() for other in others))
        for node, others in near.items():
            names = [other.me for other in others]
            node.neighbours = lambda names=names: names  # type: ignore[method-assign,misc]  # the overlay's say
        heard = listen_for_large(c)
        # So that the channel is there when it is needed: until then, messages take any other.
        for one, other in ((a, b), (b, c)):
            one.tell(other, "here")
        await until(lambda: b.told and heard)

        tell_large(a, c, 1, bytes(200_000))
        await until(lambda: len(heard) == 2)

        assert heard[1] == (1, [bytes(200_000)]) and a.peer(c).open == []
        assert b.dialling.bytes_in < ZEROS_MOST and c.dialling.bytes_in < ZEROS_MOST


async def test_over_tls_it_is_compressed_before_it_is_encrypted(authority: Authority) -> None:
    async with nodes("a", "b", channels=COMPRESSED, tls=authority.issue()) as (a, b):
        heard = listen_for_large(b)
        tell_large(a, b, 1, bytes(SIZE))
        await until(lambda: heard)

        assert heard == [(1, [bytes(SIZE)])] and b.dialling.bytes_in < ZEROS_MOST


async def test_a_session_that_goes_on_compresses_and_counts_on() -> None:
    async with nodes("a", "b", channels=COMPRESSED, keep_alive_s=1000.0) as (a, b):
        heard = listen_for_large(b)
        a.tell(b, "x")
        await until(lambda: heard)
        heard.clear()
        for number in range(20):
            tell_large(a, b, number, bytes(300_000), b"text" * 50_000)
            if number % 4 == 3:
                for connection in a.peer(b).connections():
                    connection.cut(ConnectionResetError("by the test"))
        await until(lambda: len(heard) == 20)

        assert heard == [(number, [bytes(300_000), b"text" * 50_000]) for number in range(20)]
        assert a.sessions.resumed > 0
        facts = a.dialling.compression_facts()["bulk"]
        assert facts["bytes_before"] >= 20 * 500_000 and facts["bytes_after"] < 20 * 20_000
        before = facts["frames"]
        await a.close()
        assert a.dialling.compression_facts()["bulk"]["frames"] == before, "of connections that are closed, too"


async def test_a_bomb_closes_the_connection_and_is_counted() -> None:
    async with nodes("a", "b", channels=COMPRESSED) as (a, b):
        a.tell(b, "x")
        await until(lambda: b.told)
        packer = packer_to(a, b)
        assert packer is not None
        bomb = compressor(packer.compression)(bytes(5_000_000))
        lying = PACKED_HEAD.pack(numbered(packer.compression), 700) + bomb
        connection = a.peer(b).lanes["calls"][0]
        assert connection is not None

        class Lying(Packer):
            def pack(self, kind: int, body: Any, size: int) -> bytes:
                return lying

        connection.frame_with(Lying(packer.compression))
        a.tell(b, "y" * 700)

        await until(lambda: b.broken_connections)
        (refusal,) = [fact for fact in b.refusals.facts() if fact["after_handshake"]]
        assert refusal["kind"] == "malformed compressed frame" and "another size" in refusal["first"]
        assert b.told == ["x"]
