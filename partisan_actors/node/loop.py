"""Event loops: uvloop where it exists, asyncio's own elsewhere; on the caller's thread or on one of our own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

__all__ = ["LoopThread", "new_event_loop"]

T = TypeVar("T")

# How long jobs that are left when the loop is stopped may take to end.
CANCEL_S: Final = 1.0


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The fastest event loop this Python has."""
    try:
        import uvloop
    except ImportError:  # Windows and PyPy have no uvloop
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class LoopThread:
    """A daemon thread that runs an event loop until `stop`."""

    def __init__(self, name: str) -> None:
        self.loop = new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            self._cancel_the_rest()
        finally:
            self.loop.close()

    def _cancel_the_rest(self) -> None:
        jobs = asyncio.all_tasks(self.loop)
        for job in jobs:
            job.cancel()
        if jobs:
            self.loop.run_until_complete(asyncio.wait(jobs, timeout=CANCEL_S))

    def run(self, job: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Run `job` there and wait for its result. Raises what it raises, and TimeoutError after `timeout_s`."""
        return asyncio.run_coroutine_threadsafe(job, self.loop).result(timeout_s)

    def stop(self) -> None:
        """End the loop and wait for the thread."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(timeout=5)
