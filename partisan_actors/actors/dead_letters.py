"""Messages that reached nobody and that nobody waits for: counted by reason, the last kept, and some of them logged."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from partisan_actors.actors.parcels import is_parcel, method_in
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
    """One of them: for whom, which method, why, in a few of REASONS' words, from which node, and when.

    `number` counts those of this node. `actor` is for which actor it was, if that is known. `parcel` is the message, if
    it is kept, to be sent again (`parcels`).
    """

    number: int
    actor: str
    parcel: bytes | None
    whom: str
    method: str
    why: str
    reason: str
    sender: str
    time: float

    def plain(self) -> dict[str, Any]:
        """For people and programs."""
        told = self._asdict()
        is_kept = told.pop("parcel") is not None
        return {**told, "may_resend": is_kept}


def reason_of(why: str | BaseException) -> str:
    """One of REASONS."""
    if isinstance(why, str):
        return UNREADABLE if "cannot be unpickled" in why else OTHER
    return next((words for kind, words in _REASONS if isinstance(why, kind)), OTHER)


class Whom(str):
    """What an actor that is gone was called, and what and who it was."""

    __slots__ = ("actor", "class_name")

    actor: str
    class_name: str

    @classmethod
    def of(cls, class_name: str, text: str, actor: str = "") -> Whom:
        """The text, and the class and the id beside it."""
        made = cls(text)
        made.class_name, made.actor = class_name, actor
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
        parcel = None
        if isinstance(method, bytes):
            parcel, method = bytes(method) if is_parcel(method) else None, method_in(method)
        reason = reason_of(why)
        self.count += 1
        self.by_reason[reason] += 1
        self.counts[self._class_of(whom), reason] += 1
        actor = str(getattr(whom, "actor", ""))
        now = self._clock() * NS
        self.last.append(DeadLetter(self.count, actor, parcel, str(whom), method, str(why), reason, sender, now))
        count = self.count
        if count & (count - 1) == 0:  # the first, second, fourth ...: a flood of them must not flood the log
            logger.warning("dead letter %d: %s of %s, from %s: %s", count, method, whom, sender, why)

    def take(self, number: int) -> DeadLetter | None:
        """Take the one with that number out of the last, if it is among them."""
        found = next((letter for letter in self.last if letter.number == number), None)
        if found is not None:
            self.last.remove(found)
        return found

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
