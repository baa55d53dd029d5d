"""Where traces begin: which of what might begin one does, and with which ids."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from partisan_actors.telemetry.context import RANDOM_TRACE_ID, SAMPLED, TraceContext
from partisan_actors.telemetry.sampler import RateLimit, Sampler

__all__ = ["EACH", "NEVER", "UNDRAWN", "Roots"]

# Of numbers that are due: each has to be looked at; not drawn yet; none.
EACH: Final = 0
UNDRAWN: Final = -1
NEVER: Final = math.inf

TRACE_ID_BITS: Final = 128
SPAN_ID_BITS: Final = 64
_LOW_64: Final = (1 << 64) - 1
_TWO_64: Final = float(1 << 64)
_FLOAT_BITS: Final = 53
_PASSED_OVER_MAX: Final = 1 << 40


class Roots:
    """The sampler and the limit of one node, and what is drawn by them."""

    __slots__ = ("_bits", "_clock", "_limit", "_sampler", "is_spent")

    def __init__(
        self, sampler: Sampler, limit: RateLimit | None, clock: Callable[[], int], random_bits: Callable[[int], int]
    ) -> None:
        self._sampler = sampler
        self._limit = limit
        self._clock = clock
        self._bits = random_bits
        # Whether the limit has refused something since this was last set.
        self.is_spent = False

    def sampled(self, override: object) -> TraceContext | None:
        """A new trace, if it is sampled; `override` is the share that its class says, if it does."""
        trace_id = self._bits(TRACE_ID_BITS) or 1
        if isinstance(override, float):
            is_sampled = (trace_id & _LOW_64) < override * _TWO_64
        else:
            is_sampled = self._sampler.ratio >= 1.0 or self._sampler.samples(trace_id)
        return self._made(trace_id) if is_sampled and (self._limit is None or self._is_allowed()) else None

    def drawn(self) -> TraceContext | None:
        """One that was chosen by its number; it gets an id for which any sampler of that ratio decides the same."""
        if self._limit is not None and not self._is_allowed():
            return None
        trace_id = self._bits(TRACE_ID_BITS)
        low = (trace_id & _LOW_64) * self._sampler.bound >> SPAN_ID_BITS
        return self._made((trace_id & ~_LOW_64 | low) or 1)

    def unsampled(self) -> TraceContext:
        """A new trace of which nothing is recorded, unless it is late."""
        return TraceContext(self._bits(TRACE_ID_BITS) or 1, self._bits(SPAN_ID_BITS) or 1, RANDOM_TRACE_ID)

    def next_due(self, first: int) -> float:
        """Draw which of the numbers from `first` on is the next to begin a trace.

        To draw that costs less than to draw for each of them.
        """
        ratio = self._sampler.ratio
        if ratio >= 1.0:
            return EACH
        if ratio <= 0.0:
            return NEVER
        chance = self._bits(_FLOAT_BITS) / (1 << _FLOAT_BITS)
        return first + min(int(math.log1p(-chance) / math.log1p(-ratio)), _PASSED_OVER_MAX)

    def _made(self, trace_id: int) -> TraceContext:
        # As in TraceContext.unpack: the same value for half the time.
        fields = (trace_id, self._bits(SPAN_ID_BITS) or 1, RANDOM_TRACE_ID | SAMPLED, 0, "")
        return tuple.__new__(TraceContext, fields)

    def _is_allowed(self) -> bool:
        if self._limit is None or self._limit.takes(self._clock()):
            return True
        self.is_spent = True
        return False
