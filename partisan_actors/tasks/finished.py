"""The tasks of one caller that are done, the last few thousand: which, how they ended and when.

A brief task pays for this with one append. What is kept holds no argument and no result.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from partisan_actors.ids import NodeId, TaskId

__all__ = ["ERROR_CHARS_MAX", "FINISHED_MAX", "Finished", "FinishedTasks", "brief"]

# The oldest are forgotten.
FINISHED_MAX: Final = 5_000
ERROR_CHARS_MAX: Final = 300


class Finished(NamedTuple):
    """One task: the node that was last asked to run it, if one was, and the times of the loop's clock."""

    task: TaskId
    name: str
    attempt: int
    node: NodeId | None
    submitted: float
    ended: float
    # Of what it failed with, the class and the text; None when it has a result.
    error: tuple[str, str] | None


# The fields of Finished, as plain tuples, which are made in a third of the time.
FinishedTasks = deque[tuple[TaskId, str, int, NodeId | None, float, float, tuple[str, str] | None]]


def brief(error: BaseException) -> tuple[str, str]:
    """What is kept of an error."""
    return type(error).__name__, str(error)[:ERROR_CHARS_MAX]
