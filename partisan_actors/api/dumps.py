"""The stacks of a process whose loop is stuck: written by Python's faulthandler when somebody sends it a signal.

A process of ours offers that with a file in memory, which has a name that others of the same user find below
``/proc``, on Linux only. No file is left over, and a process that does not offer it is never sent the signal, by which
it would end.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["dump_of", "offer_dump"]

NAME: Final = "partisan-stacks"
WAIT_S: Final = 15.0
LOOK_S: Final = 0.05
# What is read of one dump, which has at most a hundred threads of as many calls; and how much a process may have of
# former ones when another is made.
DUMP_BYTES_MAX: Final = 4 * 1024 * 1024


def offer_dump() -> None:
    """From now on this process writes the stacks of its threads when it gets SIGUSR2. From the main thread."""
    if sys.platform != "linux" or signal.getsignal(signal.SIGUSR2) != signal.SIG_DFL:
        return
    import fcntl  # not on every system

    with suppress(OSError):
        descriptor = os.memfd_create(NAME)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)  # so that whoever reads may empty it
        faulthandler.register(signal.SIGUSR2, file=descriptor, all_threads=True)


def dump_of(pid: int) -> str | None:
    """The stacks of the threads of that process, of this host; None when it does not offer them. Blocks."""
    path = _file_of(pid)
    if path is None:
        return None
    try:
        if path.stat().st_size > DUMP_BYTES_MAX:
            os.truncate(path, 0)
        before = path.stat().st_size
        os.kill(pid, signal.SIGUSR2)
        deadline, size = time.monotonic() + WAIT_S, before
        while time.monotonic() < deadline:
            time.sleep(LOOK_S)
            now = path.stat().st_size
            if now == size and now > before:
                break
            size = now
        with path.open("rb") as file:
            file.seek(before)
            return file.read(DUMP_BYTES_MAX).decode(errors="replace")
    except OSError:  # it has just ended, or is somebody else's
        return None


def _file_of(pid: int) -> Path | None:
    try:
        entries = sorted(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return None
    for entry in entries:
        with suppress(OSError):
            if os.readlink(entry).startswith(f"/memfd:{NAME}"):
                return entry
    return None
