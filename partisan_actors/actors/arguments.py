"""Calling methods of users: each top-level ref among the arguments is replaced by its value before they run."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from typing import Any

from partisan_actors.actors.replies import Reply

__all__ = ["call_when_ready", "invoke", "wait_for_arguments"]


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


def invoke(
    context: Context, instance: Any, method: str, args: Any, kwargs: dict[str, Any] | None
) -> tuple[Any, BaseException | None]:
    """Run a blocking method, on this thread: what it returned, or what it raised. `args` may be what decodes them."""
    try:
        function = getattr(instance, method)
        if callable(args):
            args, kwargs = context.run(args)
            args, kwargs = context.run(wait_for_arguments, args, kwargs or {})
        if kwargs:
            return context.run(function, *args, **kwargs), None
        return context.run(function, *args), None
    except BaseException as error:  # noqa: BLE001 - user code: whatever it raises is the caller's
        return None, error
