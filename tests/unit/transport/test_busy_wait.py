"""Tests of waiting for an answer without going to sleep: when a loop looks again, and when it gives up."""

from __future__ import annotations

from collections.abc import Callable

from partisan_actors.transport.busy_wait import CROWDED_COST, CROWDED_S, PATIENCE_S, QUICK_MAX, QUICK_MIN, BusyWait


class Loop:
    """A loop of one call-back, a clock that is moved by hand, and a processor that others may want."""

    def __init__(self) -> None:
        self.now = 1.0
        self.next: Callable[[], None] | None = None
        self.given_way = 0
        self.others_take_s = 0.0
        self.busy_wait = BusyWait(self._soon, lambda: self.now, self._give_way)

    def _soon(self, call: Callable[[], None]) -> None:
        assert self.next is None
        self.next = call

    def _give_way(self) -> None:
        self.given_way += 1
        self.now += self.others_take_s

    def turn(self) -> None:
        """What is to be called is called."""
        call, self.next = self.next, None
        assert call is not None
        call()

    def ask(self, answered_after_s: float) -> None:
        """A message, and its answer."""
        self.busy_wait.wrote()
        self.now += answered_after_s
        self.busy_wait.heard()
        if self.next is not None:
            self.turn()

    def ask_of_a_neighbour(self) -> None:
        """A message to somebody who answers on the same processor."""
        self.busy_wait.wrote()
        if self.next is not None:
            self.turn()
        self.busy_wait.heard()


def quick() -> Loop:
    """One whose answers have come soon."""
    loop = Loop()
    for _ in range(QUICK_MIN):
        loop.ask(PATIENCE_S / 2)
    return loop


def test_a_loop_sleeps_until_enough_answers_have_come_soon() -> None:
    loop = Loop()
    for _ in range(QUICK_MIN):
        loop.busy_wait.wrote()
        assert loop.next is None
        loop.now += PATIENCE_S / 2
        loop.busy_wait.heard()

    loop.busy_wait.wrote()

    assert loop.next is not None


def test_it_looks_again_until_there_is_the_answer() -> None:
    loop = quick()
    loop.busy_wait.wrote()
    for _ in range(5):
        loop.turn()

    loop.busy_wait.heard()
    loop.turn()

    assert loop.given_way == 5
    assert loop.next is None


def test_it_sleeps_when_the_answer_takes_too_long_and_starts_over() -> None:
    loop = quick()
    loop.busy_wait.wrote()
    loop.turn()
    loop.now += 2 * PATIENCE_S

    loop.turn()

    assert loop.next is None
    loop.ask(PATIENCE_S / 2)
    loop.busy_wait.wrote()
    assert loop.next is None


def test_one_answer_that_is_late_counts_for_all_before_it() -> None:
    loop = quick()

    loop.ask(2 * PATIENCE_S)
    loop.busy_wait.wrote()

    assert loop.next is None


def test_it_sleeps_when_somebody_else_has_taken_the_processor() -> None:
    loop = quick()
    loop.others_take_s = 2 * CROWDED_S
    loop.busy_wait.wrote()

    loop.turn()

    assert loop.given_way == 1
    assert loop.next is None
    loop.busy_wait.heard()
    loop.busy_wait.wrote()
    assert loop.next is None


def test_where_others_take_the_processor_now_and_then_it_goes_on_looking() -> None:
    loop = Loop()
    for _ in range(QUICK_MAX):
        loop.ask(PATIENCE_S / 2)
    loop.others_take_s = 2 * CROWDED_S
    loop.busy_wait.wrote()
    loop.turn()
    loop.busy_wait.heard()

    loop.busy_wait.wrote()

    assert loop.next is not None


def test_where_they_always_do_it_looks_for_one_message_in_a_few() -> None:
    loop = Loop()
    loop.others_take_s = 2 * CROWDED_S
    for _ in range(QUICK_MAX):
        loop.ask_of_a_neighbour()
    loop.given_way = 0

    for _ in range(100):
        loop.ask_of_a_neighbour()

    assert loop.given_way == 100 // CROWDED_COST


def test_what_arrives_unasked_for_says_nothing() -> None:
    loop = quick()

    for _ in range(3):
        loop.now += 10.0
        loop.busy_wait.heard()
    loop.busy_wait.wrote()

    assert loop.next is not None


def test_what_is_written_while_it_looks_is_waited_for_as_long() -> None:
    loop = quick()
    loop.busy_wait.wrote()
    loop.turn()
    loop.busy_wait.heard()
    loop.busy_wait.wrote()
    loop.now += 0.9 * PATIENCE_S

    loop.turn()

    assert loop.next is not None
