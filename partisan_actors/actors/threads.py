"""Threads for blocking methods: each actor has its own while the node can afford it.

An actor gets a thread at its first blocking call and keeps it, so that objects bound to a thread (an SQLite
connection, a thread-local) stay usable. A node keeps `kept` of them; beyond that, the thread that was idle for the
longest goes to the actor that needs one now, unless its actor asked for a dedicated thread. Busy threads are never
taken, so an actor never waits for another one's blocking call.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from partisan_actors.actors.jobs import JobQueue, job_queue

__all__ = ["ActorThread", "JobThread", "Threads"]

logger = logging.getLogger(__name__)

Job = Callable[[], None]


class JobThread(Protocol):
    """Runs jobs one after another, in a thread of its own: an `ActorThread`, or a simulated one."""

    @property
    def run(self) -> Callable[[Job], None]:
        """Queue a job; from the loop, or from the thread itself."""
        ...

    def stop(self) -> None:
        """End after the jobs that wait."""
        ...


class ActorThread:
    """A thread of the operating system."""

    def __init__(self, name: str) -> None:
        self._jobs: JobQueue[Job] = job_queue()
        self.run = self._jobs.put
        # A daemon: a method that never returns must not keep the process.
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the jobs that wait."""
        self._jobs.put(_end)

    def _main(self) -> None:
        get = self._jobs.get
        while (job := get()) is not _end:
            try:
                job()
            except BaseException:
                logger.exception("a job of thread %s failed", self._thread.name)
        self._jobs.close()


def _end() -> None:
    """The last job of a thread."""


class Tenant(Protocol):
    """Who may have a thread: a cell."""

    thread: JobThread | None
    dedicated_thread: bool

    @property
    def is_thread_busy(self) -> bool:
        """Whether its thread has something to do."""
        ...


class Threads:
    """The threads of one node. Used on the node's loop only."""

    def __init__(self, name: str, kept: int, make: Callable[[str], JobThread]) -> None:
        self._name = name
        self._make_one = make
        self._kept = kept
        self._leases: OrderedDict[Tenant, None] = OrderedDict()
        self._free: list[JobThread] = []
        self._made = 0

    def lease(self, tenant: Tenant) -> JobThread:
        """The thread of `tenant`, which it then holds as `tenant.thread`; a new one if it has none."""
        thread = tenant.thread
        if thread is not None:
            self._leases.move_to_end(tenant)
            return thread
        thread = self._free.pop() if self._free else self._take_idle() or self._make()
        tenant.thread = thread
        self._leases[tenant] = None
        return thread

    def give_back(self, tenant: Tenant) -> None:
        """`tenant` ends. A thread that is still busy is abandoned: it ends when its method does."""
        self._leases.pop(tenant, None)
        thread, tenant.thread = tenant.thread, None
        if thread is None:
            return
        if tenant.is_thread_busy or len(self._free) >= self._kept:
            thread.stop()
        else:
            self._free.append(thread)

    def abandon(self, tenant: Tenant) -> None:
        """`tenant` ends, and what its thread runs may never: the thread ends with that."""
        self._leases.pop(tenant, None)
        thread, tenant.thread = tenant.thread, None
        if thread is not None:
            thread.stop()

    def close(self) -> None:
        """End every thread once its jobs are done."""
        for tenant in list(self._leases):
            if tenant.thread is not None:
                tenant.thread.stop()
                tenant.thread = None
        self._leases.clear()
        for thread in self._free:
            thread.stop()
        self._free.clear()

    def _take_idle(self) -> JobThread | None:
        if len(self._leases) < self._kept:
            return None
        for tenant in self._leases:
            if not tenant.is_thread_busy and not tenant.dedicated_thread:
                del self._leases[tenant]
                thread, tenant.thread = tenant.thread, None
                return thread
        return None

    def _make(self) -> JobThread:
        self._made += 1
        return self._make_one(f"{self._name}-actor-{self._made}")
