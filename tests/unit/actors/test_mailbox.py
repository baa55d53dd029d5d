"""Tests of the inbox: no message is forgotten, and one thread at a time runs them."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from partisan_actors.actors.mailbox import Inbox


def test_who_puts_the_first_message_in_has_to_send_the_thread_and_nobody_else() -> None:
    inbox = Inbox()

    assert inbox.put(_message(1))
    assert not inbox.put(_message(2))
    assert len(inbox) == 2 and inbox.is_busy and inbox.is_blocked


def test_what_waits_can_be_looked_at_and_goes_on_waiting() -> None:
    inbox = Inbox()
    for number in range(3):
        inbox.put(_message(number))

    assert inbox.waiting() == [_message(0), _message(1), _message(2)]
    assert len(inbox) == 3


def test_the_thread_runs_what_there_is_in_order_and_knows_the_last() -> None:
    inbox = Inbox()
    ran: list[tuple[Any, bool]] = []
    for number in range(3):
        inbox.put(_message(number))

    inbox.drain(lambda message, is_last: ran.append((message, is_last)))

    assert ran == [(0, False), (1, False), (2, True)]
    assert not inbox.is_busy and not inbox.is_blocked


def test_what_comes_while_a_message_runs_is_run_too() -> None:
    inbox = Inbox()
    ran: list[Any] = []

    def run(message: Any, is_last: bool) -> None:
        ran.append(message)
        if len(ran) < 5:
            assert not inbox.put(_message(len(ran)))

    inbox.put(_message(0))
    inbox.drain(run)

    assert ran == [0, 1, 2, 3, 4]


def test_while_the_claim_is_taken_for_something_else_messages_wait() -> None:
    inbox = Inbox()
    inbox.claim()

    assert not inbox.put(_message(1))
    assert inbox.release(), "the claim is ours again, for the message that came"
    inbox.drain(lambda message, is_last: None)
    inbox.claim()
    assert not inbox.release()


def test_an_actor_that_ends_takes_out_what_waits_and_what_runs() -> None:
    inbox = Inbox()
    taken: list[Any] = []
    for number in range(3):
        inbox.put(_message(number))

    inbox.drain(lambda message, is_last: taken.extend(inbox.empty_out()) if message == 0 else taken.append("ran"))

    assert taken == [1, 2, 0]
    assert inbox.empty_out() == []


@pytest.mark.parametrize("seed", range(5))
def test_no_message_is_forgotten_however_threads_race(seed: int) -> None:
    rng = random.Random(seed)
    inbox = Inbox()
    ran: list[Any] = []
    threads: list[threading.Thread] = []
    inside = threading.Lock()

    def run(message: Any, is_last: bool) -> None:
        assert inside.acquire(blocking=False), "two threads run messages of one actor"
        ran.append(message)
        inside.release()

    for number in range(3000):
        if inbox.put(_message(number)):
            threads.append(threading.Thread(target=inbox.drain, args=(run,)))
            threads[-1].start()
        if rng.random() < 0.02:
            threads[-1].join(30)
    for thread in threads:
        thread.join(30)

    assert ran == list(range(3000))


def _message(number: int) -> Any:
    # An inbox never looks into what it holds.
    return number
