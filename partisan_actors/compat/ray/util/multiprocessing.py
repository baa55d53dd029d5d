"""`ray.util.multiprocessing`: the stand-in of this package, with Ray's arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import partisan_actors.util.multiprocessing as ours
from partisan_actors.compat.ray.absent import refuser_of
from partisan_actors.compat.ray.options import actor_options
from partisan_actors.util.multiprocessing import AsyncResult, IMapIterator, TimeoutError

__all__ = ["AsyncResult", "IMapIterator", "Pool", "TimeoutError"]

__getattr__ = refuser_of("util.multiprocessing")


class Pool(ours.Pool):
    """`partisan_actors.util.multiprocessing.Pool`; `ray_remote_args` are options of its actors."""

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Sequence[Any] | None = None,
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
        super().__init__(processes, initializer, initargs or (), maxtasksperchild, context, actor_options=options)

    def apply(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """The result of ``func(*args, **kwargs)``."""
        return self.apply_async(func, args, kwargs).get()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        callback: Callable[[Any], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult:
        """The same, later."""
        return super().apply_async(func, args or (), kwargs, callback, error_callback)

    def starmap_async(  # type: ignore[override]  # Ray's has no chunksize
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        callback: Callable[[list[Any]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult:
        """The results of ``func(*item)``, later."""
        return super().starmap_async(func, iterable, None, callback, error_callback)

    def starmap(
        self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]], chunksize: int | None = None
    ) -> list[Any]:
        """The results of ``func(*item)``, in the order of the items."""
        return list(super().starmap_async(func, iterable, chunksize).get())
