"""`Pool`: a stand-in for `multiprocessing.Pool`, whose processes may be on any node of the cluster.

Names, arguments and errors are those of the original. The differences are in the docstring of the class.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from multiprocessing import TimeoutError as PoolTimeout
from types import TracebackType
from typing import Any, Final

import partisan_actors as pa
from partisan_actors.util.pool_crew import Crew
from partisan_actors.util.pool_results import AsyncResult, Chunks, IMapIterator, Job

__all__ = ["AsyncResult", "IMapIterator", "Pool", "TimeoutError"]

TimeoutError = PoolTimeout  # the original has it under this name, too

# How many chunks `map` makes for each process, so that none has much more to do than another.
CHUNKS_EACH: Final = 4


class Pool:
    """Processes that run what they are given; by default as many as the cluster has CPUs.

    Each is an actor with a process of its own, made with `actor_options`: ``{"isolation": None}`` has them share the
    workers' processes instead. One that dies is replaced, and what it did then raises ActorStopped, where the original
    waits for ever. Exceptions of functions arrive as TaskFailed, and as their own class. What a terminated pool has not
    done raises RuntimeError. `imap` reads its iterable while there is somebody to work on it, at most 1000 results
    ahead of who takes them, until the pool is closed. `context` is not looked at.
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Sequence[Any] = (),
        maxtasksperchild: int | None = None,
        context: object = None,
        *,
        actor_options: Mapping[str, Any] | None = None,
    ) -> None:
        if processes is None:
            processes = max(1, int(_cpus()))
        if isinstance(processes, bool) or not isinstance(processes, int) or processes < 1:
            raise ValueError("Number of processes must be at least 1")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if maxtasksperchild is not None and (not isinstance(maxtasksperchild, int) or maxtasksperchild <= 0):
            raise ValueError("maxtasksperchild must be a positive int or None")
        self._processes = processes
        options = {"isolation": "process", **(actor_options or {})}
        self._crew = Crew(processes, options, initializer, tuple(initargs), maxtasksperchild)
        self._state = "running"
        self._finalizer = weakref.finalize(self, self._crew.terminate)

    def __repr__(self) -> str:
        return f"<Pool {self._state}, {self._processes} processes>"

    # ---- one call ---------------------------------------------------------------------------------------------

    def apply(self, func: Callable[..., Any], args: Iterable[Any] = (), kwds: Mapping[str, Any] | None = None) -> Any:
        """The result of ``func(*args, **kwds)``."""
        return self.apply_async(func, args, kwds).get()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] | None = None,
        callback: Callable[[Any], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult:
        """The same, later: `callback` is called with the result, or `error_callback` with the error, on a thread."""
        result = AsyncResult(1, is_single=True, callback=callback, error_callback=error_callback)
        items = [(tuple(args), dict(kwds or {}))]
        self._start(Job(func, "apply", Chunks(iter(items), 1), result.set_part))
        return result

    # ---- many calls -------------------------------------------------------------------------------------------

    def map(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None) -> list[Any]:
        """The results of ``func(item)``, in the order of the items."""
        return list(self.map_async(func, iterable, chunksize).get())

    def map_async(
        self,
        func: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callable[[list[Any]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult:
        """The same, later. The first error is that of all."""
        return self._many(func, "map", iterable, chunksize, callback, error_callback)

    def starmap(
        self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]], chunksize: int | None = None
    ) -> list[Any]:
        """The results of ``func(*item)``, in the order of the items."""
        return list(self.starmap_async(func, iterable, chunksize).get())

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callable[[list[Any]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult:
        """The same, later."""
        return self._many(func, "starmap", iterable, chunksize, callback, error_callback)

    def imap(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1) -> IMapIterator:
        """The results one by one, in the order of the items, each as soon as it is its turn."""
        return self._iterated(func, iterable, chunksize, is_ordered=True)

    def imap_unordered(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1) -> IMapIterator:
        """The results one by one, each as soon as it is there."""
        return self._iterated(func, iterable, chunksize, is_ordered=False)

    # ---- the end ----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Take no more work. The processes end when all is done."""
        if self._state == "running":
            self._state = "closed"
            self._crew.close()

    def terminate(self) -> None:
        """End the processes at once, whatever they do."""
        self._state = "terminated"
        self._finalizer()

    def join(self) -> None:
        """Wait for the processes to end. Raises ValueError before `close` or `terminate`."""
        if self._state == "running":
            raise ValueError("Pool is still running")
        self._crew.join()

    def __enter__(self) -> Pool:
        self._check_running()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()

    def __reduce__(self) -> Any:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    # ---- inside -----------------------------------------------------------------------------------------------

    def _check_running(self) -> None:
        if self._state != "running":
            raise ValueError("Pool not running")

    def _start(self, job: Job) -> None:
        self._check_running()
        self._crew.start(job)

    def _many(
        self,
        func: Callable[..., Any],
        kind: str,
        iterable: Iterable[Any],
        chunksize: int | None,
        callback: Callable[[Any], object] | None,
        error_callback: Callable[[BaseException], object] | None,
    ) -> AsyncResult:
        self._check_running()
        items = list(iterable)
        size = chunksize if chunksize is not None else max(1, -(-len(items) // (self._processes * CHUNKS_EACH)))
        _check_size(size)
        result = AsyncResult(-(-len(items) // size), callback=callback, error_callback=error_callback)
        job = Job(func, kind, Chunks(iter(items), size), result.set_part)
        if items:
            self._start(job)
        else:
            self._crew.post(result.finish_empty)
        return result

    def _iterated(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int, *, is_ordered: bool
    ) -> IMapIterator:
        _check_size(chunksize)
        results = IMapIterator(is_ordered, self._crew.look)
        self._start(Job(func, "map", Chunks(iter(iterable), chunksize), results.set_part, results))
        return results


def _check_size(chunksize: int) -> None:
    if isinstance(chunksize, bool) or not isinstance(chunksize, int) or chunksize < 1:
        raise ValueError(f"Chunksize must be 1+, not {chunksize!r}")


def _cpus() -> float:
    pa.get_runtime_context()  # starts a session if there is none
    return pa.cluster_resources().get("num_cpus", 1)
