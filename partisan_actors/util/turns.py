"""`Turns`: a thread that does one thing after the other, so that what it keeps needs no lock."""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
from collections.abc import Callable

__all__ = ["Turns"]

logger = logging.getLogger(__name__)


class Turns:
    """One thread. It ends with `end`, and with the process.

    What waits is not bounded here: whoever posts says how much that can be.
    """

    def __init__(self, name: str) -> None:
        self._steps: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        # In the maker's context, so that in an actor or a task it is that one's node which is used.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), name=name, daemon=True)
        self._thread.start()

    def post(self, step: Callable[[], object]) -> None:
        """Do that, after what was posted before. From any thread; never waits. After `end` it is dropped."""
        self._steps.put(step)

    def end(self) -> None:
        """No more steps after those that were posted before."""
        self._steps.put(None)

    def join(self) -> None:
        """Wait until it has ended; in one of its own steps, not at all."""
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while (step := self._steps.get()) is not None:
            try:
                step()
            except Exception:
                # What a user's call-back raised: it is told, and the next one gets its turn.
                logger.exception("a call-back on %s raised", self._thread.name)
