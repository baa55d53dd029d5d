"""What Ray gives to every class that actors are made of: three methods, and a hook for the end of its actors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import partisan_actors as pa

__all__ = ["give_methods"]

# What an `on_stop` is told when the actor was killed: then Ray's hook is not called.
_KILLED: Final = "killed"


@pa.method(num_returns=1)
def _ready(self: object) -> bool:
    return True


@pa.method(num_returns=1)
def _call(self: object, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(self, *args, **kwargs)


@pa.method(num_returns=1)
def _terminate(self: object) -> None:
    pa.exit_actor()


def _on_stop(self: Any, reason: str) -> None:
    if reason != _KILLED:
        self.__ray_shutdown__()


def give_methods(cls: type) -> None:
    """Give them to a class that has none of these names itself; a class that takes no attributes goes without."""
    given: dict[str, Any] = {"__ray_ready__": _ready, "__ray_call__": _call, "__ray_terminate__": _terminate}
    if hasattr(cls, "__ray_shutdown__") and not hasattr(cls, "on_stop"):
        given["on_stop"] = _on_stop
    for name, method in given.items():
        if inspect.getattr_static(cls, name, None) is None:
            with suppress(TypeError):  # a class that is written in C
                setattr(cls, name, method)
