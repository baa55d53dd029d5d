"""Ending blocking code from outside: in that code, once, and nowhere else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import Context
from typing import Any

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
    deadline = time.monotonic() + 60
    while runner.slot is None or not runner.slot.interrupt(runner.tokens[index]):
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


def test_interruptions_race_with_ends_and_never_hit_what_comes_next() -> None:
    rounds = 40
    runner = Runner(*[lambda: sum(range(200)) for _ in range(rounds)], lambda: "last")
    deadline = time.monotonic() + 60
    while len(runner.outcomes) <= rounds and time.monotonic() < deadline:
        slot = runner.slot
        token = slot.token if slot is not None else None
        if slot is not None and token is not None and token is not runner.tokens[-1]:
            slot.interrupt(token)
        time.sleep(0)  # the other thread is to get on

    outcomes = runner.join()
    assert outcomes[-1] == ("last", None)
    assert all(value == 19900 if error is None else isinstance(error, Interrupted) for value, error in outcomes[:-1])
