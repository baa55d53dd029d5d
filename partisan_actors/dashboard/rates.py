"""How much a second, of counters that are looked at now and then."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

__all__ = ["Rates"]

KEYS_MAX: Final = 20_000
# Two looks closer together than this tell nothing of a rate, and two further apart nothing of now.
GAP_S_MIN: Final = 0.5
GAP_S_MAX: Final = 60.0


class Rates:
    """Remembers the last counts of KEYS_MAX keys, the latest."""

    def __init__(self) -> None:
        # By key: when it was looked at and what it was, and the rate that was told then.
        self._last: OrderedDict[object, tuple[float, float, float | None]] = OrderedDict()

    def of(self, key: object, count: float, now: float) -> float | None:
        """How much a second `count` has grown since the last look; None when there was none lately.

        A counter that has become smaller has begun anew.
        """
        known = self._last.get(key)
        if known is not None and now - known[0] < GAP_S_MIN:
            return known[2]
        rate = None
        if known is not None and now - known[0] <= GAP_S_MAX:
            grown = count - known[1]
            rate = (grown if grown >= 0 else count) / (now - known[0])
        self._last[key] = now, count, rate
        self._last.move_to_end(key)
        while len(self._last) > KEYS_MAX:
            self._last.popitem(last=False)
        return rate
