"""What waits in front of an actor: messages, on the loop in a mailbox, and for its thread in an inbox.

The loop and the thread meet in `Inbox` alone. Whoever puts a message in tries to take the claim, and, if it gets it,
sends the thread to drain; the thread gives the claim back when nothing is left, and looks once more. So no message is
forgotten, and no wake-up is spent on telling the loop what it does not need to know.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

from partisan_actors.actors.actor import Method
from partisan_actors.node.router import Peer
from partisan_actors.telemetry.meters import Timing

__all__ = ["Inbox", "Message"]


class Message(NamedTuple):
    """One call or tell on its way through a cell. `number` is None for a tell.

    `args` is the arguments, or a function that decodes them (and the keyword arguments) where they are needed.
    `timing` is there if it is one of the calls that are timed.
    """

    peer: Peer
    number: int | None
    method: Method
    args: Any
    kwargs: dict[str, Any] | None
    meta: dict[str, Any] | None
    timing: Timing | None = None


class Inbox:
    """The messages for one actor's thread, and the claim to run them."""

    __slots__ = ("_claim", "_queue", "running")

    def __init__(self) -> None:
        self._queue: deque[Message] = deque()  # whose every step is one, seen from other threads
        self._claim = Lock()
        self.running: Message | None = None

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def is_busy(self) -> bool:
        """Whether somebody holds the claim."""
        return self._claim.locked()

    @property
    def is_blocked(self) -> bool:
        """Whether a message runs, or is about to."""
        return self._claim.locked() or bool(self._queue)

    def waiting(self) -> list[Message]:
        """The messages that wait now."""
        return list(self._queue)

    def put(self, message: Message) -> bool:
        """Add a message. Returns whether the caller got the claim, and must send the thread to `drain`."""
        self._queue.append(message)
        return self._claim.acquire(blocking=False)

    def claim(self) -> None:
        """Take the claim for something else than messages, as the constructor is."""
        self._claim.acquire()

    def release(self) -> bool:
        """Give that claim back. Returns whether messages came meanwhile; the claim is then the caller's again."""
        self._claim.release()
        return bool(self._queue) and self._claim.acquire(blocking=False)

    def drain(self, run: Callable[[Message, bool], None]) -> None:
        """On the actor's thread, which has the claim: ``run(message, is_last)`` for every message there is."""
        queue = self._queue
        while True:
            try:
                message = queue.popleft()
            except IndexError:
                if self.release():
                    continue
                return
            self.running = message
            run(message, not queue)
            self.running = None

    def take_out(self, is_wanted: Callable[[Message], bool]) -> tuple[list[Message], bool]:
        """On the loop: take some of the waiting messages out; the others keep their order.

        Returns them, and whether the caller got the claim, and must send the thread to `drain`.
        """
        waiting: list[Message] = []
        while True:
            try:
                waiting.append(self._queue.popleft())
            except IndexError:
                break
        taken = [message for message in waiting if is_wanted(message)]
        kept = [message for message in waiting if not is_wanted(message)]
        for message in kept:
            self._queue.append(message)
        return taken, bool(kept) and self._claim.acquire(blocking=False)

    def empty_out(self) -> list[Message]:
        """The actor ends: take out every message, the one that runs last."""
        messages = []
        while True:
            try:
                messages.append(self._queue.popleft())
            except IndexError:
                break
        running = self.running
        return [*messages, running] if running is not None else messages
