"""Frames as they are written: a header with checksums, and a body that may be compressed.

A connection that wants neither checksums nor compression (`is_plain`) makes its batches without coming here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from partisan_actors.transport.session import Session
from partisan_actors.wire.compression import PACKED, PACKED_HEAD, Compression, compressor, numbered
from partisan_actors.wire.frames import BATCH_BYTES_MAX, CHUNK_BYTES, HEADER, LARGE, PACKED_BYTES_MAX, checksums

__all__ = ["COMPRESSED_BYTES_MIN", "Framing", "Packer"]

# A body of fewer bytes is sent as it is.
COMPRESSED_BYTES_MIN: Final = 512
# What does not become shorter by an eighth is not worth it. After such a frame the next one is not tried, after another
# such the next three, and so on, up to so many, until a large message begins: so noise costs little.
NOT_TRIED_MOST: Final = 63


class Packer:
    """Compresses the frames of one lane. `bytes_before` and `bytes_after` count what was compressed, and to what.

    `frames_as_they_are` counts those that were long enough, and did not become shorter, or were not tried, or too long.
    """

    __slots__ = (
        "_compress",
        "_not_tried",
        "_number",
        "_to_skip",
        "bytes_after",
        "bytes_before",
        "compression",
        "frames",
        "frames_as_they_are",
    )

    def __init__(self, compression: Compression) -> None:
        self.compression = compression
        self._compress = compressor(compression)
        self._number = numbered(compression)
        self._to_skip = self._not_tried = 0
        self.frames = self.frames_as_they_are = 0
        self.bytes_before = self.bytes_after = 0

    def pack(self, kind: int, body: Sequence[Any], size: int) -> bytes | None:
        """What is to be sent instead of a body of `size` bytes in pieces, in a PACKED frame; None: nothing else."""
        if kind == LARGE:
            self._to_skip = self._not_tried = 0  # whatever the one before was
        if size < COMPRESSED_BYTES_MIN:
            return None
        if size > PACKED_BYTES_MAX:
            self.frames_as_they_are += 1
            return None
        if self._to_skip:
            self._to_skip -= 1
            self.frames_as_they_are += 1
            return None
        data = self._compress(body[0] if len(body) == 1 else b"".join(body))
        length = len(data) + PACKED_HEAD.size
        if length > size - size // 8:
            self._to_skip = self._not_tried = min(2 * self._not_tried + 1, NOT_TRIED_MOST)
            self.frames_as_they_are += 1
            return None
        self._not_tried = 0
        self.frames += 1
        self.bytes_before += size
        self.bytes_after += length
        return PACKED_HEAD.pack(self._number, size) + data


class Framing:
    """The part of a connection that makes frames."""

    session: Session
    packer: Packer | None = None
    # Whether there are neither checksums nor compression.
    is_plain = True
    batch_bytes_max = BATCH_BYTES_MAX
    _is_checked: bool
    _is_ended: bool

    def frame_with(self, packer: Packer | None) -> None:
        """Compress from now on; None: do not."""
        self.packer = packer
        # Of what is compressed, no more than a chunk in a turn of the loop.
        self.batch_bytes_max = BATCH_BYTES_MAX if packer is None else CHUNK_BYTES
        self.is_plain = packer is None and not self._is_checked

    def _framed(self, kind: int, count: int, *body: Any) -> tuple[Any, ...]:
        """A frame in pieces, the first of which is its header."""
        length = sum(map(len, body))
        if self.packer is not None and not self._is_ended:  # then everything goes, in one turn
            packed = self.packer.pack(kind, body, length)
            if packed is not None:
                kind, length, body = kind | PACKED, len(packed), (packed,)
        received = self.session.received
        checks = checksums(length, kind, count, received, *body) if self._is_checked else (0, 0)
        return HEADER.pack(length, kind, count, received, *checks), *body

    def _empty_frame(self, kind: int, count: int = 0) -> bytes:
        self.session.untold = 0
        header: bytes = self._framed(kind, count)[0]
        return header
