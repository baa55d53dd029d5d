"""Large values as files on disk: one file each, in a place of the node's own, made when the first one is spilled."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from partisan_actors.ids import NodeId
from partisan_actors.objects.places import Place, disk_base, sweep

__all__ = ["Spilled", "Spiller"]

# What kind of buffer was written, and is to be made again.
WRITABLE: Final = "writable"
BYTES: Final = "bytes"
READ_ONLY: Final = "read-only"


class Spilled(NamedTuple):
    """A value on disk: its file, the length of the pickle at its beginning, and the buffers behind it, in order."""

    path: Path
    body_bytes: int
    buffers: tuple[tuple[str, int], ...]


class Spiller:
    """Writes and reads the files. From any thread; whoever calls sees to it that nobody else has the same file."""

    def __init__(self, node: NodeId, directory: str = "") -> None:
        self._node = node
        self._base = disk_base(directory)
        self.cluster = ""
        self._numbers = itertools.count(1)
        self._place: Place | None = None
        self._pid = os.getpid()

    def write(self, body: Any, buffers: Sequence[Any]) -> Spilled:
        """Write one value. Raises OSError, and leaves nothing behind, when the disk does not take it."""
        if self._place is None:
            sweep(self._base)
            self._place = Place(self._base, self.cluster, self._node)
        path = self._place.path / f"{next(self._numbers):x}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            for piece in (body, *buffers):
                data = memoryview(piece).cast("B")
                while data:
                    data = data[os.write(descriptor, data) :]
        except BaseException:
            self.remove(path)
            raise
        finally:
            os.close(descriptor)
        return Spilled(path, len(body), tuple((_kind_of(each), memoryview(each).nbytes) for each in buffers))

    def read(self, spilled: Spilled) -> tuple[bytes, list[Any]]:
        """The value again. Raises OSError."""
        with spilled.path.open("rb", buffering=0) as file:
            body = _exactly(file, spilled.body_bytes)
            buffers = [_as_was(kind, _exactly(file, size)) for kind, size in spilled.buffers]
        return bytes(body), buffers

    def remove(self, path: Path) -> None:
        """The file is not needed any more."""
        if os.getpid() == self._pid:  # a child made by fork has no say
            with suppress(OSError):
                path.unlink()

    def close(self) -> None:
        """Take all files away."""
        if self._place is not None:
            self._place.close()
            self._place = None


def _kind_of(buffer: Any) -> str:
    if type(buffer) is bytes:
        return BYTES
    return READ_ONLY if memoryview(buffer).readonly else WRITABLE


def _as_was(kind: str, data: bytearray) -> Any:
    if kind == BYTES:
        return bytes(data)
    return memoryview(data).toreadonly() if kind == READ_ONLY else data


def _exactly(file: Any, size: int) -> bytearray:
    data = bytearray(size)
    view, count = memoryview(data), 0
    while count < size:
        more = file.readinto(view[count:])
        if not more:
            raise OSError(f"{file.name} ends after {count} of {size} bytes")
        count += more
    return data
