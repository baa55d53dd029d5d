"""Refs among the arguments of a call: each top-level one is replaced by its value before user code runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from partisan_actors.actors.replies import Reply

__all__ = ["call_when_ready", "wait_for_arguments"]


def wait_for_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with the value in place of each top-level ref; blocks this thread until they are there."""
    return (
        tuple(value.result() if isinstance(value, Reply) else value for value in args),
        {name: value.result() if isinstance(value, Reply) else value for name, value in kwargs.items()},
    )


def call_when_ready(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The coroutine of a call whose top-level refs are first awaited."""
    if not any(isinstance(value, Reply) for value in (*args, *kwargs.values())):
        return function(*args, **kwargs)

    async def call() -> Any:
        ready = [await value if isinstance(value, Reply) else value for value in args]
        named = {name: await value if isinstance(value, Reply) else value for name, value in kwargs.items()}
        return await function(*ready, **named)

    return call()
