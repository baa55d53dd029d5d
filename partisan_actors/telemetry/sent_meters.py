"""Meters of what a node's own code calls and tells, as it sees it: how long until the reply, and how it ended.

Where a call runs, each is counted (`meters`). Here nothing is, as that would be paid for by every call: of what is sent
seldom, each is timed; of what is sent more often than once in TIMED_EVERY_NS some are, chosen by lot, and each stands
for as many as there are to one of it. So counts of a busy node are estimates, and of a node that is not, exact.

From any thread, without a lock: what two threads do in the same instant may cost one observation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, Protocol

from partisan_actors.telemetry.failure import status_of_call
from partisan_actors.telemetry.meters import OTHERS, PERIOD_MAX, QUIET_NS, TASK, TIMED_EVERY_NS
from partisan_actors.telemetry.outcomes import Outcomes

__all__ = ["METHODS_MAX", "SentMeters"]

# Methods and functions that a node keeps meters of; those that come later share those of OTHERS.
METHODS_MAX: Final = 4_000
# So many may be sent at once before only some of them are looked at.
BURST: Final = 50

_MASK: Final = (1 << 64) - 1

Clock = Callable[[], int]


class Sent(Protocol):
    """The future result of a call."""

    @property
    def failure(self) -> BaseException | None:
        """What it failed with, once it is done."""
        ...

    def add_waiter(self, waiter: Callable[[], object]) -> None:
        """Have this called once it is done."""
        ...


class Lot:
    """Chooses some of many, fewer the more there are: `period` says that one in so many is, at the moment.

    So that one is chosen every TIMED_EVERY_NS; but BURST at once are, before it is fewer.
    """

    __slots__ = ("_at", "_room", "_state", "period")

    def __init__(self) -> None:
        self.period = 1
        self._at = 0
        self._room = float(BURST)
        self._state = 0x9E3779B97F4A7C15

    def taken(self, now: int) -> int:
        """One was chosen: how many it stands for."""
        weight = self.period
        room = min(BURST, self._room + (now - self._at) / TIMED_EVERY_NS)
        if room >= 1.0:
            self._room = room - 1.0
            self.period = max(1, weight // 2)
        else:
            self._room = room
            self.period = min(PERIOD_MAX, 2 * weight)
        self._at = now
        return weight

    def gap(self) -> int:
        """How far the next one is. Not always as far, or it would be the same one of several that take turns."""
        if self.period == 1:
            return 1
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) & _MASK
        return 1 + (self._state >> 33) % (2 * self.period - 1)

    def rest(self, now: int) -> bool:
        """Choose the next one, if the last is long ago. Returns whether it is."""
        if now - self._at < QUIET_NS:
            return False
        self.period = 1
        return True


class SentMeters:
    """Those of one node. `clock` gives nanoseconds and never goes back."""

    __slots__ = ("_clock", "_lot", "_outcomes", "_task_lot", "_tasks_left", "_tell_lot", "_told", "due", "tells_left")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._outcomes: dict[tuple[str, str], Outcomes] = {}
        self._told: dict[tuple[str, str], int] = {}
        # Callers ask `call` about numbers from this one on, and `tell` when there are none of these.
        self.due = 0
        self.tells_left = 0
        self._tasks_left = 0
        self._lot, self._tell_lot, self._task_lot = Lot(), Lot(), Lot()

    def call(self, number: int, class_name: str, method: str, reply: Sent) -> None:
        """A call of that number is about to be sent, and `due` is not above it."""
        lot = self._lot
        if number == self.due or lot.period == 1:
            now = self._clock()
            reply.add_waiter(partial(self._replied, class_name, method, lot.taken(now), now, reply))
        self.due = number + lot.gap()  # another one was due, and its number has gone to what is not asked about

    def tell(self, class_name: str, method: str) -> None:
        """A tell is about to be sent. Callers may take one from `tells_left` instead, while there are any."""
        if self.tells_left > 0:
            self.tells_left -= 1
            return
        lot, told = self._tell_lot, self._told
        which = (class_name, method)
        if which not in told and len(told) >= METHODS_MAX:
            which = (OTHERS, OTHERS)
        told[which] = told.get(which, 0) + lot.taken(self._clock())
        self.tells_left = lot.gap() - 1

    def task(self, name: str, reply: Sent) -> None:
        """A task is about to be submitted."""
        if self._tasks_left > 0:
            self._tasks_left -= 1
            return
        lot, now = self._task_lot, self._clock()
        reply.add_waiter(partial(self._replied, TASK, name, lot.taken(now), now, reply))
        self._tasks_left = lot.gap() - 1

    def begin(self, class_name: str, method: str) -> Callable[[BaseException | None], None]:
        """A call begins that takes a longer way, of which each is timed; call what this returns at its end."""
        return partial(self._ended, class_name, method, 1, self._clock())

    def _replied(self, class_name: str, method: str, weight: int, begun: int, reply: Sent) -> None:
        self._ended(class_name, method, weight, begun, reply.failure)

    def _ended(self, class_name: str, method: str, weight: int, begun: int, error: BaseException | None) -> None:
        outcomes = self._outcomes.get((class_name, method))
        if outcomes is None:
            which = (class_name, method) if len(self._outcomes) < METHODS_MAX else (OTHERS, OTHERS)
            outcomes = self._outcomes.setdefault(which, Outcomes())
        failed = None
        if error is not None:
            status, cause = status_of_call(error)
            failed = status, type(cause)
        outcomes.observe(self._clock() - begun, weight, failed)

    def rest(self) -> None:
        """To be called now and then: where little is sent by now, the next one is chosen."""
        now = self._clock()
        if self._lot.rest(now):
            self.due = 0
        if self._tell_lot.rest(now):
            self.tells_left = 0
        if self._task_lot.rest(now):
            self._tasks_left = 0

    def durations(self) -> Iterator[tuple[str, str, str, str | None, dict[str, Any]]]:
        """Class ("task" for a task), method, status, type of error if any, and how long these calls took."""
        for (class_name, method), outcomes in list(self._outcomes.items()):
            yield from ((class_name, method, *each) for each in outcomes.plain())

    def told(self) -> Iterator[tuple[str, str, int]]:
        """Class, method, and how many tells were sent."""
        yield from ((class_name, method, count) for (class_name, method), count in list(self._told.items()))
