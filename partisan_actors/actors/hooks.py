"""The user code around an actor's life: its constructor, `on_start` and `on_stop`, on a thread or as coroutines."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextvars import Context
from typing import Any

from partisan_actors.actors.arguments import wait_for_arguments

__all__ = ["construct", "has_no_constructor", "run_hook"]


def has_no_constructor(cls: type) -> bool:
    """Whether making an instance runs no code of the user's, and so needs no thread."""
    own = {name for base in cls.__mro__[:-1] for name in vars(base)}
    return not own & {"__init__", "__new__"} and type(cls) is type and not inspect.isabstract(cls)


def construct(
    context: Context,
    cls: type,
    on_start: Callable[[Any], Any] | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[Any, BaseException | None]:
    """On the actor's thread: the instance, after an `on_start` that is no coroutine function, or what went wrong."""
    try:
        ready, named = context.run(wait_for_arguments, args, kwargs)
        instance = context.run(cls, *ready, **named)
        if on_start is not None and not inspect.iscoroutinefunction(on_start):
            context.copy().run(on_start, instance)
    except BaseException as error:  # noqa: BLE001 - user code: whatever it raises is the reason it ended
        return None, error
    return instance, None


async def run_hook(
    context: Context,
    hook: Callable[[], Any],
    run_on_thread: Callable[[Callable[[], None]], None] | None = None,
    post: Callable[..., None] | None = None,
) -> BaseException | None:
    """Run a hook to its end and return what it raised. A plain function needs a thread, and a way back to the loop."""
    loop = asyncio.get_running_loop()
    if inspect.iscoroutinefunction(hook):
        # A task of its own: the only way to run a coroutine in a given context.
        task = loop.create_task(hook(), context=context)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()  # whoever waits was cancelled: nobody else would end it
        return asyncio.CancelledError() if task.cancelled() else task.exception()
    assert run_on_thread is not None and post is not None
    ended: asyncio.Future[BaseException | None] = loop.create_future()

    def run() -> None:
        error: BaseException | None = None
        try:
            context.run(hook)
        except BaseException as caught:  # noqa: BLE001 - user code: it is reported, and the actor ends all the same
            error = caught
        post(ended.set_result, error)

    run_on_thread(run)
    return await ended
