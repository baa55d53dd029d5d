"""Tests of compression: what may be asked for, that it comes back, and how much a hostile frame can make of itself."""

from __future__ import annotations

import contextlib
import random
import tracemalloc
import zlib

import pytest

from partisan_actors.errors import ConfigError, ProtocolError
from partisan_actors.wire import compression
from partisan_actors.wire.compression import (
    ALGORITHMS,
    PACKED_HEAD,
    Compression,
    compressor,
    fitting,
    numbered,
    unpacked,
)

ZEROS = bytes(1 << 20)
TEXT = b"all happy families are alike; " * 3000
EVERY = [
    Compression("zlib", 1),
    Compression("zlib", 9),
    Compression("lz4", 1),
    Compression("lz4", 9),
    Compression("zstd", 3),
    Compression("zstd", 19),
]


def packed(plain: bytes, how: Compression = EVERY[0], says: int | None = None) -> bytes:
    return PACKED_HEAD.pack(numbered(how), len(plain) if says is None else says) + compressor(how)(plain)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, None),
        (False, None),
        (0, None),
        (True, Compression("zlib", 1)),
        (6, Compression("zlib", 6)),
        (9, Compression("zlib", 9)),
        ("zlib", Compression("zlib", 1)),
        ("zlib:4", Compression("zlib", 4)),
        ("lz4", Compression("lz4", 1)),
        ("zstd:7", Compression("zstd", 7)),
    ],
)
def test_it_is_given_as_a_level_a_name_or_both(given: object, meant: Compression | None) -> None:
    assert Compression.parse(given) == meant


@pytest.mark.parametrize("given", [10, -1, 1.5, "gzip", "zlib:", "zlib:0", "zlib:x", "zlib:10", "zlib:²", "", b"zlib"])
def test_anything_else_is_refused(given: object) -> None:
    with pytest.raises(ConfigError, match="compression = "):
        Compression.parse(given)


def test_an_algorithm_whose_package_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "readable", lambda: ("zlib",))

    with pytest.raises(
        ConfigError, match=r"the package zstandard installed: pip install 'partisan-actors\[compression"
    ):
        Compression.parse("zstd")


def test_who_reads_only_zlib_gets_that_and_who_reads_none_gets_none() -> None:
    assert fitting(EVERY[4], ["zlib", "zstd"]) == EVERY[4]
    assert fitting(EVERY[4], ["zlib", "lz4"]) == Compression("zlib", 1)
    assert fitting(EVERY[4], []) is None


@pytest.mark.parametrize("how", EVERY, ids=str)
@pytest.mark.parametrize("plain", [ZEROS, TEXT, b"x", random.Random(1).randbytes(5000)], ids=["0", "text", "x", "?"])
def test_what_was_compressed_comes_back(how: Compression, plain: bytes) -> None:
    assert unpacked(packed(plain, how), len(plain)) == plain


@pytest.mark.parametrize("how", EVERY, ids=str)
def test_it_makes_less_of_what_repeats(how: Compression) -> None:
    assert len(packed(ZEROS, how)) < len(ZEROS) / 100
    assert len(packed(TEXT, how)) < len(TEXT) / 20


@pytest.mark.parametrize("how", EVERY[::2], ids=str)
def test_more_than_may_be_is_refused_before_it_is_made(how: Compression) -> None:
    bomb = compressor(how)(bytes(100 << 20))
    honest = PACKED_HEAD.pack(numbered(how), 100 << 20) + bomb
    liar = PACKED_HEAD.pack(numbered(how), 1000) + bomb
    tracemalloc.start()
    try:
        for body in (honest, liar):
            with pytest.raises(ProtocolError, match="a compressed frame"):
                unpacked(body, 1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # Its own length, and what the refusal says of it; a hundred megabytes are not among that.
    assert peak < 2 << 20


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "without content"),
        (PACKED_HEAD.pack(1, 9), "without content"),
        (packed(b"abc", says=0), "where at most"),
        (packed(b"abc", says=101), "where at most"),
        (packed(b"abc", says=2), "another size"),
        (packed(b"abc", says=4), "another size"),
        (packed(b"abc")[:-1], "another size"),
        (packed(b"abc") + b"d", "another size"),
        (PACKED_HEAD.pack(0, 3) + zlib.compress(b"abc"), "that nobody here can read"),
        (PACKED_HEAD.pack(77, 3) + zlib.compress(b"abc"), "that nobody here can read"),
        (PACKED_HEAD.pack(1, 3) + b"\x00" * 20, "damaged"),
        (PACKED_HEAD.pack(2, 3) + b"\xff" * 20, "damaged"),
        (PACKED_HEAD.pack(3, 3) + b"\x00" * 20, "damaged"),
    ],
)
def test_a_frame_that_is_not_what_it_says_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match="a compressed frame") as refusal:
        unpacked(body, 100)

    assert why in str(refusal.value)


def test_an_algorithm_that_is_not_installed_here_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    body = packed(b"abc", EVERY[2])
    monkeypatch.setattr(compression, "readable", lambda: ("zlib",))

    with pytest.raises(ProtocolError, match="nobody here can read"):
        unpacked(body, 100)


@pytest.mark.parametrize("how", EVERY[::2], ids=str)
def test_whatever_is_done_to_a_frame_it_is_read_in_its_size_or_refused(how: Compression) -> None:
    rng = random.Random(str(how))
    for _ in range(3000):
        plain = rng.choice(
            (TEXT[: rng.randint(1, 3000)], rng.randbytes(rng.randint(1, 300)), bytes(rng.randint(1, 9999)))
        )
        body = bytearray(packed(plain, how))
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(body))
            match rng.randrange(4):
                case 0:
                    body[place] ^= 1 << rng.randrange(8)
                case 1:
                    body[place:place] = rng.randbytes(rng.randint(1, 5))
                case 2:
                    del body[place : place + rng.randint(1, 5)]
                case _:
                    body[place : place + 4] = rng.randbytes(4)
            body = body or bytearray(b"?")
        with contextlib.suppress(ProtocolError):
            assert len(unpacked(bytes(body), 10_000)) <= 10_000


def test_numbers_on_the_wire_do_not_change() -> None:
    assert {name: algorithm.number for name, algorithm in ALGORITHMS.items()} == {"zlib": 1, "lz4": 2, "zstd": 3}
