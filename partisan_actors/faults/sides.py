"""The two sides of a fault between nodes: which fields of its operation name them, and who that is.

Simulated clusters and real nodes carry out the same plans, each in its own way; who is meant is decided here for both.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

from partisan_actors.faults.operations import Cut, Delay, Duplicate, Hold, Loss, Reorder, Reset
from partisan_actors.faults.selectors import ANYBODY, Group, Selector, group

__all__ = ["Sided", "fields_of", "groups_of"]

Sided: TypeAlias = Loss | Delay | Duplicate | Reorder | Cut | Hold | Reset


def fields_of(operation: Sided) -> tuple[tuple[str, Selector], tuple[str, Selector]]:
    """The names and the values of the two fields, the one that "rest" refers to first."""
    if isinstance(operation, Cut | Hold | Reset):
        return ("side", operation.side), ("other", operation.other)
    return ("senders", operation.senders), ("receivers", operation.receivers)


def groups_of(operation: Sided, names: Sequence[str], stream_of: Callable[[str], random.Random]) -> tuple[Group, Group]:
    """Who is meant among the nodes of those names; what chance selects of a field comes from its stream."""
    (field, selector), (other_field, other) = fields_of(operation)
    first = group(selector, names, stream_of(field), ANYBODY)
    return first, group(other, names, stream_of(other_field), first)
