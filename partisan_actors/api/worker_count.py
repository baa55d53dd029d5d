"""How many worker processes a session starts."""

from __future__ import annotations

import os
from typing import Final

from partisan_actors.errors import ConfigError

__all__ = ["worker_count"]

WORKERS_MAX: Final = 1024


def worker_count(workers: int | None, address: str | None) -> int:
    """What was asked for; else one per core that this process may use, and none where a cluster is joined."""
    if workers and address is not None:
        raise ConfigError("workers", workers, "0 or nothing when an address is given")
    count = (_cores() if address is None else 0) if workers is None else workers
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= WORKERS_MAX:
        raise ConfigError("workers", workers, f"a whole number from 0 to {WORKERS_MAX}")
    return count


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1
