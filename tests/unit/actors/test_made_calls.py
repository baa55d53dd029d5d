"""The calls that running code has made: noted in its context, dropped when they are over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import Context
from typing import Any

import pytest

from partisan_actors.actors.interruptions import own_slot
from partisan_actors.actors.made_calls import (
    KEPT_MIN,
    NONE_YET,
    begin_noting,
    calls_made_in,
    made_calls,
    note_call,
    note_in_children,
)
from partisan_actors.node.loop import new_event_loop


class Ref:
    is_done = False

    def done(self) -> bool:
        return self.is_done


def call(ref: Any) -> None:
    """As a method does."""
    made = made_calls.get()
    assert made is not None
    note_call(made, ref)


def test_calls_are_noted_in_the_context_that_made_them_and_in_no_other() -> None:
    template = Context()
    template.run(begin_noting)
    first, second = template.copy(), template.copy()
    ref = Ref()

    first.run(call, ref)

    assert calls_made_in(first) == [ref]
    assert calls_made_in(second) == calls_made_in(template) == calls_made_in(Context()) == calls_made_in(None) == []
    assert NONE_YET.pending() == []


def test_what_is_over_or_gone_is_not_among_them() -> None:
    context = Context()
    context.run(begin_noting)
    done, waiting = Ref(), Ref()
    for ref in (done, waiting, Ref()):
        context.run(call, ref)
    done.is_done = True
    del ref

    assert calls_made_in(context) == [waiting]


def test_code_that_calls_for_ever_keeps_only_what_is_not_over() -> None:
    context = Context()
    context.run(begin_noting)
    waiting = [Ref() for _ in range(100)]
    for ref in waiting:
        context.run(call, ref)
    for _ in range(10_000):
        context.run(call, Ref())

    made = context[made_calls]
    assert made is not None and len(made._refs) <= 2 * len(waiting) + KEPT_MIN
    assert calls_made_in(context) == waiting


@pytest.fixture(params=["asyncio", "ours"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop() if request.param == "asyncio" else new_event_loop()
    yield loop
    loop.close()


def test_what_a_task_of_a_method_calls_before_the_method_does_is_the_method_s(loop: asyncio.AbstractEventLoop) -> None:
    undo = note_in_children(loop)
    template, other = Context(), Ref()
    template.run(begin_noting)
    method = template.copy()

    async def child() -> None:
        call(other)

    async def body() -> None:
        await asyncio.gather(loop.create_task(child()), asyncio.sleep(0))

    loop.run_until_complete(asyncio.Task(body(), loop=loop, context=method))
    undo()

    assert calls_made_in(method) == [other]
    assert calls_made_in(template) == []
    assert loop.get_task_factory() is None


def test_what_a_finished_method_has_left_running_calls_for_nobody_else(loop: asyncio.AbstractEventLoop) -> None:
    undo = note_in_children(loop)
    template, left = Context(), Ref()
    template.run(begin_noting)
    first, second = template.copy(), template.copy()
    tasks: list[asyncio.Task[None]] = []

    async def child() -> None:
        call(left)

    first.run(lambda: tasks.append(loop.create_task(child())))
    loop.run_until_complete(asyncio.Task(asyncio.wait(tasks), loop=loop, context=second))
    undo()

    assert calls_made_in(first) == [left]
    assert calls_made_in(second) == []


def test_a_factory_of_users_stays_and_that_of_two_nodes_goes_with_the_second(loop: asyncio.AbstractEventLoop) -> None:
    first, second = note_in_children(loop), note_in_children(loop)
    first()
    ours = loop.get_task_factory()
    second()
    loop.set_task_factory(factory := lambda *args, **options: asyncio.Task(*args, **options))
    note_in_children(loop)()

    assert ours is not None
    assert loop.get_task_factory() is factory


def test_blocking_code_shares_what_it_calls_with_whatever_it_runs_on_its_thread_and_with_nothing_that_comes_later() -> (
    None
):
    template, first, second = Context(), Ref(), Ref()
    template.run(begin_noting)
    seen: list[Any] = []

    def run() -> None:
        slot = own_slot()
        for ref in (first, second):
            context = template.copy()
            slot.run(ref, context, lambda ref=ref, context=context: (context.run(in_a_loop, ref), None))
            seen.append(slot.made.pending() if slot.made is not None else [])

    async def calls(ref: Any) -> None:
        call(ref)

    def in_a_loop(ref: Any) -> None:
        asyncio.run(calls(ref))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)

    assert seen == [[first], [second]]
    assert calls_made_in(template) == []
