"""`ClusterExecutor`: a `concurrent.futures.Executor` whose calls are tasks, anywhere in the cluster."""

from __future__ import annotations

import concurrent.futures
import inspect
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

import partisan_actors as pa
from partisan_actors.util.turns import Turns

__all__ = ["ClusterExecutor"]

P = ParamSpec("P")
T = TypeVar("T")


@pa.task
def _call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return function(*args, **kwargs)


class ClusterExecutor(concurrent.futures.Executor):
    """Runs functions as tasks with these options, `max_workers` at once (None: as many as the cluster has room for).

    Whoever wants an executor can have this one: `asyncio.loop.run_in_executor`, `concurrent.futures.wait` and so on
    work with it. A future is never `running()`, because its caller cannot know; so `cancel()` succeeds until there is a
    result, and cancels the task as `partisan_actors.cancel` does. What a function raised is raised by ``result()``, as
    TaskFailed and its own class. Call-backs run on one thread of the executor. Refs among the arguments are replaced by
    their values, as for any task.
    """

    def __init__(self, max_workers: int | None = None, **options: Any) -> None:
        """Raises ValueError for a `max_workers` below 1, ConfigError for what is no option of a task."""
        if max_workers is not None and max_workers < 1:
            raise ValueError(f"max_workers is {max_workers}; it must be greater than 0, or None")
        self._max_workers = max_workers
        self._options = options
        _call.options(**options)  # what is wrong with them is said here
        self._lock = threading.Lock()
        self._is_shut_down = False
        self._under_way: dict[concurrent.futures.Future[Any], pa.ObjectRef[Any]] = {}
        self._waiting: deque[tuple[concurrent.futures.Future[Any], Callable[[], pa.ObjectRef[Any]]]] = deque()
        self._unfinished: set[concurrent.futures.Future[Any]] = set()
        self._turns = Turns("partisan-executor")

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> concurrent.futures.Future[T]:
        """Have ``fn(*args, **kwargs)`` run somewhere. Raises RuntimeError after `shutdown`.

        What cannot be sent is in the future: SerializationError.
        """
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        begin = self._beginning(fn, args, kwargs)
        with self._lock:
            if self._is_shut_down:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._unfinished.add(future)
            self._waiting.append((future, begin))
        future.add_done_callback(self._done)
        self._turns.post(self._begin_some)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more. With `wait`, return when all is done; with `cancel_futures`, what waits here never runs."""
        with self._lock:
            is_first, self._is_shut_down = not self._is_shut_down, True
            waiting = [future for future, _ in self._waiting]
            is_idle = is_first and not self._unfinished
        if cancel_futures:
            for future in waiting:
                future.cancel()
        if is_idle:
            self._turns.end()
        if wait:
            self._turns.join()

    def _beginning(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Callable[[], pa.ObjectRef[Any]]:
        if inspect.isfunction(fn) and not inspect.isgeneratorfunction(fn) and not inspect.isasyncgenfunction(fn):
            task: pa.RemoteFunction[..., Any] = pa.task(**self._options)(fn)
            return lambda: task.remote(*args, **kwargs)
        options = {"name": getattr(fn, "__name__", type(fn).__name__), **self._options}
        return lambda: _call.options(**options).remote(fn, args, kwargs)

    # ---- on the executor's thread -----------------------------------------------------------------------------

    def _begin_some(self) -> None:
        while self._max_workers is None or len(self._under_way) < self._max_workers:
            with self._lock:
                if not self._waiting:
                    return
                future, begin = self._waiting.popleft()
            if future.cancelled():
                self._finish(future, None, None)
                continue
            try:
                ref = begin()
            except Exception as error:  # noqa: BLE001 - arguments that do not fit, or cannot be sent: the caller's
                self._finish(future, None, error)
                continue
            self._under_way[future] = ref
            ref.add_done_callback(partial(self._has_ended, future))

    def _has_ended(self, future: concurrent.futures.Future[Any], ref: pa.ObjectRef[Any]) -> None:
        """On the node's loop."""
        self._turns.post(lambda: self._ended(future, ref))

    def _ended(self, future: concurrent.futures.Future[Any], ref: pa.ObjectRef[Any]) -> None:
        if self._under_way.pop(future, None) is None:
            return  # it was cancelled
        error = ref.exception()
        self._finish(future, None if error is not None else ref.result(), error)
        self._begin_some()

    def _finish(self, future: concurrent.futures.Future[Any], value: Any, error: BaseException | None) -> None:
        # Once for each future, because those who wait for a cancelled one hear of it here.
        if not future.set_running_or_notify_cancel():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)

    def _done(self, future: concurrent.futures.Future[Any]) -> None:
        """A future is done, in whatever way: on the thread that did it."""
        self._turns.post(lambda: self._forget(future))

    def _forget(self, future: concurrent.futures.Future[Any]) -> None:
        ref = self._under_way.pop(future, None)
        if ref is not None:
            pa.cancel(ref)
            self._finish(future, None, None)
            self._begin_some()
        with self._lock:
            self._unfinished.discard(future)
            if self._is_shut_down and not self._unfinished:
                self._turns.end()
