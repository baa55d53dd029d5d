"""Background jobs with an owner, a name and an end: the only place of the node floor that makes asyncio tasks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

__all__ = ["Background"]

logger = logging.getLogger(__name__)


class Background:
    """The jobs of one node. All are cancelled, and waited for, when the node closes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: set[asyncio.Task[Any]] = set()

    def start(self, job: Coroutine[Any, Any, Any], name: str, context: Context | None = None) -> asyncio.Task[Any]:
        """Run `job`, in `context` if one is given; a failure is logged, because nobody may be waiting for it."""
        task = self._loop.create_task(job, name=name, context=context)
        self._jobs.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel every job and wait for its end."""
        current = asyncio.current_task()
        jobs = [job for job in self._jobs if job is not current]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._jobs.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("background job %s failed", task.get_name(), exc_info=task.exception())
