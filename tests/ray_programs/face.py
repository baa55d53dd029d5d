"""What every program begins with: Ray's names, of Ray itself or of `partisan_actors`; and how errors are told."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

MODULE: Final = os.environ.get("RAY_MODULE", "partisan_actors.compat.ray")

ray: Any = importlib.import_module(MODULE)
exceptions: Any = importlib.import_module(f"{MODULE}.exceptions")

# What a program sees: pairs of a text, which says what, and a value that JSON can tell.
Sights = Iterator[tuple[str, Any]]

PATIENCE_S: Final = 60
# Of the classes in ray.exceptions those that are about user's work.
KINDS: Final = (
    "RayError",
    "RayTaskError",
    "TaskCancelledError",
    "GetTimeoutError",
    "RayActorError",
    "ActorDiedError",
    "ActorUnavailableError",
    "ActorAlreadyExistsError",
    "ActorUnschedulableError",
    "TaskUnschedulableError",
    "ActorPlacementGroupRemoved",
    "TaskPlacementGroupRemoved",
    "PendingCallsLimitExceeded",
    "WorkerCrashedError",
    "NodeDiedError",
    "ObjectLostError",
    "OwnerDiedError",
    "ObjectStoreFullError",
    "OutOfDiskError",
    "RuntimeEnvSetupError",
)


def part_of(name: str) -> Any:
    """A module of Ray's, or of ours: "util.queue"."""
    return importlib.import_module(f"{MODULE}.{name}")


def told(error: BaseException) -> dict[str, list[str]]:
    """By which names it is caught: those of Ray, then those of Python and of the programs."""
    theirs = [name for name in KINDS if isinstance(error, getattr(exceptions, name))]
    others = [
        kind.__name__
        for kind in type(error).__mro__
        if kind.__module__.partition(".")[0] in ("builtins", "asyncio", "queue", "_queue", "tests", "__main__")
    ]
    return {"raised": theirs + [name for name in others if name not in ("object", "BaseException", "Exception")]}


def caught(call: Callable[[], Any]) -> Any:
    """What it raises, as `told` tells; or what it returns."""
    try:
        value = call()
        return {"returned": value if is_plain(value) else type(value).__name__}
    except BaseException as error:  # noqa: BLE001 - that is what is asked for
        return told(error)


def is_plain(value: Any) -> bool:
    """Whether JSON can tell it."""
    if isinstance(value, (list, tuple)):
        return all(map(is_plain, value))
    return isinstance(value, (str, int, float, dict, type(None)))


def result_of(ref: Any) -> Any:
    """The same for the value of a ref."""
    return caught(lambda: ray.get(ref, timeout=PATIENCE_S))


def is_raised(seen: Any, name: str) -> bool:
    """Whether what `caught` tells is an error that is caught by that name."""
    return name in seen.get("raised", ())


def until(condition: Callable[[], Any]) -> bool:
    """Whether it comes true."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
