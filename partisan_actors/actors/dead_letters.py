"""Messages that reached nobody and that nobody waits for: counted by reason, the last kept, and some of them logged."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from partisan_actors.errors import (
    ActorNotFound,
    ActorStopped,
    ActorUnavailable,
    MailboxFull,
    NodeDown,
    NoRoute,
    NotYetConnected,
    Overloaded,
)
from partisan_actors.telemetry.meters import CLASSES_MAX, OTHERS
from partisan_actors.wire.codec import unpack

__all__ = ["DEAD_LETTERS_MAX", "OTHER", "REASONS", "UNKNOWN_CLASS", "DeadLetter", "DeadLetters", "Whom", "reason_of"]

logger = logging.getLogger(__name__)

DEAD_LETTERS_MAX: Final = 200
NS: Final = 1e-9
# Of what was for an actor of which nothing is known here but its key, or its name.
UNKNOWN_CLASS: Final = "(unknown)"
UNREADABLE: Final = "cannot be read"
OTHER: Final = "other"

# What an error says of why a message did not arrive, in a few words; the first class that fits.
_REASONS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (MailboxFull, "mailbox full"),
    (NodeDown, "node down"),
    (ActorStopped, "actor ended"),
    (ActorNotFound, "no such actor"),
    (ActorUnavailable, "actor unavailable"),
    (Overloaded, "overloaded"),
    (NoRoute, "no route"),
    (NotYetConnected, "not connected"),
    (AttributeError, "no such method"),
)
REASONS: Final = (*(words for _, words in _REASONS), UNREADABLE, OTHER)


class DeadLetter(NamedTuple):
    """One of them: for whom, which method, why, in a few of REASONS' words, from which node, and when."""

    whom: str
    method: str
    why: str
    reason: str
    sender: str
    time: float


def reason_of(why: str | BaseException) -> str:
    """One of REASONS."""
    if isinstance(why, str):
        return UNREADABLE if "cannot be unpickled" in why else OTHER
    return next((words for kind, words in _REASONS if isinstance(why, kind)), OTHER)


class Whom(str):
    """What an actor that is gone was called, and what it was."""

    __slots__ = ("class_name",)

    class_name: str

    @classmethod
    def of(cls, class_name: str, text: str) -> Whom:
        """The text, and the class beside it."""
        made = cls(text)
        made.class_name = class_name
        return made


class DeadLetters:
    """Those of one node."""

    def __init__(self, wall_clock_ns: Callable[[], int]) -> None:
        self._clock = wall_clock_ns
        self.last: deque[DeadLetter] = deque(maxlen=DEAD_LETTERS_MAX)
        self.count = 0
        self.by_reason: Counter[str] = Counter()
        # How many there were for actors of each class, for each reason.
        self.counts: Counter[tuple[str, str]] = Counter()
        self._classes: set[str] = set()

    def add(self, whom: object, method: str | bytes, why: str | BaseException, sender: str) -> None:
        """One more. `whom` is a cell, a location, or a text. `method` may be a packed tell, of which it is read."""
        name = _method_in(method) if isinstance(method, bytes) else method
        reason = reason_of(why)
        self.count += 1
        self.by_reason[reason] += 1
        self.counts[self._class_of(whom), reason] += 1
        self.last.append(DeadLetter(str(whom), name, str(why), reason, sender, self._clock() * NS))
        count = self.count
        if count & (count - 1) == 0:  # the first, second, fourth ...: a flood of them must not flood the log
            logger.warning("dead letter %d: %s of %s, from %s: %s", count, name, whom, sender, why)

    def _class_of(self, whom: Any) -> str:
        name = getattr(whom, "class_name", "")  # a location has one, and a cell a definition
        if (definition := getattr(whom, "definition", None)) is not None:
            name = definition.interface.class_name
        if not name:
            return UNKNOWN_CLASS
        if name not in self._classes and len(self._classes) >= CLASSES_MAX:
            return OTHERS
        self._classes.add(name)
        return str(name)


def _method_in(message: bytes) -> str:
    """The method that a packed tell names: ``[kind, key, method, ...]``."""
    try:
        return str(unpack(message)[2])
    except (ValueError, TypeError, IndexError):
        return "tell"
