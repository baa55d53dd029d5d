"""Which lanes of a node are compressed, and what that has saved, by channel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from partisan_actors.transport.connection import Connection
from partisan_actors.transport.framing import Packer
from partisan_actors.wire.channels import ChannelOptions
from partisan_actors.wire.compression import Compression, fitting

__all__ = ["ChannelCompression"]


class ChannelCompression:
    """What one node does with the lanes of each channel that is to be compressed."""

    def __init__(self, channels: Mapping[str, ChannelOptions]) -> None:
        parsed = {name: Compression.parse(options.compression) for name, options in channels.items()}
        self._wanted = {name: wanted for name, wanted in parsed.items() if wanted is not None}
        # Of the lanes that are closed.
        self._closed = {name: [0, 0, 0, 0] for name in self._wanted}

    def opened(self, connection: Connection) -> None:
        """Its channel is known, and what the other side reads. A session that goes on keeps the packer that it had."""
        wanted = self._wanted.get(connection.handshake.channel)
        if wanted is not None and connection.packer is None:
            fits = fitting(wanted, connection.handshake.read_there)
            connection.frame_with(Packer(fits) if fits is not None else None)

    def closed(self, connection: Connection) -> None:
        """It is gone, and nothing goes on in its place."""
        if connection.packer is not None:
            counts = self._closed[connection.handshake.channel]
            counts[:] = map(sum, zip(counts, _counts(connection.packer), strict=True))

    def facts(self, connections: Iterable[Connection]) -> dict[str, dict[str, Any]]:
        """For each channel that is compressed: with what, and what was sent of it; `connections` are those there are.

        `bytes_before` and `bytes_after` are of the `frames` that were compressed; `frames_as_they_are` were long
        enough, and did not become shorter.
        """
        counts = {name: list(closed) for name, closed in self._closed.items()}
        for connection in connections:
            if connection.packer is not None:
                total = counts[connection.handshake.channel]
                total[:] = map(sum, zip(total, _counts(connection.packer), strict=True))
        names = "frames", "bytes_before", "bytes_after", "frames_as_they_are"
        return {
            name: {"with": str(wanted), **dict(zip(names, counts[name], strict=True))}
            for name, wanted in self._wanted.items()
        }


def _counts(packer: Packer) -> tuple[int, int, int, int]:
    return packer.frames, packer.bytes_before, packer.bytes_after, packer.frames_as_they_are
