"""Whether an experiment fits into this machine's memory and into anybody's patience, before it is begun. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from partisan_actors.cli.bench.paper.plan import Setting

__all__ = ["MEMORY_PART_MAX", "memory_bytes", "obstacle", "round_s"]

# Of the memory that is free, what an experiment may take.
MEMORY_PART_MAX: Final = 0.6
# What of each message under way is in memory at once: a process has one payload, which all its actors send, so it is
# what has arrived; of services the question or, of three partitions, the answers.
_COPIES: Final[Mapping[str, int]] = {"latency": 1, "queues": 1, "echo": 2, "kvs": 3}
_NODES: Final = 3
# Of the bytes of one operation, what goes one way between two of three nodes: two of three are elsewhere, in six
# directions. `echo` sends its payload and gets it back, `kvs` gets it three times (nine times in ten).
_SHARE: Final[Mapping[str, float]] = {"echo": 2 * 2 / 3 / 6, "kvs": 3 * 2 / 3 / 6}


def memory_bytes(experiment: str, setting: Setting) -> int:
    """About what all processes together hold of payloads at once."""
    if experiment in _SHARE:
        return setting.size * setting.actors * _NODES * _COPIES[experiment]
    return setting.size * setting.actors * _COPIES[experiment]


def round_s(experiment: str, setting: Setting) -> float:
    """The least time in which the wire carries one message of every actor; 0 for loopback, which has no bound."""
    trip_s = setting.wire.round_trip_ms / 1000
    if not trip_s:
        return 0.0
    connections = max(1, setting.configuration.channels * setting.configuration.lanes)
    senders = setting.actors * (_NODES if experiment in _SHARE else 1)
    sent = setting.size * senders * _SHARE.get(experiment, 1.0)
    return trip_s + sent / (min(connections, senders) * setting.wire.window_bytes / trip_s)


def obstacle(experiment: str, setting: Setting, free_bytes: int, patience_s: float) -> str | None:
    """Why it is not to be begun; None: it fits."""
    needed = memory_bytes(experiment, setting)
    if needed > free_bytes * MEMORY_PART_MAX:
        return f"not run: about {needed / 2**30:.1f} GiB of payloads, and {free_bytes / 2**30:.1f} GiB are free"
    takes_s = round_s(experiment, setting)
    if takes_s > patience_s:
        return f"not run: one message of each takes {takes_s:.0f} s at least, and --patience is {patience_s:g} s"
    return None
