"""Deadlines of calls: each call has its own, whichever order they come in, and answered ones leave nothing for long."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from partisan_actors.actors.deadlines import SWEPT_MIN, Deadlines
from partisan_actors.actors.ref import Location
from partisan_actors.actors.replies import Reply
from partisan_actors.errors import CallTimeout
from partisan_actors.ids import ActorId, NodeId

THERE = Location(ActorId(NodeId("b", 1), 7), "Bank", "till", can_restart=False)


class Hands:
    """A loop whose clock stands still until it is moved on."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Any] = []

    def time(self) -> float:
        return self.now

    def call_at(self, due: float, act: Callable[[], None]) -> Any:
        timer = SimpleNamespace(due=due, act=act, cancel=lambda: self.timers.remove(timer))
        self.timers.append(timer)
        return timer

    def move_to(self, time: float) -> None:
        """Every timer fires when its time comes."""
        while due := [timer for timer in self.timers if timer.due <= time]:
            timer = min(due, key=lambda each: each.due)
            self.timers.remove(timer)
            self.now = max(self.now, timer.due)
            timer.act()
        self.now = time


class Calls:
    """Pending calls of one node."""

    def __init__(self) -> None:
        self.loop: Any = Hands()
        self.peer: Any = SimpleNamespace(pending={})
        self.deadlines = Deadlines(self.loop)
        self.replies: dict[int, Reply[int]] = {}

    def ask(self, number: int, timeout_s: float) -> None:
        reply = self.replies[number] = self.peer.pending[number] = Reply(self.loop)
        assert not reply.done()
        self.deadlines.add(self.peer, number, THERE, timeout_s)

    def answer(self, number: int) -> None:
        self.peer.pending.pop(number).succeed(number)

    def over(self) -> list[int]:
        """Which have failed, in the order of their numbers."""
        return [number for number, reply in self.replies.items() if reply.failure is not None]


def test_a_call_that_is_not_answered_fails_in_time_and_says_whom_it_asked() -> None:
    calls = Calls()
    calls.ask(1, 5.0)

    calls.loop.move_to(104.9)
    before = calls.over()
    calls.loop.move_to(105.0)

    assert before == [] and calls.over() == [1] and not calls.peer.pending
    with pytest.raises(CallTimeout, match=r"Bank 'till' .*within 5 s"):
        calls.replies[1].result()


def test_each_has_its_own_deadline_whatever_order_they_come_in() -> None:
    calls = Calls()
    for number, timeout_s in enumerate((9.0, 1.0, 5.0, 0.0, 5.0)):
        calls.ask(number, timeout_s)

    seen = []
    for time in (100.0, 101.0, 104.0, 105.0, 109.0):
        calls.loop.move_to(time)
        seen.append(calls.over())

    assert seen == [[3], [1, 3], [1, 3], [1, 2, 3, 4], [0, 1, 2, 3, 4]]


def test_one_that_was_answered_never_fails_and_one_timer_serves_all() -> None:
    calls = Calls()
    for number in range(10):
        calls.ask(number, 5.0 + number)
        if number % 2:
            calls.answer(number)

    assert len(calls.loop.timers) == 1
    calls.loop.move_to(200.0)

    assert calls.over() == [0, 2, 4, 6, 8] and not calls.loop.timers and len(calls.deadlines) == 0


def test_what_is_over_is_swept_out_and_what_is_not_stays() -> None:
    calls = Calls()
    for number in range(100):
        calls.ask(number, 60.0)
    for number in range(100, 8_000):
        calls.ask(number, 60.0)
        calls.answer(number)

    assert len(calls.deadlines) <= 2 * 101 + SWEPT_MIN
    calls.loop.move_to(161.0)
    assert calls.over() == list(range(100))


def test_a_call_that_is_made_because_another_one_has_failed_has_its_deadline_too() -> None:
    calls = Calls()
    calls.ask(1, 1.0)
    calls.replies[1].add_waiter(lambda: calls.ask(2, 1.0))
    calls.ask(3, 4.0)

    calls.loop.move_to(101.0)
    first = calls.over()
    calls.loop.move_to(102.0)
    second = calls.over()
    calls.loop.move_to(104.0)

    assert (first, second, calls.over()) == ([1], [1, 2], [1, 3, 2])


def test_a_sweep_because_of_what_is_asked_when_a_call_fails_makes_no_deadline_late() -> None:
    calls = Calls()
    calls.ask(1, 1.0)
    calls.ask(2, 50.0)

    def ask_more() -> None:
        for number in range(100, 100 + 2 * SWEPT_MIN):
            calls.ask(number, 60.0)
            calls.answer(number)
        calls.ask(3, 2.0)

    calls.replies[1].add_waiter(ask_more)
    calls.loop.move_to(101.0)
    calls.loop.move_to(103.0)

    assert calls.over() == [1, 3]
    calls.loop.move_to(150.0)
    assert calls.over() == [1, 2, 3]


def test_what_a_call_back_raises_leaves_the_other_calls_their_deadlines() -> None:
    calls = Calls()
    calls.ask(1, 1.0)
    calls.ask(2, 1.0)
    calls.ask(3, 2.0)

    def fail() -> None:
        raise LookupError("a mistake of a user's")

    calls.replies[1].add_waiter(fail)
    with pytest.raises(LookupError):
        calls.loop.move_to(101.0)
    calls.loop.move_to(102.0)

    assert calls.over() == [1, 2, 3]


@pytest.mark.parametrize("seed", range(20))
def test_in_any_order_exactly_those_fail_that_were_not_answered_in_time(seed: int) -> None:
    rng = random.Random(seed)
    print(f"seed {seed}")
    calls, due, answered = Calls(), {}, set()
    for number in range(500):
        due[number] = calls.loop.now + (timeout_s := rng.choice((0.5, 1.0, rng.random() * 3)))
        calls.ask(number, timeout_s)
        if rng.random() < 0.5 and (waiting := list(calls.peer.pending)):
            answered.add(one := rng.choice(waiting))
            calls.answer(one)
        if rng.random() < 0.3:
            calls.loop.move_to(calls.loop.now + rng.random() * 0.2)
        expected = [each for each, time in due.items() if each not in answered and time <= calls.loop.now]
        # One may be a millisecond early, as timers are.
        late = [each for each in calls.over() if each not in expected]
        assert set(expected) <= set(calls.over()) and all(due[each] - calls.loop.now < 0.002 for each in late)


def test_after_the_end_nothing_is_left() -> None:
    calls = Calls()
    calls.ask(1, 1.0)

    calls.deadlines.close()

    assert not calls.loop.timers and len(calls.deadlines) == 0
