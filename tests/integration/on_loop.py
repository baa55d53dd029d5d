"""Looking at a running node from the thread of a test: on the node's loop, where nothing changes meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import partisan_actors as pa

__all__ = ["on_loop"]

Seen = TypeVar("Seen")
DEADLINE_S = 60.0


def on_loop(session: pa.Session, look: Callable[[], Seen]) -> Seen:
    """What `look` returns or raises when the loop of the session's node calls it, between two of its other calls."""
    seen: Future[Seen] = Future()

    def call() -> None:
        try:
            seen.set_result(look())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            seen.set_exception(error)

    session.runtime.node.loop.call_soon_threadsafe(call)
    return seen.result(DEADLINE_S)
