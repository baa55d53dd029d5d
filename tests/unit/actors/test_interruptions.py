"""Ending blocking code from outside: in that code, once, and nowhere else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import Context
from functools import partial
from typing import Any

import pytest

from partisan_actors.actors.blocking import gate
from partisan_actors.actors.interruptions import Interrupted, Slot, is_cancelled, own_slot


class Runner:
    """A thread with a slot, which runs one thing after the other."""

    def __init__(self, *calls: Callable[[], Any]) -> None:
        self.outcomes: list[Any] = []
        self.slot: Slot | None = None
        self.tokens = [object() for _ in calls]
        self._calls = calls
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._thread.start()

    def _main(self) -> None:
        self.slot = own_slot()
        for token, call in zip(self.tokens, self._calls, strict=True):
            self.outcomes.append(self.slot.run(token, Context(), lambda call=call: outcome_of(call)))

    def join(self) -> list[Any]:
        """Everything that came out."""
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.outcomes


def outcome_of(call: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return call(), None
    except BaseException as error:  # noqa: BLE001 - it is what the test looks at
        return None, error


def interrupt(runner: Runner, index: int) -> None:
    """End that call, once it runs."""
    wait_until(lambda: runner.slot is not None and runner.slot.interrupt(runner.tokens[index]))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def spin() -> None:
    while True:
        time.sleep(0.001)


def test_code_that_runs_gets_the_exception_and_what_comes_next_does_not() -> None:
    runner = Runner(spin, lambda: "next", is_cancelled)

    interrupt(runner, 0)

    (_, error), *others = runner.join()
    assert isinstance(error, Interrupted) and isinstance(error, KeyboardInterrupt)
    assert others == [("next", None), (False, None)]


def test_code_that_waits_at_a_gate_is_woken() -> None:
    runner = Runner(lambda: gate(once=True).wait(), lambda: gate().wait(0.001))

    interrupt(runner, 0)

    (_, error), other = runner.join()
    assert isinstance(error, Interrupted)
    assert other == (False, None)


def test_a_gate_that_opens_in_time_is_passed_as_often_as_it_was_opened() -> None:
    gates: list[Any] = []
    ready = threading.Event()

    def wait() -> list[bool]:
        gates.append(gate())
        ready.set()
        return [gates[0].wait(60), gates[0].wait(60), gates[0].wait(0.001)]

    runner = Runner(wait)
    assert ready.wait(60)
    gates[0].open()
    gates[0].open()

    assert runner.join() == [([True, True, False], None)]


def test_what_is_over_is_not_interrupted() -> None:
    runner = Runner(lambda: 1)
    runner.join()

    assert runner.slot is not None and not runner.slot.interrupt(runner.tokens[0])


def test_code_that_catches_it_can_ask_whether_it_was_cancelled() -> None:
    catches = threading.Event()

    def code() -> tuple[bool, bool]:
        before = is_cancelled()
        try:
            catches.set()
            spin()
        except KeyboardInterrupt:
            return before, is_cancelled()
        raise AssertionError("it goes on for ever")

    runner = Runner(code)
    assert catches.wait(60)
    interrupt(runner, 0)

    assert runner.join() == [((False, True), None)]


def test_what_comes_while_a_finalizer_runs_ends_the_code_around_it() -> None:
    dies = threading.Event()

    class Mortal:
        def __del__(self) -> None:
            dies.set()
            spin()

    def code() -> None:
        Mortal()
        spin()

    runner = Runner(code, lambda: "next")
    assert dies.wait(60)
    interrupt(runner, 0)

    (_, error), other = runner.join()
    assert isinstance(error, Interrupted)
    assert other == ("next", None)


@pytest.mark.parametrize(
    ("code", "stands_in", "comes_out"), [(lambda: gate().wait(), "wait_at", None), (lambda: "done", "run", "done")]
)
def test_what_comes_at_the_door_of_a_gate_or_at_the_end_leaves_the_next_to_be_interrupted(
    code: Callable[[], Any], stands_in: str, comes_out: str | None
) -> None:
    go_on = threading.Event()

    def first() -> Any:
        go_on.wait(60)
        return code()

    runner = Runner(first, spin)
    wait_until(lambda: runner.slot is not None and runner.slot.token is runner.tokens[0])
    runner.slot._lock = threading.RLock()
    with runner.slot._lock:  # so that the thread comes up to it, and no further
        go_on.set()
        wait_until(lambda: sys._current_frames()[runner.slot.ident].f_code.co_name == stands_in)
        runner.slot.interrupt(runner.tokens[0])
    interrupt(runner, 1)

    (value, _), (_, error) = runner.join()
    assert value == comes_out
    assert isinstance(error, Interrupted)


@pytest.fixture
def switching_often() -> Iterator[None]:
    """Threads of Python take turns at each few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching_often")
def test_interruptions_race_with_ends_and_never_hit_what_comes_next() -> None:
    rounds = 100
    may_end = [threading.Event() for _ in range(rounds)]

    def end_soon(index: int) -> str:
        while not may_end[index].is_set():
            pass
        for _ in range(index):  # so that it has come to another place each time
            passed = gate()
            passed.open()
            passed.wait(60)
        return "done"

    # Every second one is left alone.
    runner = Runner(*[partial(end_soon, index) for index in range(rounds)])
    wait_until(lambda: runner.slot is not None)
    for index in range(0, rounds, 2):
        wait_until(lambda index=index: runner.slot.token is runner.tokens[index])
        may_end[index].set()
        time.sleep(0.000_001)
        runner.slot.interrupt(runner.tokens[index])
        may_end[index + 1].set()

    outcomes = runner.join()
    assert all(value == "done" or isinstance(error, Interrupted) for value, error in outcomes[::2])
    assert outcomes[1::2] == [("done", None)] * (rounds // 2)
    assert runner.slot._gate is None
