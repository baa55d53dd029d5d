"""Whatever bytes come, in whatever pieces: a connection goes on or closes with a reason, and nothing else happens."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Callable
from typing import Any

import msgpack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partisan_actors.errors import AuthenticationError, ProtocolError
from partisan_actors.wire.compression import PACKED, PACKED_HEAD
from partisan_actors.wire.frames import ACK, BATCH, CHUNK, END, HEADER, HELLO, HELLO_HEADER, LARGE
from tests import hostile
from tests.wiring import End, handshake, open_pair

SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
bodies = st.binary(max_size=60) | plain.map(msgpack.packb)
numbers = st.integers(0, 3) | st.integers(0, 2**32 - 1)
hellos = st.builds(lambda body: HELLO_HEADER.pack(len(body), HELLO, 0) + body, bodies)
frames = st.builds(
    lambda body, kind, count, received, lie: (
        HEADER.pack(lie if lie is not None else len(body), kind, count, received, 0, 0) + body
    ),
    bodies,
    st.sampled_from((BATCH, LARGE, CHUNK, ACK, END)) | st.integers(0, 255),
    numbers,
    numbers,
    st.none() | numbers,
)
packed = st.builds(
    lambda body, kind, count, number, lie: (
        made := PACKED_HEAD.pack(number, lie if lie is not None else len(body)) + zlib.compress(body),
        HEADER.pack(len(made), kind | PACKED, count, 0, 0, 0) + made,
    )[1],
    bodies,
    st.sampled_from((BATCH, LARGE, CHUNK)),
    numbers,
    st.just(1) | st.integers(0, 255),
    st.none() | numbers,
)
streams = st.lists(st.binary(max_size=80) | hellos | frames | packed, max_size=6).map(b"".join)


def closed_with_a_reason_or_open(end: End) -> None:
    """Rule 5 of `transport.connection`."""
    assert not end.failures
    assert not end.wire.is_closed or isinstance(end.close_error, (ProtocolError, AuthenticationError))


def on_a_loop(test: Callable[[], None]) -> None:
    async def run() -> None:
        test()
        await asyncio.sleep(0)

    asyncio.run(run())


@SETTINGS
@given(streams, st.integers(0, 2**32))
def test_before_the_handshake_nothing_is_dispatched(data: bytes, cuts: int) -> None:
    def test() -> None:
        end = End(handshake("b", dialler=False))

        end.feed(data, random.Random(cuts))

        closed_with_a_reason_or_open(end)
        assert not end.messages and not end.was_opened

    on_a_loop(test)


@SETTINGS
@given(streams, st.integers(0, 2**32))
def test_after_the_handshake_it_goes_on_or_closes_with_a_reason(data: bytes, cuts: int) -> None:
    def test() -> None:
        end, _ = open_pair(message_bytes_max=1 << 16)

        end.feed(data, random.Random(cuts))

        closed_with_a_reason_or_open(end)

    on_a_loop(test)


@SETTINGS
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_what_is_nearly_right_is_no_different(seed: int, cuts: int) -> None:
    def test() -> None:
        rng = random.Random(seed)
        stranger, peer = End(handshake("b", dialler=False)), open_pair(message_bytes_max=1 << 16)[0]

        stranger.feed(hostile.before_handshake(rng), random.Random(cuts))
        peer.feed(hostile.after_handshake(rng), random.Random(cuts))

        closed_with_a_reason_or_open(stranger)
        closed_with_a_reason_or_open(peer)
        assert not stranger.messages

    on_a_loop(test)


@SETTINGS
@given(st.lists(plain, min_size=1, max_size=5), st.integers(0, 2**32))
def test_what_is_right_arrives_whatever_the_pieces(messages: list[Any], cuts: int) -> None:
    def test() -> None:
        one, other = open_pair()
        sent = [[0, message] for message in messages]
        for message in sent:
            one.connection.send(msgpack.packb(message))
        one.connection.flush()

        other.feed(one.wire.take(), random.Random(cuts))

        assert repr([message for message, _ in other.messages]) == repr(sent)

    on_a_loop(test)
