"""A backend for joblib, whose work is tasks: ``register_partisan()``, then ``parallel_backend("partisan")``.

joblib is not installed with this package; importing this module needs it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from joblib import ParallelBackendBase, register_parallel_backend
from joblib._parallel_backends import AutoBatchingMixin  # no other module has it

import partisan_actors as pa
from partisan_actors.util.executor import ClusterExecutor

__all__ = ["PartisanBackend", "register_partisan"]

NAME: Final = "partisan"


class PartisanBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]  # joblib ships no types
    """Runs the batches of joblib as tasks, `n_jobs` at once; by default, and with -1, as many as there are CPUs.

    Further arguments of `parallel_backend` are options of the tasks. What a function raises arrives as TaskFailed and
    its own class. Calls of joblib inside the tasks run one after the other there, unless they choose a backend.
    """

    supports_retrieve_callback = True
    default_n_jobs = -1

    def __init__(
        self, nesting_level: int | None = None, inner_max_num_threads: int | None = None, **options: Any
    ) -> None:
        """Raises ConfigError for what is no option of a task."""
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        self._options = options
        self._executor: ClusterExecutor | None = None
        self._futures: weakref.WeakSet[Future[Any]] = weakref.WeakSet()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many run at once: -1 means all CPUs of the cluster, -2 all but one."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 has no meaning")
        if n_jobs is None:
            return 1
        if n_jobs > 0:
            return n_jobs
        cpus = int(pa.cluster_resources().get("num_cpus", 1))
        return max(1, cpus + 1 + n_jobs)

    def configure(self, n_jobs: int | None = 1, parallel: Any = None, **others: Any) -> int:
        """A call of joblib begins."""
        self.parallel = parallel
        count = self.effective_n_jobs(n_jobs)
        self._executor = ClusterExecutor(count, **self._options)
        return count

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], object] | None = None) -> Future[Any]:
        """Have a batch run; `callback` gets its future, on a thread of the executor."""
        assert self._executor is not None, "configured"
        future = self._executor.submit(func)
        self._futures.add(future)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """The results of a batch that is done, or what it raised."""
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """A batch has failed: cancel the others."""
        for future in list(self._futures):
            future.cancel()
        self.terminate()
        if ensure_ready:
            self.configure(n_jobs=self.parallel.n_jobs, parallel=self.parallel)

    def terminate(self) -> None:
        """The call of joblib is over."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None
        self.reset_batch_stats()


def register_partisan() -> None:
    """Make it known to joblib as "partisan"."""
    register_parallel_backend(NAME, PartisanBackend)
