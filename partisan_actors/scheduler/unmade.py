"""What callers of an actor get that could not be made."""

from __future__ import annotations

import asyncio
import logging

from partisan_actors.actors.user_errors import traceback_text
from partisan_actors.errors import ActorStopped, InternalError, PartisanError, TaskFailed
from partisan_actors.scheduler.spec import ActorSpec

__all__ = ["unreadable", "why_not_made"]

logger = logging.getLogger(__name__)


def unreadable(spec: ActorSpec, node: str, error: Exception) -> TaskFailed:
    """The error when what it is to be made of cannot be unpickled on that node: it is an ActorStopped, too."""
    where = f"unpickling the class or the constructor arguments of {spec} on node {node}"
    return TaskFailed.of(error, where, traceback_text(error), has_stopped_actor=True)


def why_not_made(spec: ActorSpec, error: BaseException) -> PartisanError:
    """The error for the one that `error` has prevented; what is no error of ours is logged."""
    if isinstance(error, PartisanError):
        return error
    if isinstance(error, asyncio.CancelledError):
        return ActorStopped(str(spec), "it was killed, or its maker stopped, before it had a place")
    logger.error("creating %s failed", spec, exc_info=error)
    return InternalError(f"creating {spec} failed: {error}", repr(error))
