"""`ray.util.as_completed` and `ray.util.map_unordered`: results as they are ready."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import partisan_actors as pa
import partisan_actors.util as ours

__all__ = ["as_completed", "map_unordered"]


def as_completed(
    refs: Sequence[Any], *, chunk_size: int = 10, yield_obj_refs: bool = False, **kwargs: Any
) -> Iterator[Any]:
    """The values of refs as they are ready, or the refs. `chunk_size`, and what goes to `wait`, is not looked at."""
    for ref in pa.as_completed(refs):
        yield ref if yield_obj_refs else pa.get(ref)


def map_unordered(
    fn: Any,
    items: Iterable[Any],
    *,
    backpressure_size: int | None = 100,
    chunk_size: int = 10,
    yield_obj_refs: bool = False,
    **kwargs: Any,
) -> Iterator[Any]:
    """The results of ``fn.remote(item)`` as they are ready, so many calls at once; without a number, all of them.

    `chunk_size`, and what goes to `wait`, is not looked at.
    """
    if backpressure_size is None or yield_obj_refs:
        refs = [fn.remote(item) for item in items]
        return as_completed(refs, yield_obj_refs=yield_obj_refs)
    return ours.map_unordered(fn, items, at_once=backpressure_size)
