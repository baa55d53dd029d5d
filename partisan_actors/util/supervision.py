"""What a supervisor does about the end of a child, as a function of what happened and what time it is. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from partisan_actors import ConfigError

__all__ = ["KILL", "ORDERLY", "STRATEGIES", "Child", "Restarts", "is_restarted", "with_those_that_end_too"]

ONE_FOR_ONE: Final = "one_for_one"
ONE_FOR_ALL: Final = "one_for_all"
REST_FOR_ONE: Final = "rest_for_one"
STRATEGIES: Final = (ONE_FOR_ONE, ONE_FOR_ALL, REST_FOR_ONE)
RESTARTS: Final = ("permanent", "transient", "temporary")
KILL: Final = "kill"
# Reasons that are no failure; and the one that a supervisor gives.
SHUTDOWN: Final = "shutdown"
ORDERLY: Final = frozenset({"normal", SHUTDOWN})


@dataclass(frozen=True, slots=True)
class Child:
    """How one child is started, and what is done about it.

    `actor` is an actor class, with its options or without, made with `args` and `kwargs`. `ready` is the name of a
    method without arguments that is called when it has been made: the next child waits until it has answered, and what
    it raises is a start that failed. Without it, a start cannot fail, and a constructor that raises ends the child.

    `restart` is "permanent", always; "transient", unless it ended as "normal" or "shutdown"; "temporary", never.
    `shutdown` is how many seconds it has to end by itself (its `on_stop` included) when it is told to, None for any
    number, or "kill". Raises ConfigError.
    """

    id: str
    actor: Any
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    restart: str = "permanent"
    shutdown: float | str | None = 5.0
    ready: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise ConfigError("id", self.id, "a text")
        if not callable(getattr(self.actor, "remote", None)):
            raise ConfigError("actor", self.actor, "an actor class, or what its options(...) gives")
        if self.restart not in RESTARTS:
            raise ConfigError("restart", self.restart, " or ".join(map(repr, RESTARTS)))
        is_time = isinstance(self.shutdown, (int, float)) and not isinstance(self.shutdown, bool) and self.shutdown >= 0
        if self.shutdown not in (None, KILL) and not is_time:
            raise ConfigError("shutdown", self.shutdown, "seconds, None or 'kill'")
        if self.ready is not None and not isinstance(self.ready, str):
            raise ConfigError("ready", self.ready, "the name of a method, or None")


class Restarts:
    """At most `intensity` of them within `period_s` seconds."""

    def __init__(self, intensity: int, period_s: float) -> None:
        if isinstance(intensity, bool) or not isinstance(intensity, int) or intensity < 0:
            raise ConfigError("intensity", intensity, "a whole number from 0")
        if isinstance(period_s, bool) or not isinstance(period_s, (int, float)) or not 0 < period_s < float("inf"):
            raise ConfigError("period_s", period_s, "a positive number of seconds")
        self._intensity = intensity
        self._period_s = period_s
        self._at: deque[float] = deque()

    def allows(self, now: float) -> bool:
        """Count one more. Returns whether that is within the bound."""
        while self._at and now - self._at[0] > self._period_s:
            self._at.popleft()
        self._at.append(now)
        return len(self._at) <= self._intensity


def is_restarted(restart: str, reason: str) -> bool:
    """Whether a child that ended for that reason is made again."""
    return restart == "permanent" or (restart == "transient" and reason not in ORDERLY)


def with_those_that_end_too(strategy: str, ids: Sequence[str], ended: str) -> list[str]:
    """Of children in the order in which they were started: who ends with that one, and it, in the same order.

    >>> with_those_that_end_too("rest_for_one", ["a", "b", "c"], "b")
    ['b', 'c']
    """
    if strategy == ONE_FOR_ALL:
        return list(ids)
    return list(ids[ids.index(ended) :]) if strategy == REST_FOR_ONE else [ended]
