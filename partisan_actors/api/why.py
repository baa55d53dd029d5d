"""`why`: what a ref or an actor waits for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from partisan_actors.actors.blocking import result_of
from partisan_actors.api import session
from partisan_actors.api.actor import ActorHandle
from partisan_actors.api.pending import PendingWork
from partisan_actors.errors import CallTimeout
from partisan_actors.objects.ref import ObjectRef

__all__ = ["Why", "why"]


@dataclass(frozen=True, slots=True)
class Why:
    """What some work does or waits for: `what` it is, its `state` in words, and the `reasons`, one for each node or so.

    As text it is all of that, for people.
    """

    what: str
    state: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.what} {self.state}", *(f"  - {reason}" for reason in self.reasons)])


def why(target: ObjectRef[Any] | ActorHandle[Any], *, timeout: float = 10.0) -> Why:
    """Why the value of a ref is not there yet, or the calls of an actor are not answered.

    The node at which the work is is asked, so the answer is right when it is given. Blocks this thread; on the node's
    own loop use ``await asyncio.to_thread(pa.why, ref)``. Raises TypeError for anything else, CallTimeout, and
    RuntimeError on the node's own loop.
    """
    system = session.system()
    pending: PendingWork = system.extensions["pending"]
    if isinstance(target, ObjectRef):
        question = pending.explain_ref(target)
    elif isinstance(target, ActorHandle):
        question = pending.explain_actor(target._location.actor)
    else:
        raise TypeError(f"why takes an ObjectRef or an ActorHandle, not a {type(target).__name__}")
    if asyncio._get_running_loop() is system.loop:
        question.close()
        raise RuntimeError("why would block the node's own loop: use `await asyncio.to_thread(pa.why, ...)` there")
    job = asyncio.run_coroutine_threadsafe(question, system.loop)
    try:
        row = result_of(job, timeout)
    except TimeoutError as error:
        job.cancel()
        raise CallTimeout("why", timeout) from error
    return Why(row["what"], row["state"], tuple(row["reasons"]))
