"""Running a coroutine without an asyncio task until it really waits.

`Step` is a third-party task in asyncio's sense (see "Extending" in asyncio's documentation): it makes itself the
current task while the coroutine runs, so `asyncio.timeout`, task groups and libraries that look at `current_task`
work. A call that never waits costs no task at all: its Step is used again for the next call. One that waits keeps its
Step, which then is its task, can be cancelled, and is resumed in the context it started in.

While a blocking method of the same actor runs on a thread, resumptions are held back, so that an actor's code never
runs on two threads at once.
"""

from __future__ import annotations

import asyncio
from asyncio import _enter_task, _leave_task, _register_task
from collections.abc import Callable, Coroutine
from contextvars import Context
from sys import getrefcount
from typing import Any, Final, Protocol

__all__ = ["UNSHARED", "Step", "StepHost", "Stepper", "Steps", "enter_task", "leave_task"]

# Documented for third-party tasks, in spite of their names.
enter_task: Callable[[asyncio.AbstractEventLoop, Any], None] = _enter_task
leave_task: Callable[[asyncio.AbstractEventLoop, Any], None] = _leave_task


class Step(asyncio.Future[None]):
    """One coroutine being run. Its own result is only a signal; the coroutine's goes to `finish`."""

    def __init__(self, steps: Steps) -> None:
        super().__init__(loop=steps.loop)
        self._steps = steps
        self._stepper: Stepper | None = None
        self._step_loop = steps.loop
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
        if self._steps.spare is self:
            self._steps.spare = None  # begun and cancelled before it waited: not for the next coroutine
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

    def adopt(
        self, stepper: Stepper, item: Any, coroutine: Coroutine[Any, Any, Any], context: Context, yielded: Any
    ) -> None:
        """`coroutine`, begun under this Step, waits for `yielded`: from now on this is its task."""
        self._stepper, self._item, self._coroutine, self._context = stepper, item, coroutine, context
        self._steps.spare = None
        _register_task(self)  # type: ignore[arg-type]  # a third-party task
        stepper.active[self] = item
        self._wait(yielded)

    def resume(self, error: BaseException | None = None) -> None:
        """Go on after a wait; `error` is thrown in."""
        if self.done():
            return
        stepper, coroutine, context = self._stepper, self._coroutine, self._context
        assert stepper is not None and coroutine is not None and context is not None
        if stepper.host.is_blocked():
            stepper.hold(self, error)
            return
        if self._must_cancel:
            if not isinstance(error, asyncio.CancelledError):
                error = asyncio.CancelledError()
            self._must_cancel = False
        self._waits_for = None
        enter_task(self._step_loop, self)
        try:
            yielded = context.run(coroutine.send, None) if error is None else context.run(coroutine.throw, error)
        except StopIteration as stop:
            self._end(stop.value, None)
        except BaseException as caught:  # noqa: BLE001 - user code: whatever it raises is the caller's
            self._end(None, caught)
        else:
            self._wait(yielded)
        finally:
            leave_task(self._step_loop, self)

    def _end(self, value: Any, error: BaseException | None) -> None:
        item, self._item = self._item, None
        self._coroutine = None
        assert self._stepper is not None
        self._stepper.active.pop(self, None)
        self._step_loop.call_soon(self._stepper.host.ended, item, value, error)
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
        except BaseException as error:  # noqa: BLE001 - the coroutine is told, whatever it is
            self.resume(error)
        else:
            self.resume()


class StepHost(Protocol):
    """Whose coroutines are run: a cell."""

    def ended(self, item: Any, value: Any, error: BaseException | None) -> None:
        """The coroutine started for `item` has ended."""
        ...

    def is_blocked(self) -> bool:
        """Whether a blocking method of the same actor runs on a thread now."""
        ...


class Stepper:
    """The coroutines of one actor. `steps` is shared by all actors of a loop."""

    __slots__ = ("active", "held", "host", "steps")

    def __init__(self, steps: Steps, host: StepHost) -> None:
        self.steps = steps
        self.host = host
        # What waits now, with the item each is for, the oldest first.
        self.active: dict[Step, Any] = {}
        self.held: list[tuple[Step, BaseException | None]] = []

    def run(self, item: Any, coroutine: Coroutine[Any, Any, Any], context: Context) -> None:
        """Run `coroutine` until its first real wait. From a call-back of the loop, never from inside a task."""
        steps = self.steps
        loop, step = steps.loop, steps.spare or steps.make_spare()
        enter_task(loop, step)
        try:
            yielded = context.run(coroutine.send, None)
        except StopIteration as stop:
            value, error = stop.value, None
        except BaseException as caught:  # noqa: BLE001 - user code: whatever it raises is the caller's
            value, error = None, caught
        else:
            leave_task(loop, step)
            step.adopt(self, item, coroutine, context, yielded)
            return
        leave_task(loop, step)
        if getrefcount(step) > UNSHARED:
            steps.retire(step)
        self.host.ended(item, value, error)

    def hold(self, step: Step, error: BaseException | None) -> None:
        """Resume `step` when the blocking method is over, which it may be by now."""
        self.held.append((step, error))
        if not self.host.is_blocked():
            self.release()

    def release(self) -> None:
        """The blocking method is over: go on with what was held back."""
        held, self.held = self.held, []
        for step, error in held:
            step.resume(error)


class Steps:
    """The loop that the coroutines of many actors run on, and the Step that is free for the next of them."""

    __slots__ = ("loop", "spare")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.spare: Step | None = None

    def make_spare(self) -> Step:
        """A new Step, free for the next coroutine."""
        self.spare = Step(self)
        return self.spare

    def retire(self, step: Step) -> None:
        """Somebody kept `step` (a timeout, a library's registry): it is over for them, and is not used again."""
        if self.spare is step:
            self.spare = None
        if not step.done():
            asyncio.Future.set_result(step, None)


def _count_unshared() -> int:
    # What getrefcount answers after a run for a Step that only its runner and `Steps` hold; Pythons differ.
    class Holder:
        spare = None

    holder = Holder()
    holder.spare = step = object()  # type: ignore[assignment]  # stands for a Step
    return getrefcount(step)


UNSHARED: Final = _count_unshared()
