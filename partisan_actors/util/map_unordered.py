"""`map_unordered`: a task or a method over many items, so many at once, and the results as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeVar

import partisan_actors as pa

__all__ = ["Remote", "map_unordered"]

T_contra = TypeVar("T_contra", contravariant=True)


class Remote(Protocol[T_contra]):
    """A task, or a method of an actor: what has `remote`."""

    def remote(self, item: T_contra, /) -> Any:
        """Call it; returns a ref."""
        ...


def map_unordered(function: Remote[Any], items: Iterable[Any], *, at_once: int = 100) -> Iterator[Any]:
    """The results of ``function.remote(item)``, each as soon as it is ready.

    At most `at_once` calls are under way, and `items` is read no faster, so it may be endless. Blocks this thread.
    Raises what a call raised, where its result would have come; the calls that are under way then go on.
    """
    if isinstance(at_once, bool) or not isinstance(at_once, int) or at_once < 1:
        raise ValueError(f"at_once is {at_once!r}; it must be a whole number from 1")
    if not hasattr(function, "remote"):
        raise TypeError(f"map_unordered takes a task or a method of an actor, not {function!r}")
    return _results(function, iter(items), at_once)


def _results(function: Remote[Any], items: Iterator[Any], at_once: int) -> Iterator[Any]:
    under_way: list[pa.ObjectRef[Any]] = []
    more = True
    while more or under_way:
        while more and len(under_way) < at_once:
            try:
                item = next(items)
            except StopIteration:
                more = False
            else:
                under_way.append(function.remote(item))
        if under_way:
            (ready,), under_way = pa.wait(under_way)
            yield pa.get(ready)
