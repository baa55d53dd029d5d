"""`with pa.faults(rule):` - faults on the messages of this process's node, from tests and drills."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from partisan_actors.api import session
from partisan_actors.api.drills import drills_of
from partisan_actors.api.on_loop import on_loop
from partisan_actors.api.plan_drill import check_plan
from partisan_actors.faults.messages import MessageRule
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.node.interception import Interception

if not TYPE_CHECKING:
    # The public name is that of a package, which can be called: see there.
    from partisan_actors import faults

__all__ = ["Faults", "faults", "open_faults"]


class Faults:
    """The faults of one ``with faults(...)`` block. `counts` is how many messages had which, on this node, so far."""

    def __init__(self, interception: Interception) -> None:
        self._interception = interception

    @property
    def counts(self) -> dict[str, int]:
        """By kind: "drop", "delay", "duplicate", "reorder", "corrupt"; of all rules of this node since it started."""
        return dict(self._interception.counts)


@contextmanager
def open_faults(*rules: MessageRule | FaultPlan, seed: int = 0) -> Iterator[Faults]:
    """Subject the messages of this process's node to rules, or to a plan, until the block ends.

    A rule is a function of a `Passing` that returns a `Fault` (`DROP`, `DUPLICATE`, `CORRUPT`, `delay(s)`,
    `reorder(s)`), or None. It is called for every message that leaves or arrives, on the node's loop, where it must not
    block; the first rule that answers decides. A `FaultPlan` begins with the block; `seed` decides what chance selects
    in it. Raises ConfigError for a plan with what cannot be done here, TypeError for what is neither.
    """
    system = session.system()
    drills = drills_of(system)
    for rule in rules:
        if isinstance(rule, FaultPlan):
            check_plan(rule, may_crash=False)
        elif not callable(rule):
            raise TypeError(f"a fault rule is a function of a message, or a FaultPlan, not a {type(rule).__name__}")
    ends: list[Callable[[], None]] = []
    try:
        for rule in rules:
            ends.append(on_loop(system, drills.begin, rule, seed))  # noqa: PERF401 - those begun are ended in any case
        yield Faults(drills.interception)
    finally:
        for end in reversed(ends):
            if system.closed is None:
                on_loop(system, end)


if TYPE_CHECKING:
    faults = open_faults
