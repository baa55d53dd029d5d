"""What users' code finds in `time`, `random` and `uuid` while it is simulated: virtual time, and chance from the seed.

The functions of `time`, and `uuid.uuid4`, are replaced where they stand, so that ``time.sleep(1)`` is simulated and a
name imported before (``from time import sleep``) is not. Threads that are none of the simulation's keep the real ones.
"""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
import uuid
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
def users_time(virtual_time: VirtualTime, chance: random.Random) -> Iterator[None]:
    """While the block runs, `time` tells and spends virtual time; `random` and `uuid4` go on where `chance` is."""
    me = threading.get_ident()

    def replaced(real: Callable[..., Any], virtual: Callable[..., Any]) -> Callable[..., Any]:
        def function(*arguments: Any) -> Any:
            is_simulated = threading.get_ident() == me or running_thread() is not None
            return (virtual if is_simulated else real)(*arguments)

        return function

    def uuid4() -> uuid.UUID:
        return real_uuid4() if _is_cloudpickle() else uuid.UUID(int=random.getrandbits(128), version=4)

    virtual: dict[str, Callable[..., Any]] = {
        "time": lambda: (EPOCH_NS + virtual_time.now_ns) / NANOSECONDS_PER_SECOND,
        "time_ns": lambda: EPOCH_NS + virtual_time.now_ns,
        "monotonic": lambda: virtual_time.now_s,
        "monotonic_ns": lambda: virtual_time.now_ns,
        "perf_counter": lambda: virtual_time.now_s,
        "perf_counter_ns": lambda: virtual_time.now_ns,
        "sleep": lambda seconds: _sleep(virtual_time, seconds),
    }
    real = {name: getattr(time, name) for name in virtual}
    real_uuid4 = uuid.uuid4
    before = random.getstate()
    random.setstate(chance.getstate())
    for name, function in virtual.items():
        setattr(time, name, replaced(real[name], function))
    uuid.uuid4 = replaced(real_uuid4, uuid4)
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(time, name, function)
        uuid.uuid4 = real_uuid4
        chance.setstate(random.getstate())
        random.setstate(before)


def _sleep(virtual_time: VirtualTime, seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    thread, loop = running_thread(), asyncio._get_running_loop()
    if thread is not None:
        thread.sleep(seconds)
    elif isinstance(loop, VirtualLoop):
        # A coroutine that blocks its loop. It goes on, but its node is given no turn until then; others are.
        loop.stalled_until_ns = max(loop.stalled_until_ns, virtual_time.now_ns) + nanoseconds(seconds)


def _is_cloudpickle() -> bool:
    """Whether it asks: it does so once a process for each class, which must not shift anybody's chance."""
    return str(sys._getframe(3).f_globals.get("__name__", "")).startswith("cloudpickle")
