"""What a process finds on its host: open files, shared memory, room on disk, and what nodes that are gone have left."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from partisan_actors.node.config import host_name
from partisan_actors.objects.places import disk_base, left_over, memory_base

__all__ = ["host_facts"]


def host_facts(spill_dir: str = "") -> dict[str, Any]:
    """As plain data; it looks at files, so it may take a while.

    `fd_limit` is None where there is none. `shared_memory` and `spill` say where the files of nodes are, how many bytes
    there are and how many are free (None: nobody could tell, and `why`), and what is left over of nodes that are gone.
    """
    return {
        "host": host_name(),
        "python": sys.version.split()[0],
        "fds": _open_files(),
        "fd_limit": _fd_limit(),
        "shared_memory": _room(memory_base()),
        "spill": _room(disk_base(spill_dir)),
    }


def _open_files() -> int | None:
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            return len(os.listdir(folder)) - 1  # but the one that lists
    return None


def _fd_limit() -> int | None:
    try:
        import resource
    except ImportError:  # not on every system
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def _room(base: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"path": str(base), "bytes": None, "bytes_free": None, "why": ""}
    places = left_over(base, time.time())
    found |= {"left_over": [str(place) for place in places], "left_over_bytes": sum(map(_size_of, places))}
    there = base
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        told = os.statvfs(there)
    except OSError as error:
        return {**found, "why": error.strerror or str(error)}
    if not os.access(there, os.W_OK | os.X_OK):
        found["why"] = f"{there} cannot be written to"
    return {**found, "bytes": told.f_blocks * told.f_frsize, "bytes_free": told.f_bavail * told.f_frsize}


def _size_of(place: Path) -> int:
    size = 0
    with suppress(OSError):
        for entry in os.scandir(place):
            with suppress(OSError):
                size += entry.stat(follow_symlinks=False).st_size
    return size
