"""`ray.util.multiprocessing`: the stand-in of this package, with Ray's arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import partisan_actors.util.multiprocessing as ours
from partisan_actors.compat.ray.options import actor_options
from partisan_actors.util.multiprocessing import AsyncResult, IMapIterator, TimeoutError

__all__ = ["AsyncResult", "IMapIterator", "Pool", "TimeoutError"]


class Pool(ours.Pool):
    """`partisan_actors.util.multiprocessing.Pool`; `ray_remote_args` are options of its actors."""

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Sequence[Any] = (),
        maxtasksperchild: int | None = None,
        context: object = None,
        ray_address: str | None = None,
        ray_remote_args: Mapping[str, Any] | None = None,
    ) -> None:
        """`ray_address` is where to join, if there is no session."""
        from partisan_actors.compat.ray.lifecycle import init, is_initialized

        if ray_address is not None and not is_initialized():
            init(ray_address)
        options = actor_options(ray_remote_args or {})
        super().__init__(processes, initializer, initargs, maxtasksperchild, context, actor_options=options)
