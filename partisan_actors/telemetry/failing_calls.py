"""Which traced call an actor failed with, as far as this node made it: what the span of its restart is linked to."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from partisan_actors.telemetry.context import SAMPLED, TraceContext

__all__ = ["FailingCalls"]

# Actors of which one call is remembered; beyond, the one that failed first is forgotten.
ACTORS_MAX: Final = 1000
# A call that failed so long before, or after, has to do with another end of the actor.
WITHIN_NS: Final = 30_000_000_000


class FailingCalls:
    """Those of one node. All calls of an actor fail with it; the first that did is the one most likely at fault."""

    def __init__(self) -> None:
        # By ids as texts, as brief records have them.
        self._of: OrderedDict[str, tuple[int, TraceContext]] = OrderedDict()

    def note(self, actor: object, context: TraceContext, now_ns: int) -> None:
        """That traced call has failed, because the actor or its node is gone."""
        if not context.flags & SAMPLED:
            return
        key = str(actor)
        known = self._of.get(key)
        if known is not None and now_ns - known[0] < WITHIN_NS:
            return
        self._of[key] = now_ns, context
        self._of.move_to_end(key)
        if len(self._of) > ACTORS_MAX:
            self._of.popitem(last=False)

    def take(self, actor: object, now_ns: int) -> TraceContext | None:
        """The call that failed lately with the actor, which is forgotten now."""
        known = self._of.pop(str(actor), None)
        return known[1] if known is not None and now_ns - known[0] < WITHIN_NS else None
