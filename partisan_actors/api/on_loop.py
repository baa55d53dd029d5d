"""Calling something on a node's loop from wherever one is, and waiting for what it returns."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from partisan_actors.actors.system import ActorSystem

__all__ = ["on_loop"]

T = TypeVar("T")

TIMEOUT_S: Final = 10.0


def on_loop(system: ActorSystem, call: Callable[..., T], *args: Any) -> T:
    """Call on the node's loop, and wait for what it returns or raises."""
    if threading.get_ident() == system.thread_id:
        return call(*args)
    if system.closed is not None:
        raise system.closed
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(call(*args))
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            outcome.set_exception(error)

    system.post(run)
    return outcome.result(TIMEOUT_S)
