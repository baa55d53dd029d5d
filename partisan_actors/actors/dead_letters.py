"""Messages that reached nobody and that nobody waits for: counted by reason, the last kept, and some of them logged."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, NamedTuple

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
from partisan_actors.wire.codec import unpack

__all__ = ["DEAD_LETTERS_MAX", "OTHER", "REASONS", "DeadLetter", "DeadLetters", "reason_of"]

logger = logging.getLogger(__name__)

DEAD_LETTERS_MAX: Final = 200
NS: Final = 1e-9
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


class DeadLetters:
    """Those of one node."""

    def __init__(self, wall_clock_ns: Callable[[], int]) -> None:
        self._clock = wall_clock_ns
        self.last: deque[DeadLetter] = deque(maxlen=DEAD_LETTERS_MAX)
        self.count = 0
        self.by_reason: Counter[str] = Counter()

    def add(self, whom: str, method: str | bytes, why: str | BaseException, sender: str) -> None:
        """One more. `method` may be a tell as it was packed, of which it is read."""
        name = _method_in(method) if isinstance(method, bytes) else method
        reason = reason_of(why)
        self.count += 1
        self.by_reason[reason] += 1
        self.last.append(DeadLetter(whom, name, str(why), reason, sender, self._clock() * NS))
        count = self.count
        if count & (count - 1) == 0:  # the first, second, fourth ...: a flood of them must not flood the log
            logger.warning("dead letter %d: %s of %s, from %s: %s", count, name, whom, sender, why)


def _method_in(message: bytes) -> str:
    """The method that a packed tell names: ``[kind, key, method, ...]``."""
    try:
        return str(unpack(message)[2])
    except (ValueError, TypeError, IndexError):
        return "tell"
