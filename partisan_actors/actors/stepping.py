"""Running a coroutine without an asyncio task until it really waits.

`Step` is a third-party task in asyncio's sense (see "Extending" in asyncio's documentation): it makes itself the
current task while the coroutine runs, so `asyncio.timeout`, task groups and libraries that look at `current_task`
work. A call that never waits costs no task at all: its Step is used again for the next call. One that waits keeps its
Step, which then is its task, can be cancelled, and is resumed in the context it started in.

While a blocking method of the same actor runs on a thread, resumptions are held back (`Stepper.hold`), so that an
actor's code never runs on two threads at once.
"""

from __future__ import annotations

import asyncio
from asyncio import _enter_task, _leave_task, _register_task  # documented for third-party tasks
from collections.abc import Callable, Coroutine
from contextvars import Context
from sys import getrefcount
from typing import Any

__all__ = ["Step", "Stepper"]

Finish = Callable[[Any, Any, BaseException | None], None]


class Step(asyncio.Future[None]):
    """One coroutine being run. Its own result is only a signal; the coroutine's goes to `finish`."""

    def __init__(self, stepper: Stepper, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._stepper = stepper
        self._step_loop = loop
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._context: Context | None = None
        self._item: Any = None
        self._waits_for: Any = None
        self._must_cancel = False
        self._cancels_requested = 0
        self._name = ""

    # What asyncio and libraries expect of a task.

    def get_coro(self) -> Coroutine[Any, Any, Any] | None:
        """The coroutine."""
        return self._coroutine

    def get_context(self) -> Context | None:
        """The context it runs in."""
        return self._context

    def get_name(self) -> str:
        """Its name, for people."""
        return self._name or f"method-{id(self):x}"

    def set_name(self, value: object) -> None:
        """Give it another name."""
        self._name = str(value)

    def get_stack(self, *, limit: int | None = None) -> list[Any]:
        """The frame it is suspended in."""
        frame = getattr(self._coroutine, "cr_frame", None)
        return [] if frame is None else [frame]

    def cancel(self, msg: Any = None) -> bool:
        """Throw CancelledError into the coroutine at its next step."""
        if self.done():
            return False
        self._cancels_requested += 1
        if self._waits_for is None or not self._waits_for.cancel(msg=msg):
            self._must_cancel = True
        return True

    def cancelling(self) -> int:
        """How many cancellations are pending."""
        return self._cancels_requested

    def uncancel(self) -> int:
        """Take one cancellation back; returns how many remain."""
        if self._cancels_requested > 0:
            self._cancels_requested -= 1
            if self._cancels_requested == 0:
                self._must_cancel = False
        return self._cancels_requested

    # The engine.

    def adopt(self, item: Any, coroutine: Coroutine[Any, Any, Any], context: Context, yielded: Any) -> None:
        """`coroutine`, begun under this Step, waits for `yielded`: from now on this is its task."""
        self._item, self._coroutine, self._context = item, coroutine, context
        _register_task(self)  # type: ignore[arg-type]  # a third-party task
        self._stepper.active[self] = item
        self._wait(yielded)

    def reset(self) -> None:
        """What the last coroutine may have left behind."""
        self._cancels_requested = 0
        self._must_cancel = False

    def resume(self, error: BaseException | None = None) -> None:
        """Go on after a wait; `error` is thrown in."""
        if self.done():
            return
        if self._stepper.is_held:
            self._stepper.held.append((self, error))
            return
        coroutine, context = self._coroutine, self._context
        assert coroutine is not None and context is not None
        if self._must_cancel:
            if not isinstance(error, asyncio.CancelledError):
                error = asyncio.CancelledError()
            self._must_cancel = False
        self._waits_for = None
        _enter_task(self._step_loop, self)  # type: ignore[arg-type]  # a third-party task
        try:
            if error is None:
                yielded = context.run(coroutine.send, None)
            else:
                yielded = context.run(coroutine.throw, error)
        except StopIteration as stop:
            self._end(stop.value, None)
        except BaseException as caught:
            self._end(None, caught)
        else:
            self._wait(yielded)
        finally:
            _leave_task(self._step_loop, self)  # type: ignore[arg-type]  # a third-party task

    def _end(self, value: Any, error: BaseException | None) -> None:
        item, self._item = self._item, None
        self._coroutine = None
        self._stepper.active.pop(self, None)
        self._step_loop.call_soon(self._stepper.finish, item, value, error)
        if not self.done():
            super().set_result(None)

    def _wait(self, yielded: Any) -> None:
        blocking = getattr(yielded, "_asyncio_future_blocking", None)
        if yielded is None:  # a bare yield, as in asyncio.sleep(0)
            self._step_loop.call_soon(self.resume)
        elif blocking is None:
            wrong = RuntimeError(f"the method yielded {yielded!r}, which cannot be awaited")
            self._step_loop.call_soon(self.resume, wrong)
        elif yielded is self:
            self._step_loop.call_soon(self.resume, RuntimeError("a method cannot await itself"))
        else:
            yielded._asyncio_future_blocking = False
            # Not in our context: `resume` enters it itself, which must not happen twice.
            yielded.add_done_callback(self._wake)
            self._waits_for = yielded
            if self._must_cancel and yielded.cancel():
                self._must_cancel = False

    def _wake(self, future: asyncio.Future[Any]) -> None:
        try:
            future.result()
        except BaseException as error:  # the coroutine is told, whatever it is
            self.resume(error)
        else:
            self.resume()


class Stepper:
    """Runs the coroutines of one actor; `finish(item, value, error)` is called as each ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop, finish: Finish) -> None:
        self.finish = finish
        self.is_held = False
        self.held: list[tuple[Step, BaseException | None]] = []
        # What waits now, with the item each is for, the oldest first.
        self.active: dict[Step, Any] = {}
        self._loop = loop
        self._spare: Step | None = None

    def run(self, item: Any, coroutine: Coroutine[Any, Any, Any], context: Context) -> None:
        """Run `coroutine` until its first real wait. From a call-back of the loop, never from inside a task."""
        loop = self._loop
        step = self._spare
        if step is None:
            step = Step(self, loop)
        else:
            self._spare = None
        _enter_task(loop, step)  # type: ignore[arg-type]  # a third-party task
        try:
            yielded = context.run(coroutine.send, None)
        except StopIteration as stop:
            value, error = stop.value, None
        except BaseException as caught:
            value, error = None, caught
        else:
            _leave_task(loop, step)  # type: ignore[arg-type]  # a third-party task
            step.adopt(item, coroutine, context, yielded)
            return
        _leave_task(loop, step)  # type: ignore[arg-type]  # a third-party task
        if getrefcount(step) <= _UNSHARED:
            if step._cancels_requested:
                step.reset()
            self._spare = step
        else:
            # Somebody kept it (a timeout, a library's registry): it is over for them, and is not used again.
            asyncio.Future.set_result(step, None)
        self.finish(item, value, error)

    def release(self) -> None:
        """The blocking method is over: go on with what was held back."""
        self.is_held = False
        held, self.held = self.held, []
        for step, error in held:
            step.resume(error)


def _count_unshared() -> int:
    # What getrefcount answers in `run` for a Step nobody else holds; it differs between versions of Python.
    step = object()
    try:
        step.__hash__()
    except BaseException:
        return 0
    return getrefcount(step)


_UNSHARED = _count_unshared()
