"""What strategies have in common whose private methods add to one list of effects, which every input answers with."""

from __future__ import annotations

from partisan_actors.protocols.machine import Effect, Peer, Send, SetTimer
from partisan_actors.protocols.membership.redial import Redial

__all__ = ["REDIAL", "Collecting", "Contacts"]

REDIAL = "redial"


class Collecting:
    """A strategy to be: its effects, and the peers it tries again under the timer REDIAL."""

    _redial: Redial

    def __init__(self) -> None:
        self._effects: list[Effect] = []

    def _send(self, peer: Peer, message: object) -> None:
        self._effects.append(Send(peer, message))

    def _set_redial_timer(self, now: float) -> None:
        delay = self._redial.next_delay(now)
        if delay is not None:
            self._effects.append(SetTimer(REDIAL, delay))

    def _answer(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects


class Contacts(dict[Peer, None]):
    """Peers that a node which is left with nobody goes back to: `size_max` at most, the latest last."""

    __slots__ = ("size_max",)

    def __init__(self, size_max: int) -> None:
        super().__init__()
        self.size_max = size_max

    def remember(self, peer: Peer) -> None:
        """`peer` is the latest now; the one that was remembered first makes room."""
        self.pop(peer, None)
        if len(self) >= self.size_max:
            del self[next(iter(self))]
        self[peer] = None

    def supersede(self, former: Peer, later: Peer) -> bool:
        """Whether `former` was remembered; `later` is, in its stead."""
        if former not in self:
            return False
        del self[former]
        self.remember(later)
        return True
