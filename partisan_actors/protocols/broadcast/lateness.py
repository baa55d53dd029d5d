"""`Lateness`: how long announced messages take to come by themselves, so that none is asked for that is on its way.

What came by a graft may have been on its way as well: that shows when it comes once more. The measure is the worst of
late, which fades by half every LATE_S.
"""

from __future__ import annotations

from typing import Final

from partisan_actors.protocols.broadcast.announcements import MessageId
from partisan_actors.protocols.fading import Fading

__all__ = ["Lateness"]

LATE_S: Final = 10.0
# Messages that came by a graft and may come once more. The oldest is forgotten first.
GRAFTED_MAX: Final = 256


class Lateness:
    """What one node has seen."""

    __slots__ = ("_grafted", "_took_s")

    def __init__(self) -> None:
        self._took_s = Fading(LATE_S)
        self._grafted: dict[MessageId, float] = {}

    def worst_s(self, now: float) -> float:
        """How long a message took, at worst, from its first announcement."""
        return self._took_s.worst(now)

    def came(self, announced_at: float, now: float) -> None:
        """An announced message came by itself."""
        self._took_s.saw(now - announced_at, now)

    def grafted(self, message_id: MessageId, announced_at: float) -> None:
        """An announced message came from whom it was asked of."""
        self._grafted[message_id] = announced_at
        if len(self._grafted) > GRAFTED_MAX:
            del self._grafted[next(iter(self._grafted))]

    def came_again(self, message_id: MessageId, now: float) -> None:
        """A message came that was here already."""
        announced_at = self._grafted.pop(message_id, None)
        if announced_at is not None:
            self.came(announced_at, now)
