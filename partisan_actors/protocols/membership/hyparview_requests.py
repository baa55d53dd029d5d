"""Which peers this node has asked for a link, with what priority, and until when it waits for an answer.

A peer has one request at a time, of whatever kind, so that two that cross can only make one link.

How long to wait is learned. Where loops turn slowly, at this end or at the other, answers take long. To ask the next
peer instead makes everybody slower still: one end of a link that is agreed upon is given up before it knows, and the
other has to be ended. Such a storm would keep itself alive for ever. So a node waits for twice as long as answers took
lately at worst, those that came too late included.
"""

from __future__ import annotations

from typing import Final, Protocol

from partisan_actors.protocols.fading import Fading
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.redial import ROUNDING_S
from partisan_actors.values import dataclass

__all__ = ["Asking", "Request", "Requests"]

# How often `timeout_s` a node waits at most, and how soon half of what it has learned is forgotten.
PATIENCE_MAX: Final = 12.0
LATE_S: Final = 30.0


class Asking(Protocol):
    """A message that asks for a link."""

    @property
    def own(self) -> int:
        """The number that the link is to have at the asking end."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: `own` is the number of the link to be; a `promotion` fills a free place."""

    own: int
    high: bool
    promotion: bool
    asked_at: float
    deadline: float


class Requests(dict[Peer, Request]):
    """The requests that wait for an answer, `size_max` at most; whoever adds one looks whether there is room.

    As many that were given up are remembered, the latest ones, since an answer may still come. `timeout_s` is how long
    a link is waited for where answers come soon.
    """

    __slots__ = ("_given_up", "_timeout_s", "_took_s", "size_max")

    def __init__(self, size_max: int, timeout_s: float) -> None:
        super().__init__()
        self.size_max = size_max
        self._timeout_s = timeout_s
        self._given_up: dict[tuple[Peer, int], float] = {}  # when each was asked
        self._took_s = Fading(LATE_S)

    def may_ask(self, peer: Peer) -> bool:
        """Whether `peer` owes no answer, and there is room for one more who does."""
        return peer not in self and len(self) < self.size_max

    def patience(self, now: float) -> float:
        """What time-outs are multiplied by: 1 where answers come soon, PATIENCE_MAX at most."""
        return min(PATIENCE_MAX, max(1.0, 2.0 * self._took_s.worst(now) / self._timeout_s))

    def answered(self, peer: Peer, number: int, now: float) -> bool:
        """`peer` has answered the request `number`. Whether that was given up, and is not answered any more."""
        request = self.get(peer)
        if request is not None and request.own == number:
            self._took_s.saw(now - request.asked_at, now)
            return False
        asked_at = self._given_up.pop((peer, number), None)
        if asked_at is not None:
            self._took_s.saw(now - asked_at, now)
        return asked_at is not None

    def end(self, peer: Peer) -> Request | None:
        """Forget all that `peer` was asked; no answer to it counts any more. What was still waiting, if anything."""
        for key in [key for key in self._given_up if key[0] == peer]:
            del self._given_up[key]
        return self.pop(peer, None)

    def gave_up(self, peer: Peer, request: Request | None, now: float) -> None:
        """`request`, which has just ended, was not answered in time: an answer would take longer than that."""
        if request is None:
            return
        self._took_s.saw(now - request.asked_at, now)
        if len(self._given_up) >= self.size_max:
            del self._given_up[next(iter(self._given_up))]
        self._given_up[peer, request.own] = request.asked_at

    def clear(self) -> None:
        """Nobody was ever asked."""
        super().clear()
        self._given_up.clear()

    def overdue(self, now: float) -> list[Peer]:
        """Those whose time is over."""
        return [peer for peer, request in self.items() if request.deadline <= now + ROUNDING_S]

    def is_first(self, deadline: float) -> bool:
        """Whether nothing ends before `deadline`."""
        return all(deadline < request.deadline for request in self.values())

    def next_delay(self, now: float) -> float | None:
        """Seconds until somebody's time is over, or None when nobody owes an answer."""
        return min(request.deadline for request in self.values()) - now if self else None
