"""Why connections were refused, or cut because their other end broke the protocol: counted by kind.

The kinds are a fixed list, for what strangers say must not decide how much is kept or logged: of each kind, the log has
the 1st, the 10th, the 100th and so on.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from partisan_actors.errors import AuthenticationError, PartisanError
from partisan_actors.messages import message_types

__all__ = ["KINDS", "Refusals", "kind_of"]

logger = logging.getLogger(__name__)

MALFORMED_CONTROL: Final = "malformed control message"
# By what stands in the text of the error; the first that fits. The empty text fits all.
KINDS: Final = (
    ("refused us: ", "refused by the other side"),
    ("no handshake within", "no handshake in time"),
    ("have not shaken hands", "too many without a handshake"),
    ("speaks TLS, and this node", "TLS, and there is none here"),
    ("does not speak TLS", "no TLS"),
    ("gave up TLS", "the other side gave up TLS"),
    ("TLS is too old", "too old a TLS"),
    ("certificate", "certificate"),
    ("protocol version", "protocol version"),
    ("the cookies differ", "cookie"),
    ("it belongs to cluster", "cluster"),
    ("it wanted another node", "another node was meant"),
    ("is not configured here", "lane"),
    ("is an observer and the other", "observer and member at once"),
    ("cannot connect to itself", "itself"),
    ("has left its cluster", "this node has left"),
    ("does not speak this protocol", "another protocol"),
    ("not a partisan_actors node", "another protocol"),
    ("handshake", "malformed handshake"),
    ("malformed hello", "malformed handshake"),
    ("malformed challenge", "malformed handshake"),
    ("a compressed frame", "malformed compressed frame"),
    ("messages than it announced", "batch miscounted"),
    ("out of place", "frame out of place"),
    ("the limit is", "too large"),
    ("no room for", "too large"),
    ("large message", "malformed large message"),
    ("control message", MALFORMED_CONTROL),
    ("malformed input", "malformed message"),
    ("with a body", "frame out of place"),
    ("in turn", "malformed large message"),
    ("transfer", "malformed large message"),
    ("pieces of segments", "malformed message"),
    ("a cancellation that is", "malformed message"),
    ("acknowledged", "malformed message"),
    ("stream", "malformed message"),
    ("cut off by a fault", "injected fault"),
    ("session", "session"),
    ("acknowledges what was never sent", "session"),
)
OTHERS: Final = "other"
CLOSED: Final = "closed before a handshake"


def kind_of(error: BaseException | None) -> str:
    """One of KINDS, OTHERS, or CLOSED when the other side just went."""
    if not isinstance(error, PartisanError):
        return CLOSED
    text = error.why if isinstance(error, AuthenticationError) else str(error)
    if text.partition(": ")[0] in message_types():  # as the codec begins what it says of a message
        return MALFORMED_CONTROL
    return next((kind for part, kind in KINDS if part in text), OTHERS)


class Refusals:
    """The refusals of one node, for its log and for whoever asks."""

    def __init__(self) -> None:
        # By whether it was after the handshake, and kind: how many, and what the first said.
        self._counts: dict[tuple[bool, str], int] = {}
        self._first: dict[tuple[bool, str], str] = {}

    def refused(self, error: BaseException | None) -> None:
        """A connection that somebody made here ended before it was open."""
        self._count(False, kind_of(error), str(error))

    def broke(self, peer: str, error: BaseException) -> None:
        """A peer broke the protocol, and its connection was cut."""
        self._count(True, kind_of(error), f"node {peer}: {error}")

    def count(self, *, after_handshake: bool) -> int:
        """How many of one sort there were, of all kinds."""
        return sum(count for (after, _), count in self._counts.items() if after is after_handshake)

    def facts(self) -> list[dict[str, Any]]:
        """Each kind with how often it happened and its first text, as plain data."""
        return [
            {"kind": kind, "after_handshake": after, "count": count, "first": self._first[after, kind]}
            for (after, kind), count in self._counts.items()
        ]

    def _count(self, after: bool, kind: str, text: str) -> None:
        count = self._counts[after, kind] = self._counts.get((after, kind), 0) + 1
        self._first.setdefault((after, kind), text[:500])
        if kind != CLOSED and set(str(count)) <= {"0", "1"} and str(count).count("1") == 1:
            what = "cut a connection whose other end broke the protocol" if after else "refused a connection"
            logger.warning("%s (%s, %d so far): %s", what, kind, count, text[:500])
