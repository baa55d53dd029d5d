"""The threads that run tasks. One that has run a task goes on with the next one of its kind, without asking the loop.

To hand a brief task to a thread, and the thread back to the loop, takes longer than to run it. So when a task ends, and
the next one that waits for room needs exactly the same, that gets the room at once, on the same thread: as many run at
a time as before, in the order in which they came. The loop hears of it a little later, and gives the room to the next
one in its books. After CHAIN_MAX tasks in a row it has its say in between.

When nothing follows, the thread writes the answer itself, and the loop is not even woken: it is to `catch_up` before it
looks at who runs and what is free, and does so LATE_S after a task began, at the latest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from partisan_actors.actors.interruptions import own_slot
from partisan_actors.tasks.answers import LaterAnswer
from partisan_actors.tasks.waiting import TaskQueue, Waiting

if TYPE_CHECKING:
    from partisan_actors.actors.system import ActorSystem
    from partisan_actors.actors.threads import JobThread
    from partisan_actors.scheduler.room import Room
    from partisan_actors.tasks.spec import TaskKind

__all__ = ["Outcome", "TaskThreads"]

THREADS_KEPT: Final = 32
CHAIN_MAX: Final = 64
LATE_S: Final = 0.001
"""So late may the loop be to hear of a task that has ended before that; of one that takes longer it hears at once."""

Outcome = tuple[Any, BaseException | None]
_Ended = tuple[Waiting, Any, BaseException | None, Waiting | None, "JobThread | None"]


class TaskThreads:
    """Those of one node. `call` runs a task, on the thread; `ended` is told what came of it, and what is next.

    From the loop, but where it says so.
    """

    def __init__(
        self,
        system: ActorSystem,
        queue: TaskQueue,
        call: Callable[[Waiting, Callable[..., Any]], Outcome],
        ended: Callable[[Waiting, Any, BaseException | None, Waiting | None], None],
    ) -> None:
        self._system = system
        self._queue = queue
        self._call = call
        self._ended = ended
        self._idle: list[JobThread] = []
        self._made = 0
        # What has ended and the loop has not heard of: what came of it, and what its thread does now.
        self._unheard: deque[_Ended] = deque()
        # Whether the loop is about to catch up by itself.
        self._is_due = False

    def run(self, waiting: Waiting, function: Callable[..., Any]) -> None:
        """Run a task that has room, on a thread that has nothing to do."""
        if not self._is_due:
            self._is_due = True
            self._system.loop.call_later(LATE_S, self._due)
        thread = self._idle.pop() if self._idle else self._make()
        thread.run(partial(self._run, waiting, function, thread))

    def close(self) -> None:
        """End the threads, those of running tasks when they are done."""
        for thread in self._idle:
            thread.stop()
        self._idle.clear()

    def _make(self) -> JobThread:
        self._made += 1
        return self._system.make_thread(f"{self._system.me.name}-task-{self._made}")

    def _run(self, waiting: Waiting, function: Callable[..., Any], thread: JobThread) -> None:
        """On a thread."""
        slot, post = own_slot(), self._system.post
        left = CHAIN_MAX if waiting.spec.kind.can_be_followed else 1
        while True:
            call = partial(waiting.context.run, self._call, waiting, function)
            value, error = slot.run(waiting, waiting.context, call)
            left -= 1
            following = self._next_after(waiting, value, error) if left else None
            if following is None:
                self._rest(waiting, value, error, thread)
                return
            post(self.catch_up)
            waiting = following

    def _next_after(self, waiting: Waiting, value: Any, error: BaseException | None) -> Waiting | None:
        """On a thread: the next task, which gets the room of `waiting`, if they are of a kind."""
        if waiting.has_lent or waiting.spec.stream or self._system.closed is not None:
            return None
        kind, unheard = waiting.spec.kind, self._unheard
        return self._queue.take_if(
            lambda each: each.spec.kind is kind, lambda each: unheard.append((waiting, value, error, each, None))
        )

    def _rest(self, waiting: Waiting, value: Any, error: BaseException | None, thread: JobThread) -> None:
        """On a thread, which goes on with nothing: whoever has the answer finds the loop told, or about to be."""
        ended = waiting, value, error, None, thread
        if waiting.has_lent or waiting.spec.stream:
            self._system.post(self._hear, ended)  # behind what the task itself has posted: what it lent, its items
            return
        reply = waiting.reply
        if error is not None or not isinstance(reply, LaterAnswer):
            self._unheard.append(ended)
        else:
            try:
                reply.encode(value)
            finally:
                self._unheard.append(ended)
            if not reply.succeed_from_thread():
                self._system.post(reply.succeed, value)
            elif self._is_due and not self._queue:
                return
        self._system.post(self.catch_up)

    def _due(self) -> None:
        self._is_due = False  # first: what ends from now on is told
        self.catch_up()

    def _hear(self, ended: _Ended) -> None:
        self._unheard.append(ended)
        self.catch_up()

    def catch_up(self) -> None:
        """On the loop: hear of what has ended."""
        unheard = self._unheard
        while unheard:
            waiting, value, error, following, thread = unheard.popleft()
            if thread is not None:
                self._keep(thread)
            self._ended(waiting, value, error, following)

    def last_of(self, kind: TaskKind, room: Room) -> tuple[Waiting, Any, BaseException | None] | None:
        """On the loop: a task that has ended, and what of; it is not heard of otherwise, and the next has its room.

        None unless it is all that has ended, was of that kind, and has room to give. As one after another is called and
        waited for, each gets the room of the one before.
        """
        if len(self._unheard) != 1 or not kind.can_be_followed:
            return None
        waiting, value, error, _, thread = self._unheard[0]
        if thread is None or waiting.spec.kind is not kind or waiting.spec.task not in room:
            return None
        self._unheard.popleft()
        self._keep(thread)
        return waiting, value, error

    def _keep(self, thread: JobThread) -> None:
        if len(self._idle) < THREADS_KEPT and self._system.closed is None:
            self._idle.append(thread)
        else:
            thread.stop()
