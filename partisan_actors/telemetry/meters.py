"""Meters of methods and tasks: how often each was called on a node, how often it failed, how long it waited and ran.

Every call and every failure is counted. A clock costs more than that, so the calls of one method are timed no more
often than once in TIMED_EVERY_NS: of a busier one, each n-th is, and stands for n in the histograms, n being at most
PERIOD_MAX.

No lock: calls arrive on the loop alone. They may end on actors' threads, where two that do so in the same instant can
cost a histogram one observation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from partisan_actors.telemetry.actor_times import ActorTimes
from partisan_actors.telemetry.events import CallStatus
from partisan_actors.telemetry.failure import status_of_user_code
from partisan_actors.telemetry.histogram import Histogram
from partisan_actors.telemetry.outcomes import Outcomes

__all__ = ["ASK", "CLASSES_MAX", "NEVER_QUICK", "OTHERS", "TASK", "TELL", "ClassMeters", "Meter", "Meters", "Timing"]

ASK: Final = "ask"
TELL: Final = "tell"
TASK: Final = "task"

# So often is a busy method timed, and so many of its calls does one stand for at most.
TIMED_EVERY_NS: Final = 5_000_000
# A prime, so that calls that come to several actors by turns are not always timed for the same one.
PERIOD_MAX: Final = 251
# A method that was busy, and was not called for so long, has its next call timed.
QUIET_NS: Final = 200_000_000

# Classes, and functions of tasks, that a node keeps meters of; those that come later share the one named OTHERS.
CLASSES_MAX: Final = 1000
OTHERS: Final = "(others)"

Clock = Callable[[], int]

# How a call failed, and with an exception of which class.
Failed = tuple[CallStatus, type[BaseException]] | None


class Meter:
    """One method, or one function of tasks. `clock` gives nanoseconds and never goes back."""

    __slots__ = ("_busy", "_clock", "_counted", "_last", "_period", "_timed_at", "errors", "left", "outcomes", "wait")

    def __init__(self, clock: Clock, busy: list[Meter]) -> None:
        """Adds itself to `busy` when it leaves calls out, until `rest` is called."""
        self._clock = clock
        self._busy = busy
        # How long the last one that was timed waited and ran, and how it ended.
        self._last: tuple[int, int, Failed] = (0, 0, None)
        self.errors = 0
        self.wait = Histogram()
        self.outcomes = Outcomes()
        # How many calls come before the next one that is timed, of how many each timed one is one, and how many were
        # counted when the last timed one came.
        self.left = 0
        self._period = 1
        self._counted = 0
        self._timed_at = 0

    @property
    def calls(self) -> int:
        """How many calls have come."""
        return self._counted + self._period - 1 - self.left

    def arrived(self) -> Timing | None:
        """A call has come: it is counted, and timed if something is returned.

        `Cell.call` has spelled out what this does while `left` is not 0, and leaves the other calls to it.
        """
        left = self.left
        if left:
            self.left = left - 1
            return None
        return self.begin()

    def begin(self) -> Timing:
        """A call has come while `left` is 0: it is counted, and timed."""
        now = self._clock()
        weight = self._period
        self._counted += weight
        period = weight * TIMED_EVERY_NS // (now - self._timed_at + 1)
        period = 1 if period < 1 else PERIOD_MAX if period > PERIOD_MAX else period
        self._timed_at = now
        if period > 1 and weight == 1:
            self._busy.append(self)
        self._period = period
        self.left = period - 1
        return Timing(self, self._clock, now, weight)

    @property
    def run(self) -> Histogram:
        """How long calls ran, however they ended."""
        return self.outcomes.all

    def ended(self, wait_ns: int, run_ns: int, failed: Failed, weight: int) -> None:
        """A call that is timed has ended, and stands for so many."""
        self.wait.observe(wait_ns, weight)
        self.outcomes.observe(run_ns, weight, failed)
        self._last = (wait_ns, run_ns, failed)

    def rest(self, now: int) -> bool:
        """If the last call that was timed is long ago, let it stand for those that came after it, and time the next.

        Returns whether it is.
        """
        if now - self._timed_at < QUIET_NS:
            return False
        since = self._period - 1 - self.left
        if since:
            self.ended(*self._last, since)
        self._counted += since
        self._period, self.left = 1, 0
        return True


# Has none `left`, for ever: stands for the meters of methods that cannot be begun within a read.
NEVER_QUICK: Final = Meter(lambda: 0, [])


class Timing:
    """One call that is timed, and how many it stands for."""

    __slots__ = ("_arrived", "_begun", "_clock", "_meter", "_weight")

    def __init__(self, meter: Meter, clock: Clock, now: int, weight: int) -> None:
        self._meter = meter
        self._clock = clock
        self._weight = weight
        self._arrived = self._begun = now

    def begin(self) -> None:
        """It is its turn; without this, it was at once."""
        self._begun = self._clock()

    def end(self, error: BaseException | None = None, actor: ActorTimes | None = None) -> None:
        """It has ended, in `actor` if that is one; `error` is what it raised, if it did."""
        wait_ns, run_ns = self._begun - self._arrived, self._clock() - self._begun
        failed: Failed = None
        if error is not None:
            status, cause = status_of_user_code(error)
            failed = status, type(cause)  # the exception itself would keep the frames of the user's code
        self._meter.ended(wait_ns, run_ns, failed, self._weight)
        if actor is not None:
            actor.timed(wait_ns, run_ns, self._weight)


class ClassMeters:
    """The meters of the methods of one class: of those that are called and answered, and of those that are told."""

    __slots__ = ("_quick", "asks", "name", "tells")

    def __init__(self, name: str, make: Callable[[], Meter]) -> None:
        self.name = name
        self.asks = _MadeOnUse(make)
        self.tells = _MadeOnUse(make)
        self._quick: dict[frozenset[str], dict[str, Meter]] = {}

    def of(self, number: int | None, method: str) -> Meter:
        """The meter of calls of `method` that have a number, or of those that have none, which are told."""
        return self.asks[method] if number is not None else self.tells[method]

    def quick(self, methods: frozenset[str]) -> dict[str, Meter]:
        """The meters of asks of exactly these methods, and of no others."""
        found = self._quick.get(methods)
        if found is None:
            found = self._quick[methods] = {name: self.asks[name] for name in sorted(methods)}
        return found


class _MadeOnUse(dict[str, Meter]):
    def __init__(self, make: Callable[[], Meter]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: str) -> Meter:
        meter = self[name] = self._make()
        return meter


class Meters:
    """Those of one node."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._busy: list[Meter] = []
        self._classes: dict[str, ClassMeters] = {}
        self._tasks = _MadeOnUse(self._make)

    def of_class(self, name: str) -> ClassMeters:
        """The meters of the class of that name."""
        found = self._classes.get(name)
        if found is None:
            name = name if len(self._classes) < CLASSES_MAX else OTHERS
            found = self._classes.setdefault(name, ClassMeters(name, self._make))
        return found

    def of_task(self, name: str) -> Meter:
        """The meter of the function of that name."""
        return self._tasks[name if name in self._tasks or len(self._tasks) < CLASSES_MAX else OTHERS]

    def rest(self) -> None:
        """To be called now and then: methods that are not busy any more have each call timed."""
        if self._busy:
            now, busy = self._clock(), list(self._busy)
            self._busy[:] = [meter for meter in busy if not meter.rest(now)]

    def all(self) -> Iterator[tuple[str, str, str, Meter]]:
        """Class ("task" for a task), method, kind, and meter of everything that was called."""
        for each in list(self._classes.values()):
            for kind, meters in ((ASK, each.asks), (TELL, each.tells)):
                yield from ((each.name, name, kind, meter) for name, meter in list(meters.items()) if meter.calls)
        yield from ((TASK, name, TASK, meter) for name, meter in list(self._tasks.items()))

    def rows(self, in_flight: dict[tuple[str, str, str], int]) -> list[dict[str, Any]]:
        """A row for each, as plain data; `in_flight` says how many calls of each have come and not ended."""
        return [
            {
                "class": class_name,
                "method": method,
                "kind": kind,
                "calls": meter.calls,
                "errors": meter.errors,
                "in_flight": in_flight.get((class_name, method, kind), 0),
                "wait": meter.wait.plain(),
                "run": meter.run.plain(),
            }
            for class_name, method, kind, meter in self.all()
        ]

    def _make(self) -> Meter:
        return Meter(self._clock, self._busy)
