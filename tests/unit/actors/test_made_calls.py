"""The calls that running code has made: noted in its context, dropped when they are over."""

from __future__ import annotations

from contextvars import Context
from typing import Any

from partisan_actors.actors.made_calls import KEPT_MIN, NONE_YET, begin_noting, calls_made_in, made_calls, note_call


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
