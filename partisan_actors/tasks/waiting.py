"""Tasks that were sent here: `Waiting` is one of them, and `TaskQueue` those that wait for room."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from partisan_actors.actors.replies import Reply
from partisan_actors.node.router import Peer
from partisan_actors.tasks.answers import LaterAnswer
from partisan_actors.tasks.spec import TaskSpec
from partisan_actors.tasks.tracing import ServedTask
from partisan_actors.telemetry.meters import Meter

__all__ = ["TaskQueue", "Waiting"]


class Waiting:
    """A task that waits for room, or has it."""

    __slots__ = ("context", "has_lent", "is_unwanted", "meter", "peer", "reply", "spec", "timing", "trace")

    def __init__(
        self,
        spec: TaskSpec,
        peer: Peer,
        reply: Reply[Any] | LaterAnswer,
        trace: ServedTask | None,
        meter: Meter | None,
        context: contextvars.Context,
    ) -> None:
        self.spec = spec
        self.peer = peer
        self.reply = reply
        self.trace = trace
        # None for one that its process counts.
        self.meter = meter
        self.timing = meter.arrived() if meter is not None else None
        # What it runs in.
        self.context = context
        # Whether it has waited for others, who may have had its room meanwhile.
        self.has_lent = False
        # Whether it was cancelled when it had room and had not begun.
        self.is_unwanted = False

    def streamed(self, sent_bytes: int) -> None:
        """The items of its generator were so many bytes."""
        if self.trace is not None:
            self.trace.stream_bytes = sent_bytes


class TaskQueue:
    """In order. The loop adds and takes; a thread that has run a task takes the next one. From any thread."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def append(self, waiting: Waiting) -> None:
        """It is the last one now."""
        with self._lock:
            self._waiting.append(waiting)

    def take_if(
        self, fits: Callable[[Waiting], bool], taken: Callable[[Waiting], object] | None = None
    ) -> Waiting | None:
        """The first one, which waits no more, if it `fits`; `taken` is told before anybody can miss it here."""
        if not self._waiting:
            return None
        with self._lock:
            if self._waiting and fits(self._waiting[0]):
                first = self._waiting.popleft()
                if taken is not None:
                    taken(first)
                return first
        return None

    def remove(self, waiting: Waiting) -> bool:
        """It does not wait any more; False if it has not for a while, as a thread has taken it."""
        with self._lock:
            try:
                self._waiting.remove(waiting)
            except ValueError:
                return False
        return True

    def all(self) -> list[Waiting]:
        """Those there are now, in order."""
        with self._lock:
            return list(self._waiting)
