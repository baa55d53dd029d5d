"""How long a suspect has to say that it lives: less, the more nodes suspect it for themselves (Lifeguard)."""

from __future__ import annotations

import math

from partisan_actors.protocols.machine import Peer

__all__ = ["Suspicion", "suspicion_timeout"]


def suspicion_timeout(confirmations: int, enough: int, least_s: float, most_s: float) -> float:
    """Seconds from the first suspicion on: `most_s` without confirmations, `least_s` with `enough` of them.

    Lifeguard's `max(Min, Max - (Max - Min) * ln(C + 1) / ln(K + 1))`: the first confirmation takes the most off.
    """
    if enough < 1:
        return least_s
    share = math.log(confirmations + 1) / math.log(enough + 1)
    return max(least_s, most_s - (most_s - least_s) * share)


class Suspicion:
    """One suspect: since when, and who else says so."""

    __slots__ = ("_confirmers", "_enough", "_least_s", "_most_s", "_started", "ends_at", "incarnation", "number")

    def __init__(
        self, number: int, incarnation: int, by: Peer, now: float, enough: int, least_s: float, most_s: float
    ) -> None:
        self.number = number
        self.incarnation = incarnation
        self._started = now
        self._enough = enough
        self._least_s = least_s
        self._most_s = most_s
        # Whoever suspected first is among them, and is no confirmation.
        self._confirmers: dict[Peer, None] = {by: None}
        self.ends_at = 0.0
        self._set_end()

    @property
    def confirmations(self) -> int:
        """How many others suspect the same, as far as they count."""
        return len(self._confirmers) - 1

    def confirm(self, by: Peer) -> bool:
        """`by` suspects it, too. Returns whether that is news, and shortens the time; `enough` of them count."""
        if by in self._confirmers or self.confirmations >= self._enough:
            return False
        self._confirmers[by] = None
        self._set_end()
        return True

    def postpone(self, seconds: float) -> None:
        """That time does not count: this node could not have heard the suspect."""
        self._started += seconds
        self._set_end()

    def _set_end(self) -> None:
        timeout_s = suspicion_timeout(self.confirmations, self._enough, self._least_s, self._most_s)
        self.ends_at = self._started + timeout_s
