"""What users' code raised, as the caller gets it: with the traceback from the first line of theirs on."""

from __future__ import annotations

import asyncio
import traceback
from typing import Final

from partisan_actors.actors.interruptions import Interrupted
from partisan_actors.errors import TaskCancelled, TaskFailed

__all__ = ["traceback_text", "user_error"]

_NOT_USERS: Final = ("partisan_actors.actors", "partisan_actors.tasks")


def user_error(error: BaseException, where: str) -> TaskFailed:
    """What the caller of user code that raised gets. Code that was cancelled has been: a TaskCancelled, too."""
    if isinstance(error, (asyncio.CancelledError, Interrupted)):
        return TaskFailed.of(TaskCancelled(where), where, traceback_text(error))
    return TaskFailed.of(error, where, traceback_text(error))


def traceback_text(error: BaseException) -> str:
    """The traceback from the first line of user code on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(_NOT_USERS):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))
