"""Directories that belong to one life of one node, and are swept away when it is over, however it ended.

The rules:

1. A place is ``base/cluster/name~incarnation``. Beside it stands a file ``....lock``, which its process has locked for
   as long as it lives, so no process id needs to be trusted: what nobody has locked is left over.
2. The lock comes before the directory and goes after it; who sweeps holds the lock meanwhile.
3. All of it belongs to this user, who alone may look into it. A base that somebody else has made is not used.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from partisan_actors.ids import NodeId

__all__ = ["Place", "disk_base", "left_over", "memory_base", "sweep"]

FOLDER: Final = "partisan-actors"
LOCK: Final = ".lock"
MEMORY: Final = "/dev/shm"
TEMPORARY: Final = "/tmp"
CLUSTER_CHARACTERS_MAX: Final = 100
# Who only looks does not touch a lock that is so new: its node may be about to take it.
NEW_S: Final = 5.0


def memory_base(environ: Mapping[str, str] = os.environ) -> Path:
    """Where shared memory is: $PARTISAN_SHM_DIR, else /dev/shm, else where temporary files are, which may be slow."""
    override = environ.get("PARTISAN_SHM_DIR")
    if override:
        return Path(override)
    usable = os.path.isdir(MEMORY) and os.access(MEMORY, os.W_OK | os.X_OK)
    return Path(MEMORY if usable else _temporary(environ)) / f"{FOLDER}-{os.getuid()}"


def disk_base(directory: str = "", environ: Mapping[str, str] = os.environ) -> Path:
    """Where values are spilled to: below `directory`, or else where temporary files are."""
    return Path(directory or _temporary(environ)) / f"{FOLDER}-spill-{os.getuid()}"


def _temporary(environ: Mapping[str, str]) -> str:
    return environ.get("TMPDIR") or TEMPORARY


class Place:
    """The directory of one life of one node, from here until `close` or the end of the process."""

    def __init__(self, base: Path, cluster: str, node: NodeId) -> None:
        """Make and lock it. Raises OSError when that cannot be done, or another process has it."""
        parent = path_of_cluster(base, cluster)
        self._lock = -1
        while self._lock < 0:
            with suppress(FileNotFoundError):  # somebody has just swept an empty directory away
                _make_private(base)
                _make_private(parent)
                self._lock = _locked(parent / f"{node}{LOCK}")
        self.path = parent / str(node)
        try:
            _empty(self.path)
            self.path.mkdir(mode=0o700)
        except OSError:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Take it away, and all that is in it."""
        if self._lock >= 0:
            _remove(self.path)
            os.close(self._lock)
            self._lock = -1


def path_of_cluster(base: Path, cluster: str) -> Path:
    """The directory that has the places of a cluster's nodes."""
    return base / (
        re.sub(r"[^A-Za-z0-9_-]", lambda found: f"%{ord(found[0]):x}", cluster)[:CLUSTER_CHARACTERS_MAX] or "%"
    )


def sweep(base: Path) -> int:
    """Take away the places of nodes that are gone, of all clusters of this user; how many there were."""
    count = 0
    for cluster in _listed(base):
        for entry in _listed(cluster):
            is_lock = entry.name.endswith(LOCK)
            place = entry.with_name(entry.name.removesuffix(LOCK)) if is_lock else entry
            if is_lock or not place.with_name(place.name + LOCK).exists():
                count += sweep_place(place)
        with suppress(OSError):  # it is in use
            cluster.rmdir()
    return count


def sweep_place(place: Path) -> bool:
    """Take away one place, if its node is gone."""
    try:
        lock = os.open(place.with_name(place.name + LOCK), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(place)
        return True
    except OSError:  # its node lives
        return False
    finally:
        os.close(lock)


def left_over(base: Path, now: float) -> list[Path]:
    """The places of nodes that are gone, of all clusters of this user, which nobody has swept away yet.

    `now` is the time of day, in seconds since 1970.
    """
    return [
        lock.with_name(lock.name.removesuffix(LOCK))
        for cluster in _listed(base)
        for lock in _listed(cluster)
        if lock.name.endswith(LOCK) and _is_left_over(lock, now)
    ]


def _is_left_over(path: Path, now: float) -> bool:
    try:
        lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if now - os.fstat(lock).st_mtime < NEW_S:
            return False
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # its node lives
        return False
    else:
        return True
    finally:
        os.close(lock)


def _remove(place: Path) -> None:
    _empty(place)
    place.with_name(place.name + LOCK).unlink(missing_ok=True)
    with suppress(OSError):  # there are other nodes, or other clusters
        place.parent.rmdir()
        place.parent.parent.rmdir()


def _empty(directory: Path) -> None:
    """Take away a directory with the files in it, if it is there; there are no directories in one of ours."""
    for entry in _listed(directory):
        with suppress(OSError):
            entry.unlink()
    with suppress(OSError):
        directory.rmdir()


def _locked(path: Path) -> int:
    """Lock a file, which is made. Raises BlockingIOError when another process has it."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who sweeps may have taken it away between the two lines above.
            if path.exists() and os.path.samestat(os.fstat(lock), os.stat(path)):
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _make_private(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"{directory} is not a directory of this user's own, closed to others")


def _listed(directory: Path) -> Iterator[Path]:
    try:
        yield from sorted(directory.iterdir())
    except OSError:  # nobody has made it yet, or it is no directory
        return
