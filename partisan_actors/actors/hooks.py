"""The user code around an actor's life: its constructor, `on_start` and `on_stop`, on a thread or as coroutines."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Protocol

from partisan_actors.actors.arguments import wait_for_arguments
from partisan_actors.actors.reasons import reason_of

if TYPE_CHECKING:
    from partisan_actors.actors.options import CellOptions
    from partisan_actors.actors.threads import JobThread, Threads

__all__ = ["construct", "has_no_constructor", "run_hook", "run_stop_hook"]

logger = logging.getLogger(__name__)


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

    def tell(error: BaseException | None) -> None:
        if not ended.done():  # or nobody waits any more
            ended.set_result(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            context.run(hook)
        except BaseException as caught:  # noqa: BLE001 - user code: it is reported, and the actor ends all the same
            error = caught
        post(tell, error)

    run_on_thread(run)
    return await ended


class Stopping(Protocol):
    """What `run_stop_hook` needs of a cell."""

    reason: str
    options: CellOptions
    thread: JobThread | None
    dedicated_thread: bool

    @property
    def is_thread_busy(self) -> bool:
        """Whether its thread has something to do."""
        ...

    @property
    def system(self) -> StoppingHost:
        """What it runs on."""
        ...


class StoppingHost(Protocol):
    """And of its actor system."""

    threads: Threads

    def post(self, call: Callable[..., object], *args: Any) -> None:
        """From any thread: call on the loop, in order."""
        ...


async def run_stop_hook(cell: Stopping, hook: Callable[..., Any], context: Context, ended: Callable[[], None]) -> None:
    """Run `on_stop`, with the reason if it takes one, for as long as it may, then call `ended`; errors are logged.

    A coroutine that takes longer is cancelled. A plain function cannot be: its thread is left to it.
    """
    limit_s, threads = cell.options.stop_timeout_s, cell.system.threads
    called = functools.partial(hook, reason_of(cell.reason)) if _takes_an_argument(hook) else hook
    try:
        async with asyncio.timeout(limit_s):
            error = await run_hook(context, called, lambda job: threads.lease(cell).run(job), cell.system.post)
        if error is not None:
            context.copy().run(functools.partial(logger.error, "on_stop of %s failed", cell, exc_info=error))
    except TimeoutError:
        logger.error("on_stop of %s has not ended within %g s, and is not waited for any longer", cell, limit_s)
        if not inspect.iscoroutinefunction(called):
            threads.abandon(cell)
    finally:
        ended()


def _takes_an_argument(hook: Callable[..., Any]) -> bool:
    try:
        inspect.signature(hook).bind("a reason")
    except (TypeError, ValueError):
        return False
    return True
