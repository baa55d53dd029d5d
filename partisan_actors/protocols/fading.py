"""`Fading`: how bad something was lately, at worst; what was seen loses half of its weight every so many seconds."""

from __future__ import annotations

__all__ = ["Fading"]


class Fading:
    """One measure, 0 as long as nothing was seen."""

    __slots__ = ("_at", "_half_s", "_worst")

    def __init__(self, half_s: float) -> None:
        self._half_s = half_s
        self._worst, self._at = 0.0, 0.0

    def worst(self, now: float) -> float:
        """What counts now."""
        return self._worst * 0.5 ** ((now - self._at) / self._half_s) if self._worst else 0.0

    def saw(self, value: float, now: float) -> None:
        """It was `value` this time."""
        self._worst, self._at = max(value, self.worst(now)), now
