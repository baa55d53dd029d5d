"""Which peers this node has asked for a link, with what priority, and until when it waits for an answer.

A peer has one request at a time, of whatever kind, so that two that cross can only make one link.
"""

from __future__ import annotations

from typing import Protocol

from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.redial import ROUNDING_S
from partisan_actors.values import dataclass

__all__ = ["Asking", "Request", "Requests"]


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
    deadline: float


class Requests(dict[Peer, Request]):
    """The requests that wait for an answer, `size_max` at most; whoever adds one looks whether there is room."""

    __slots__ = ("size_max",)

    def __init__(self, size_max: int) -> None:
        super().__init__()
        self.size_max = size_max

    def may_ask(self, peer: Peer) -> bool:
        """Whether `peer` owes no answer, and there is room for one more who does."""
        return peer not in self and len(self) < self.size_max

    def overdue(self, now: float) -> list[Peer]:
        """Those whose time is over."""
        return [peer for peer, request in self.items() if request.deadline <= now + ROUNDING_S]

    def is_first(self, deadline: float) -> bool:
        """Whether nothing ends before `deadline`."""
        return all(deadline < request.deadline for request in self.values())

    def next_delay(self, now: float) -> float | None:
        """Seconds until somebody's time is over, or None when nobody owes an answer."""
        return min(request.deadline for request in self.values()) - now if self else None
