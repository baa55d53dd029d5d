"""Tests of stepping: a coroutine that is no task until it waits behaves as a task wherever anybody looks."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Coroutine
from typing import Any

import pytest

from partisan_actors.actors.stepping import Step, Stepper, Steps
from tests.nodes import quiet, until

number: contextvars.ContextVar[int] = contextvars.ContextVar("number", default=0)


class Host:
    """Stands for a cell: starts coroutines from call-backs of the loop, and writes down how they end."""

    def __init__(self, steps: Steps | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.steps = steps or Steps(self.loop)
        self.stepper = Stepper(self.steps, self)
        self.outcomes: dict[Any, tuple[Any, BaseException | None]] = {}
        self.blocked = False

    def ended(self, item: Any, value: Any, error: BaseException | None) -> None:
        self.outcomes[item] = (value, error)

    def is_blocked(self) -> bool:
        return self.blocked

    def start(self, item: Any, coroutine: Coroutine[Any, Any, Any], context: contextvars.Context | None = None) -> None:
        """Run it, as a read call-back would."""
        self.loop.call_soon(self.stepper.run, item, coroutine, context or contextvars.Context())

    async def outcome(self, item: Any) -> tuple[Any, BaseException | None]:
        """How it ended, once it has."""
        await until(lambda: item in self.outcomes)
        return self.outcomes[item]


@pytest.fixture
async def host() -> Host:
    return Host()


async def test_a_coroutine_that_does_not_wait_has_ended_when_run_returns(host: Host) -> None:
    async def add() -> int:
        return 1 + 2

    seen = []

    def run() -> None:
        host.stepper.run("it", add(), contextvars.Context())
        seen.append(dict(host.outcomes))

    host.loop.call_soon(run)
    await quiet(2)

    assert seen == [{"it": (3, None)}]
    assert not host.stepper.active


async def test_an_error_is_handed_on_as_it_was_raised(host: Host) -> None:
    async def fail(error: BaseException, after: bool) -> None:
        if after:
            await asyncio.sleep(0)
        raise error

    for item, error in enumerate((ValueError("no"), KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError())):
        for after in (False, True):
            host.start((item, after), fail(error, after))
            assert (await host.outcome((item, after)))[1] is error


async def test_one_that_waits_goes_on_when_what_it_waits_for_is_there(host: Host) -> None:
    future: asyncio.Future[int] = host.loop.create_future()

    async def wait() -> int:
        await asyncio.sleep(0)
        return await future + 1

    host.start("it", wait())
    await quiet()
    assert not host.outcomes and list(host.stepper.active.values()) == ["it"]
    future.set_result(4)

    assert await host.outcome("it") == (5, None)
    assert not host.stepper.active


async def test_an_error_of_what_it_waits_for_is_thrown_in(host: Host) -> None:
    future: asyncio.Future[int] = host.loop.create_future()

    async def wait() -> str:
        try:
            await future
        except KeyError as error:
            return repr(error)
        return "nothing"

    host.start("it", wait())
    await quiet()
    future.set_exception(KeyError("k"))

    assert await host.outcome("it") == ("KeyError('k')", None)


async def test_the_current_task_is_the_same_before_and_after_a_wait_and_another_one_for_each(host: Host) -> None:
    async def look() -> tuple[Any, Any]:
        before = asyncio.current_task()
        await asyncio.sleep(0)
        return before, asyncio.current_task()

    host.start("one", look())
    host.start("other", look())
    (one, one_later), _ = await host.outcome("one")
    (other, other_later), _ = await host.outcome("other")

    assert isinstance(one, Step) and one is one_later and other is other_later
    assert one is not other and one.done()
    assert asyncio.current_task() not in (one, other)


async def test_one_that_waits_is_among_all_tasks(host: Host) -> None:
    async def look() -> bool:
        await asyncio.sleep(0)
        return asyncio.current_task() in asyncio.all_tasks()

    host.start("it", look())

    assert await host.outcome("it") == (True, None)


async def test_it_runs_in_its_own_context_from_the_first_step_to_the_last(host: Host) -> None:
    async def count() -> list[int]:
        seen = [number.get()]
        number.set(seen[-1] + 1)
        await asyncio.sleep(0)
        seen.append(number.get())
        return seen

    for item in (10, 20):
        context = contextvars.Context()
        context.run(number.set, item)
        host.start(item, count(), context)

    assert await host.outcome(10) == ([10, 11], None)
    assert await host.outcome(20) == ([20, 21], None)
    assert number.get() == 0


async def test_a_timeout_ends_a_wait(host: Host) -> None:
    async def wait() -> str:
        try:
            async with asyncio.timeout(0.005):
                await host.loop.create_future()
        except TimeoutError:
            return "timed out"
        return "never"

    host.start("it", wait())

    assert await host.outcome("it") == ("timed out", None)


async def test_a_timeout_in_which_nothing_waits_changes_nothing_for_the_next_one(host: Host) -> None:
    async def quick() -> int:
        async with asyncio.timeout(0.005):  # noqa: ASYNC100 - that nothing waits in it is the point
            return 1

    async def wait() -> int:
        await asyncio.sleep(0.02)
        return 2

    host.start("quick", quick())
    host.start("wait", wait())

    assert await host.outcome("quick") == (1, None)
    assert await host.outcome("wait") == (2, None)


async def test_a_task_group_waits_for_its_tasks_and_an_error_in_one_cancels_the_others(host: Host) -> None:
    cancelled = []

    async def child(item: int) -> int:
        if item == 2:
            await asyncio.sleep(0)
            raise ValueError("no")
        try:
            await asyncio.sleep(5 if item else 0)
        except asyncio.CancelledError:
            cancelled.append(item)
            raise
        return item

    async def parent(*items: int) -> int:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(child(item)) for item in items]
        return sum(task.result() for task in tasks)

    host.start("fine", parent(0, 0))
    host.start("fails", parent(1, 2))

    assert await host.outcome("fine") == (0, None)
    _, error = await host.outcome("fails")
    assert isinstance(error, ExceptionGroup) and isinstance(error.exceptions[0], ValueError)
    assert cancelled == [1]


async def test_one_that_is_cancelled_may_clean_up(host: Host) -> None:
    cleaned = []

    async def wait() -> None:
        try:
            await host.loop.create_future()
        finally:
            await asyncio.sleep(0)
            cleaned.append(asyncio.current_task())

    host.start("it", wait())
    await quiet()
    (step,) = host.stepper.active

    assert step.cancel()

    _, error = await host.outcome("it")
    assert isinstance(error, asyncio.CancelledError) and cleaned == [step]
    assert not step.cancel(), "what is over cannot be cancelled"


async def test_one_that_cancels_itself_before_its_first_wait_is_cancelled_there(host: Host) -> None:
    async def wait() -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return f"cancelled {task.cancelling()}, then {task.uncancel()}"
        return "never"

    host.start("it", wait())

    assert await host.outcome("it") == ("cancelled 1, then 0", None)


async def test_a_cancellation_that_found_nobody_waiting_is_not_left_for_the_next_coroutine(host: Host) -> None:
    async def cancel_and_return() -> int:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return 1

    async def wait() -> int:
        await asyncio.sleep(0)
        return 2

    host.start("one", cancel_and_return())
    host.start("other", wait())

    assert await host.outcome("one") == (1, None)
    assert await host.outcome("other") == (2, None)


async def test_shielded_work_survives_the_cancellation(host: Host) -> None:
    done: asyncio.Future[int] = host.loop.create_future()

    async def wait() -> None:
        await asyncio.shield(done)

    host.start("it", wait())
    await quiet()
    next(iter(host.stepper.active)).cancel()
    _, error = await host.outcome("it")

    assert isinstance(error, asyncio.CancelledError) and not done.cancelled()


async def test_coroutines_that_do_not_wait_share_one_step(host: Host) -> None:
    seen = []

    async def quick() -> None:
        seen.append(id(asyncio.current_task()))

    for item in range(50):
        host.start(item, quick())
    await host.outcome(49)

    assert len(set(seen)) == 1


async def test_a_step_that_somebody_kept_is_over_for_them_and_not_used_again(host: Host) -> None:
    kept: list[Any] = []

    async def keep() -> None:
        kept.append(asyncio.current_task())

    for item in range(3):
        host.start(item, keep())
    await host.outcome(2)

    assert len({id(step) for step in kept}) == 3
    assert all(step.done() and not step.cancel() for step in kept)


async def test_tasks_made_by_it_do_not_disturb_it(host: Host) -> None:
    async def child() -> Any:
        return asyncio.current_task()

    async def parent() -> bool:
        me = asyncio.current_task()
        other = await asyncio.create_task(child())
        gathered = await asyncio.gather(child(), child())
        return asyncio.current_task() is me and me is not other and len({me, other, *gathered}) == 4

    host.start("it", parent())

    assert await host.outcome("it") == (True, None)


async def test_what_cannot_be_awaited_is_an_error_inside_the_coroutine(host: Host) -> None:
    class Odd:
        def __await__(self) -> Any:
            yield "something"

    async def wait() -> str:
        try:
            await Odd()
        except RuntimeError as error:
            return str(error)
        return "never"

    host.start("it", wait())

    value, _ = await host.outcome("it")
    assert "'something'" in value


async def test_while_a_blocking_method_runs_nothing_is_resumed_and_afterwards_all_of_it_in_order(host: Host) -> None:
    order = []

    async def wait(item: int) -> None:
        await asyncio.sleep(0)
        order.append(item)

    for item in range(3):
        host.start(item, wait(item))
    await asyncio.sleep(0)
    host.blocked = True
    await quiet()
    assert order == [] and len(host.stepper.held) == 3

    host.blocked = False
    host.loop.call_soon(host.stepper.release)

    await host.outcome(2)
    assert order == [0, 1, 2]


async def test_two_actors_share_the_steps_of_a_loop_and_nothing_else() -> None:
    one = Host()
    other = Host(one.steps)

    async def quick(value: int) -> int:
        return value

    async def wait(value: int) -> int:
        await asyncio.sleep(0)
        return value

    for item in range(20):
        (one, other)[item % 2].start(item, (quick, wait)[item // 2 % 2](item))
    await quiet()

    assert one.outcomes == {item: (item, None) for item in range(0, 20, 2)}
    assert other.outcomes == {item: (item, None) for item in range(1, 20, 2)}


async def test_nothing_is_kept_of_a_coroutine_that_has_ended(host: Host) -> None:
    class Value:
        pass

    async def wait(value: Value) -> None:
        await asyncio.sleep(0)

    for item in range(10):
        host.start(item, wait(Value()))
    await host.outcome(9)
    await quiet()

    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Value)]


async def test_a_step_shows_where_it_is_and_has_a_name(host: Host) -> None:
    async def wait() -> None:
        await host.loop.create_future()

    host.start("it", wait())
    await quiet()
    (step,) = host.stepper.active

    step.set_name("its name")

    assert step.get_name() == "its name"
    assert step.get_coro() is not None and len(step.get_stack()) == 1 and step.get_context() is not None
    step.cancel()
    await host.outcome("it")
