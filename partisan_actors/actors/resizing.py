"""How many calls an actor has in progress at most, looked up and changed while it runs: `max_concurrency`."""

from __future__ import annotations

from typing import Final

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.groups import THREADS_MAX, GroupedCell, is_blocking
from partisan_actors.errors import ConfigError

__all__ = ["CONCURRENCY_MAX", "concurrency_of", "may_resize", "resize"]

CONCURRENCY_MAX: Final = 100_000


def concurrency_of(cell: Cell) -> int:
    """What it is now; 1 for an actor that has one thread for all of its methods."""
    if isinstance(cell, GroupedCell) and cell.default_group is not None:
        return cell.default_group.most
    return 1 if is_blocking(cell.definition.interface) else cell._concurrency


def may_resize(cell: Cell) -> bool:
    """Whether it can be changed: not for an actor of blocking methods that was made without `max_concurrency`."""
    has_group = isinstance(cell, GroupedCell) and cell.default_group is not None
    return has_group or not is_blocking(cell.definition.interface)


def resize(cell: Cell, most: int) -> None:
    """Have at most so many in progress from now on, groups of its own aside. What runs goes on; what waits may begin.

    On the loop. Raises ConfigError for what is no such number, which is less where each takes a thread, and for an
    actor of blocking methods that was made without `max_concurrency`: it may count on one at a time.
    """
    if not 1 <= most <= CONCURRENCY_MAX:
        raise ConfigError("concurrency", most, f"from 1 to {CONCURRENCY_MAX}")
    group = cell.default_group if isinstance(cell, GroupedCell) else None
    if group is not None:
        if most > THREADS_MAX:
            raise ConfigError("concurrency", most, f"from 1 to {THREADS_MAX}, as each blocking method takes a thread")
        group.resize(most)
    elif not may_resize(cell):
        raise ConfigError("concurrency", most, f"1, as {cell} was made with one thread (max_concurrency)")
    else:
        cell._concurrency = most
        cell.system.loop.call_soon(cell._pump)  # as after a call has ended
