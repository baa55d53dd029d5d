"""PEM files as long-running processes read them: again when they have changed, with nobody to ask for a password."""

from __future__ import annotations

import os
from collections.abc import Sequence

__all__ = ["PemFiles", "no_password"]


class PemFiles:
    """Tells whether any of these files is another one than when that was last asked, by time, size and inode."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = tuple(paths)
        self._state = self._read()

    def have_changed(self) -> bool:
        """Whether they have, since the last question or since this was made. One that cannot be read counts, too."""
        before, self._state = self._state, self._read()
        return self._state != before

    def _read(self) -> tuple[object, ...]:
        return tuple(map(_state_of, self._paths))


def no_password() -> str:
    """For `ssl`, which would ask at the terminal. Raises ValueError, which says so."""
    raise ValueError("the key is encrypted, and nobody is there to ask for its password")


def _state_of(path: str) -> object:
    try:
        found = os.stat(path)
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_size, found.st_ino
