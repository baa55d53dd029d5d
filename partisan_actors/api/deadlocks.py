"""`deadlocks`: actors of the cluster that wait for each other for ever, found and named."""

from __future__ import annotations

import asyncio
from typing import Any

from partisan_actors.actors.blocking import result_of
from partisan_actors.api import session
from partisan_actors.api.deadlock_rows import deadlocks_in
from partisan_actors.api.everybody import ask_everybody
from partisan_actors.errors import CallTimeout

__all__ = ["deadlocks"]


def deadlocks(*, timeout: float = 10.0) -> list[dict[str, Any]]:
    """A row for each ring of calls of which each waits for the next, and the last for the first; [] if there is none.

    A row has `calls`, each with actor, node, method, `is_running` (or queued behind the next one) and `for_s`, for how
    many seconds it is known to wait, counted from the first time somebody asked; `waiting`, how many calls wait for
    these and are stuck, too; and `text`, all of it for people. A call with a time-out of its own counts as well; so do
    tasks, of which `actor` is the id. Not seen are waits for locks and results of others' calls, and queues of actors
    with concurrency groups.
    Blocks; raises CallTimeout, and RuntimeError on the node's own loop: there, use `asyncio.to_thread`.
    """
    system = session.system()
    if asyncio._get_running_loop() is system.loop:
        raise RuntimeError("deadlocks would block the node's own loop: use `await asyncio.to_thread(...)` there")
    job = asyncio.run_coroutine_threadsafe(ask_everybody(system, "waits"), system.loop)
    try:
        rows = result_of(job, timeout)
    except TimeoutError as error:
        job.cancel()
        raise CallTimeout("asking every node what its calls wait for", timeout) from error
    return deadlocks_in(rows)
