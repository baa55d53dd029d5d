"""What code of users finds in `time` and `random` while it is simulated: virtual time, and chance from the seed.

The functions of `time` are replaced where they stand, so that ``time.sleep(1)`` is simulated and a name imported before
(``from time import sleep``) is not.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from partisan_actors.simulation.clock import NANOSECONDS_PER_SECOND, nanoseconds
from partisan_actors.simulation.lockstep import running_thread
from partisan_actors.simulation.loop import VirtualLoop, VirtualTime

__all__ = ["EPOCH_NS", "users_time"]

# When simulated time begins: a moment like any other, the same in every run.
EPOCH_NS = 1_700_000_000 * NANOSECONDS_PER_SECOND


@contextmanager
def users_time(virtual_time: VirtualTime, seed: int) -> Iterator[None]:
    """While the block runs, `time` tells and spends virtual time, and `random` starts from `seed`."""
    replacements: dict[str, Callable[..., Any]] = {
        "time": lambda: (EPOCH_NS + virtual_time.now_ns) / NANOSECONDS_PER_SECOND,
        "time_ns": lambda: EPOCH_NS + virtual_time.now_ns,
        "monotonic": lambda: virtual_time.now_s,
        "monotonic_ns": lambda: virtual_time.now_ns,
        "perf_counter": lambda: virtual_time.now_s,
        "perf_counter_ns": lambda: virtual_time.now_ns,
        "sleep": lambda seconds: _sleep(virtual_time, seconds),
    }
    real = {name: getattr(time, name) for name in replacements}
    chance = random.getstate()
    random.seed(seed)
    for name, replacement in replacements.items():
        setattr(time, name, replacement)
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(time, name, function)
        random.setstate(chance)


def _sleep(virtual_time: VirtualTime, seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    thread, loop = running_thread(), asyncio._get_running_loop()
    if thread is not None:
        thread.sleep(seconds)
    elif isinstance(loop, VirtualLoop):
        # A coroutine that blocks its loop. It goes on, but its node is given no turn until then; others are.
        loop.stalled_until_ns = max(loop.stalled_until_ns, virtual_time.now_ns + nanoseconds(seconds))
