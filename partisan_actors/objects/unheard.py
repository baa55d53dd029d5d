"""Errors of work that nobody has asked about: logged, once each, when the last ref to it is gone.

A ref that fails with what users' code raised is watched, without being kept. Whoever reads the error from it, or from
any other ref that has the same error, or sends such a ref on, has heard of it.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from typing import Any, Final

from partisan_actors.actors.replies import Reply
from partisan_actors.errors import TaskCancelled, TaskFailed, WorkerCrashed

__all__ = ["UNHEARD_MAX", "Unheard"]

logger = logging.getLogger(__name__)

# Of more errors at once, the oldest are not told of.
UNHEARD_MAX: Final = 1_000
TEXT_CHARS_MAX: Final = 4_000


class Unheard:
    """Of one node. From any thread: each step is one of a dict's own."""

    def __init__(self, post: Callable[..., object]) -> None:
        """`post` has something called on the loop, from any thread."""
        self._post = post
        # By ref: the identity of its error, which lives as long as it does, and the text. The error itself is not kept,
        # for its traceback may lead to the ref.
        self._errors: dict[weakref.ref[Reply[Any]], tuple[int, str]] = {}

    def failed(self, ref: Reply[Any], error: BaseException) -> None:
        """That is what has become of it, and nobody knows yet. What the system itself has to say is not watched."""
        if not isinstance(error, (TaskFailed, WorkerCrashed)) or isinstance(error, TaskCancelled):
            return
        self._errors[weakref.ref(ref, self._gone)] = id(error), str(error)[:TEXT_CHARS_MAX]
        if len(self._errors) > UNHEARD_MAX:
            for oldest in list(self._errors)[:1]:  # it may be gone by now
                self._errors.pop(oldest, None)

    def heard(self, error: BaseException) -> None:
        """Somebody has this error now."""
        if self._errors:
            self._forget(id(error))

    def close(self) -> None:
        """The node ends: what nobody asked about is not told any more."""
        self._errors.clear()

    def _gone(self, watched: weakref.ref[Reply[Any]]) -> None:
        error, text = self._errors.pop(watched, (0, ""))
        if error:
            self._forget(error)  # of several results, each has it
            # Not here: the collector may be at work, on a thread that has the lock of whoever takes what is logged.
            self._post(logger.error, "nobody asked for the result of work that failed: %s", text)

    def _forget(self, error: int) -> None:
        # Not `items()`: the pairs it makes may have the collector look just then, and that may take refs out of here.
        for watched in list(self._errors):
            if self._errors.get(watched, (0, ""))[0] == error:
                self._errors.pop(watched, None)
