"""Compression of frames: the algorithms, how a channel names one, and how much may come out of a frame.

A compressed frame has PACKED in its kind, and the body ``u8 algorithm | u32 size of the body it stands for | data``.
Only algorithms that the receiver has named in the handshake are used. Each frame is compressed by itself, and nothing
is ever made of it that is longer than it says, or than a frame of its kind may be.

zlib is always there; lz4 and zstd are where their packages are installed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final, NamedTuple

from partisan_actors.errors import ConfigError, ProtocolError

__all__ = ["PACKED", "PACKED_HEAD", "Compression", "compressor", "fitting", "numbered", "readable", "unpacked"]

PACKED: Final = 0x80
PACKED_HEAD: Final = struct.Struct("<BI")

EXTRA: Final = "pip install 'partisan-actors[compression]'"


class Algorithm(NamedTuple):
    """One of them: its number on the wire, the package it needs, its levels, and the level it has by itself."""

    number: int
    package: str
    level_most: int
    level: int


ALGORITHMS: Final = {
    "zlib": Algorithm(1, "zlib", 9, 1),
    "lz4": Algorithm(2, "lz4", 12, 1),
    "zstd": Algorithm(3, "zstandard", 19, 3),
}
_NAMES: Final = {algorithm.number: name for name, algorithm in ALGORITHMS.items()}
_ALLOWED: Final = "None, 0 to 9 (levels of zlib), or a name and perhaps a level: 'zlib', 'zlib:6', 'lz4', 'zstd:3'"


class Compression(NamedTuple):
    """An algorithm and a level of it."""

    algorithm: str
    level: int

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.level}"

    @classmethod
    def parse(cls, given: object) -> Compression | None:
        """What `ChannelOptions.compression` means; None: no compression.

        Raises ConfigError for what means nothing, and for an algorithm whose package is not installed.
        """
        if given is None or given is False or given == 0:
            return None
        if given is True:
            return cls("zlib", ALGORITHMS["zlib"].level)
        if isinstance(given, int):
            name, separator, text = "zlib", ":", str(given)
        elif isinstance(given, str):
            name, separator, text = given.partition(":")
        else:
            raise ConfigError("compression", given, _ALLOWED)
        algorithm = ALGORITHMS.get(name)
        if algorithm is None or (separator and not (text.isascii() and text.isdigit())):
            raise ConfigError("compression", given, _ALLOWED)
        level = int(text) if separator else algorithm.level
        if not 1 <= level <= algorithm.level_most:
            raise ConfigError("compression", given, f"a level of {name} from 1 to {algorithm.level_most}")
        if name not in readable():
            raise ConfigError("compression", given, f"'zlib', or the package {algorithm.package} installed: {EXTRA}")
        return cls(name, level)


@cache
def readable() -> tuple[str, ...]:
    """The algorithms that this process has, the best known to everybody first."""
    from importlib.util import find_spec

    return tuple(name for name, algorithm in ALGORITHMS.items() if find_spec(algorithm.package) is not None)


def fitting(wanted: Compression, read_there: Iterable[str]) -> Compression | None:
    """What to use towards who reads only these: the wanted one, else zlib, else none."""
    if wanted.algorithm in read_there:
        return wanted
    return Compression("zlib", ALGORITHMS["zlib"].level) if "zlib" in read_there else None


def numbered(compression: Compression) -> int:
    """The number of its algorithm on the wire."""
    return ALGORITHMS[compression.algorithm].number


def compressor(compression: Compression) -> Callable[[Any], bytes]:
    """A function from bytes to fewer, perhaps; for one thread at a time."""
    level = compression.level
    match compression.algorithm:
        case "lz4":
            from lz4 import block

            mode = {"mode": "default"} if level == 1 else {"mode": "high_compression", "compression": level}
            return lambda data: bytes(block.compress(data, store_size=False, **mode))
        case "zstd":
            from zstandard import ZstdCompressor

            compress = ZstdCompressor(level=level).compress
            return lambda data: bytes(compress(data))
    return lambda data: zlib.compress(data, level)


def unpacked(body: bytes, size_most: int) -> bytes:
    """The body that a compressed frame stands for, of at most `size_most` bytes.

    Raises ProtocolError for any other, before more than that is made of it.
    """
    if len(body) <= PACKED_HEAD.size:
        raise ProtocolError("a compressed frame without content")
    number, size = PACKED_HEAD.unpack_from(body)
    if not 0 < size <= size_most:
        raise ProtocolError(f"a compressed frame of {size} bytes, where at most {size_most} may be")
    name = _NAMES.get(number)
    if name is None or name not in readable():
        raise ProtocolError(f"a compressed frame of a kind that nobody here can read: {number}")
    try:
        plain = _READERS[name](memoryview(body)[PACKED_HEAD.size :], size)
    except Exception as error:  # noqa: BLE001 - each algorithm has its own, and all say the same
        raise ProtocolError(f"a compressed frame that is damaged: {type(error).__name__}: {error}") from None
    if plain is None or len(plain) != size:
        raise ProtocolError("a compressed frame of another size than it says")
    return plain


def _read_zlib(data: memoryview, size: int) -> bytes | None:
    reader = zlib.decompressobj()
    # One byte more than there may be: then either the end was seen, or there is more.
    plain = reader.decompress(data, size + 1)
    return plain if reader.eof and not reader.unused_data else None


def _read_lz4(data: memoryview, size: int) -> bytes:
    from lz4 import block

    return bytes(block.decompress(data, uncompressed_size=size))


def _read_zstd(data: memoryview, size: int) -> bytes | None:
    import zstandard

    # It allocates what the data itself says.
    if zstandard.frame_content_size(data) != size:
        return None
    return bytes(zstandard.ZstdDecompressor().decompress(data, max_output_size=size))


_READERS: Final[dict[str, Callable[[memoryview, int], bytes | None]]] = {
    "zlib": _read_zlib,
    "lz4": _read_lz4,
    "zstd": _read_zstd,
}
