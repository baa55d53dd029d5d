"""Calling methods of users: each top-level ref among the arguments is replaced by its value before they run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from partisan_actors.actors.consuming import Streams
from partisan_actors.actors.host import Host, Running
from partisan_actors.actors.mailbox import Message
from partisan_actors.actors.producing import Outgoing, run_async, run_sync
from partisan_actors.actors.replies import Reply

__all__ = ["begin", "call_when_ready", "invoke", "wait_for_arguments"]


def wait_for_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with the value in place of each top-level ref; blocks this thread until they are there."""
    if not kwargs:
        for value in args:
            if isinstance(value, Reply):
                break
        else:
            return args, kwargs
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


def begin(host: Host, cell: Running, message: Message, context: Context) -> Coroutine[Any, Any, Any]:
    """The coroutine of a call of an ``async`` method. Raises what unpickling its arguments or calling it raises."""
    function = getattr(cell.instance, message.method.name)
    args, kwargs = message.args, message.kwargs
    if message.method.streams:
        return _stream(host, cell, message, context, function)
    if callable(args):
        args, kwargs = context.run(args)
        made: Coroutine[Any, Any, Any] = call_when_ready(function, args, kwargs or {})
    else:
        made = function(*args)
    return made


async def _stream(host: Host, cell: Running, message: Message, context: Context, function: Callable[..., Any]) -> int:
    args, kwargs = message.args() if callable(message.args) else (message.args, message.kwargs or {})

    async def generator() -> Any:
        ready = [await value if isinstance(value, Reply) else value for value in args]
        named = {name: await value if isinstance(value, Reply) else value for name, value in kwargs.items()}
        return function(*ready, **named)

    streams: Streams = host.extensions["streams"]
    out = streams.open_for(cell, message)
    try:
        return await run_async(out, generator)
    finally:
        streams.close(out)
        _count(message, out)


def invoke(host: Host, cell: Running, message: Message, context: Context) -> tuple[Any, BaseException | None]:
    """Run a blocking method, on this thread: what it returned, or what it raised."""
    args, kwargs = message.args, message.kwargs
    try:
        function = getattr(cell.instance, message.method.name)
        if callable(args):
            args, kwargs = context.run(args)
            args, kwargs = context.run(wait_for_arguments, args, kwargs or {})
        if message.method.streams:
            generator = context.run(function, *args, **(kwargs or {}))
            return _run_stream(host, cell, message, context, generator), None
        if kwargs:
            return context.run(function, *args, **kwargs), None
        return context.run(function, *args), None
    except BaseException as error:  # noqa: BLE001 - user code: whatever it raises is the caller's
        return None, error


def _run_stream(host: Host, cell: Running, message: Message, context: Context, generator: Any) -> int:
    streams: Streams = host.extensions["streams"]
    out = streams.open_for(cell, message)
    try:
        return context.run(run_sync, host, out, generator)
    finally:
        host.post(streams.close, out)
        _count(message, out)


def _count(message: Message, out: Outgoing) -> None:
    if message.meta is not None:
        message.meta["items"], message.meta["bytes"] = out.sent, out.sent_bytes  # for its trace
