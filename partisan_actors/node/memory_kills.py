"""Whether the kernel has ended processes for want of memory: told from its counts, for it tells nobody else.

A process that is ended so looks like any that somebody has sent SIGKILL. The kernel counts these ends, for a control
group and for the machine; a count that has grown within the last moments says that it was the kernel, most likely. Of
the files that there are the first counts: that of the group, in either version, before that of the machine.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from os import WIFSIGNALED, WTERMSIG
from pathlib import Path
from typing import Final

__all__ = ["MemoryKills", "kill_counts"]

OOM_KILL: Final = "oom_kill"
# How many looks ago the count is taken that is compared: a look or two before a process ends.
LOOKS: Final = 2


def kill_counts(root: Path = Path("/")) -> list[Path]:
    """The files with counts that concern this process, the narrowest first."""
    found = []
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            group = path.strip("/")
            if not controllers:
                found.append(root / "sys/fs/cgroup" / group / "memory.events")
            elif "memory" in controllers.split(","):
                base = root / "sys/fs/cgroup/memory"
                found += [base / group / "memory.oom_control", base / "memory.oom_control"]
    return [*found, root / "proc/vmstat"]


class MemoryKills:
    """The count, and what it was a moment ago. `look` now and then; before the first look nothing is known."""

    def __init__(self, files: Sequence[Path] | None = None) -> None:
        self._files = kill_counts() if files is None else files
        self._counts: deque[int | None] = deque(maxlen=LOOKS)

    def look(self) -> None:
        """Remember what the count is now."""
        self._counts.append(self._count())

    def explains(self, status: int | None) -> bool:
        """Whether a process that has just ended with that status was, most likely, ended for want of memory."""
        if status is None or not WIFSIGNALED(status) or WTERMSIG(status) != signal.SIGKILL:
            return False
        now, before = self._count(), self._counts[0] if self._counts else None
        if now is None or before is None or now <= before:
            return False
        # One end is explained by one: the next process that is killed may have been killed by somebody else.
        self._counts = deque((count + 1 if count is not None else None for count in self._counts), maxlen=LOOKS)
        return True

    def _count(self) -> int | None:
        for file in self._files:
            with suppress(OSError, ValueError):
                for line in file.read_text().splitlines():
                    name, _, value = line.partition(" ")
                    if name == OOM_KILL:
                        return int(value)
        return None
