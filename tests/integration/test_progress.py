"""`progress`: refs as they are ready, and how far they are."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

import partisan_actors as pa

pytestmark = pytest.mark.usefixtures("cluster")


class Terminal(io.StringIO):
    """What looks like one."""

    def isatty(self) -> bool:
        return True


@pa.task
def square(value: int) -> int:
    if value < 0:
        raise ValueError(value)
    return value * value


def squares(*values: int) -> list[pa.ObjectRef[int]]:
    return [square.remote(value) for value in values]


def test_refs_come_as_they_are_ready_and_the_end_is_told_in_a_line() -> None:
    out = io.StringIO()

    values = sorted(pa.get(ref) for ref in pa.progress(squares(1, 2, 3), description="squares", file=out))

    assert values == [1, 4, 9]
    assert out.getvalue().startswith("squares: 3 of 3, ")
    assert out.getvalue().count("\n") == 1


def test_values_come_in_the_order_of_the_refs() -> None:
    assert pa.progress(squares(3, 1, 2), file=io.StringIO()).get() == [9, 1, 4]
    assert len(pa.progress(squares(1, 2), file=io.StringIO())) == 2
    assert pa.progress([], file=io.StringIO()).get() == []


def test_failures_are_counted_and_raised() -> None:
    out = io.StringIO()

    assert sum(ref.has_failed for ref in pa.progress(squares(-1, 2), file=out)) == 1
    assert out.getvalue().startswith("2 of 2, 1 failed, ")
    with pytest.raises(ValueError, match="-1"):
        pa.progress(squares(-1, 2), file=io.StringIO()).get()


def test_a_terminal_gets_a_bar() -> None:
    out = Terminal()

    assert pa.progress(squares(1, 2), description="squares", file=out).get() == [1, 4]
    assert "squares" in out.getvalue()
    assert "2/2" in out.getvalue()


def test_who_leaves_early_leaves_a_line() -> None:
    out = io.StringIO()

    for _ in pa.progress(squares(1, 2, 3), file=out):
        break

    assert out.getvalue().startswith("1 of 3, ")


def test_coroutines_iterate_too() -> None:
    async def drive() -> list[Any]:
        return [await ref async for ref in pa.progress(squares(1, 2), file=io.StringIO())]

    assert sorted(asyncio.run(drive())) == [1, 4]


def test_time_runs_out() -> None:
    @pa.actor
    class Never:
        async def answer(self) -> None:
            await asyncio.Event().wait()

    never = Never.remote()
    with pytest.raises(pa.CallTimeout):
        pa.progress([never.answer.remote()], timeout=0.01, file=io.StringIO()).get()
