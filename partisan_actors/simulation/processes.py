"""Pools of processes that leave Ctrl-C to the one that started them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

__all__ = ["Pool"]

P = ParamSpec("P")
T = TypeVar("T")


class Pool(ProcessPoolExecutor):
    """A pool whose processes begin with nothing of what this one has in memory, and never see an interruption.

    At a terminal an interruption reaches every process at once, those that have only just begun, too. So they are born
    with it blocked, and ignore it from then on. Jobs have to be given by one thread.
    """

    def __init__(self, processes: int) -> None:
        # Spawned: a fork would take over this process's signals and locks.
        super().__init__(processes, get_context("spawn"), initializer=_ignore_interrupts)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a process call `fn`; the pool starts it now, if it has not got enough."""
        if sys.platform == "win32":
            return super().submit(fn, *args, **kwargs)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
