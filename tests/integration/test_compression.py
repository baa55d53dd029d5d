"""Compressed channels between real processes: what arrives is what was sent, in fewer bytes on the wire."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import partisan_actors as pa
from partisan_actors.api import session as sessions
from tests.integration.on_loop import on_loop

MEGABYTE = 1_000_000
# On the wire, a megabyte of zeros is no more than this where it is compressed.
ZEROS_MOST = 20_000
CHANNELS = {"calls": {"compression": "zlib:1"}, "bulk": {"compression": 9}, "plain": {"interleave": False}}


@pytest.fixture(scope="module")
def session() -> Iterator[pa.Session]:
    with pa.init(workers=1, channels=CHANNELS) as session:
        yield session


@pa.actor
class Wire:
    """Knows how many bytes have come to its node, whatever they became there."""

    async def take(self, load: object) -> int:
        return sessions.current().runtime.node.dialling.bytes_in

    async def bytes_in(self) -> int:
        return sessions.current().runtime.node.dialling.bytes_in

    def make(self, kind: str, size: int) -> object:
        return {"zeros": bytes(size), "list": [0] * size, "noise": os.urandom(size)}[kind]

    def echo(self, load: object) -> object:
        return load


def arrives_as(load: object, channel: str = "calls") -> int:
    """How many bytes a node gets when an actor there is sent `load`."""
    wire = Wire.remote()
    take = wire.take.options(channel=channel)
    pa.get(take.remote(b""))
    before = pa.get(wire.bytes_in.remote())
    after: int = pa.get(take.remote(load))
    return after - before


def test_a_megabyte_of_zeros_is_less_than_twenty_kilobytes_on_the_wire(session: pa.Session) -> None:
    assert arrives_as(bytes(MEGABYTE)) < ZEROS_MOST
    assert arrives_as([0] * MEGABYTE) < ZEROS_MOST, "what is not large goes over the channel itself"
    assert arrives_as(bytes(MEGABYTE), "plain") > MEGABYTE
    assert arrives_as([0] * MEGABYTE, "plain") > MEGABYTE


def test_what_cannot_be_compressed_takes_hardly_more_than_without(session: pa.Session) -> None:
    assert MEGABYTE < arrives_as(os.urandom(MEGABYTE)) < MEGABYTE * 1.02


@pytest.mark.parametrize("kind", ["zeros", "list", "noise"])
def test_answers_are_compressed_as_well(session: pa.Session, kind: str) -> None:
    wire, node = Wire.remote(), session.runtime.node
    pa.get(wire.bytes_in.remote())
    before = on_loop(session, lambda: node.dialling.bytes_in)

    answer = pa.get(wire.make.remote(kind, MEGABYTE))

    after = on_loop(session, lambda: node.dialling.bytes_in)
    assert len(answer) == MEGABYTE
    assert kind == "noise" or (not any(answer) and after - before < ZEROS_MOST)


def test_whatever_is_sent_comes_back_as_it_was(session: pa.Session) -> None:
    wire = Wire.remote()
    loads = [b"x" * size for size in (0, 1, 600, 70_000, 300_000, 3_000_000)]
    loads += [os.urandom(size) for size in (600, 70_000, 3_000_000)]
    loads += [bytearray(500_000), os.urandom(100_000) + bytes(900_000) + os.urandom(100_000)]

    for _ in range(3):
        assert pa.get([wire.echo.remote(load) for load in loads]) == loads


def test_status_says_what_was_saved_on_which_channel(session: pa.Session) -> None:
    before = on_loop(session, session.runtime.node.dialling.compression_facts)
    arrives_as(bytes(MEGABYTE))
    facts = on_loop(session, session.runtime.node.dialling.compression_facts)

    assert list(facts) == ["calls", "bulk"]
    assert [facts[name]["with"] for name in facts] == ["zlib:1", "zlib:9"]
    assert facts["bulk"]["bytes_before"] - before["bulk"]["bytes_before"] >= MEGABYTE
    assert facts["bulk"]["bytes_after"] - before["bulk"]["bytes_after"] < ZEROS_MOST
    assert facts["bulk"]["frames"] > before["bulk"]["frames"]


def test_with_checksums_and_without_sessions_it_is_the_same() -> None:
    sessions.shutdown()
    for settings in ({"checksums": True}, {"session_resume_s": 0.0}):
        with pa.init(workers=1, channels=CHANNELS, **settings):
            assert arrives_as(bytes(MEGABYTE)) < ZEROS_MOST
            wire, noise = Wire.remote(), os.urandom(MEGABYTE)
            assert pa.get(wire.echo.remote(noise + bytes(MEGABYTE))) == noise + bytes(MEGABYTE)
