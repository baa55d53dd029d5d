"""Who owes an answer, and until when."""

from __future__ import annotations

import pytest

from partisan_actors.protocols.membership.hyparview_requests import LATE_S, PATIENCE_MAX, Request, Requests


def requests(size_max: int = 4, **deadlines: float) -> Requests:
    """Peers that were asked at 0, under the numbers 0, 1, ..., and are waited for until then."""
    waiting = Requests(size_max, timeout_s=5.0)
    for number, (peer, deadline) in enumerate(deadlines.items()):
        waiting[peer] = Request(number, False, False, 0.0, deadline)
    return waiting


def test_a_peer_owes_one_answer_at_a_time_and_not_more_than_the_bound_do() -> None:
    waiting = requests(2, a=5.0)

    assert (waiting.may_ask("a"), waiting.may_ask("b")) == (False, True)
    assert not requests(2, a=5.0, b=6.0).may_ask("c")


def test_those_whose_time_is_over_are_named_whatever_their_order() -> None:
    waiting = requests(a=9.0, b=5.0, c=7.0)

    assert waiting.overdue(4.9) == []
    assert waiting.overdue(7.0) == ["b", "c"]


def test_the_next_time_to_look_is_the_earliest_deadline() -> None:
    waiting = requests(a=9.0, b=5.0)

    assert waiting.next_delay(2.0) == 3.0
    assert (waiting.is_first(4.0), waiting.is_first(5.0)) == (True, False)
    assert requests().next_delay(2.0) is None and requests().is_first(99.0)


def test_patience_is_twice_as_long_as_an_answer_took_and_never_less_than_the_time_out() -> None:
    waiting = requests(a=5.0, b=9.0)

    waiting.answered("a", 0, 1.0)
    assert waiting.patience(1.0) == 1.0

    waiting.answered("b", 1, 10.0)
    assert waiting.patience(10.0) == 4.0


def test_patience_fades_and_has_a_bound() -> None:
    waiting = requests(a=5.0)
    waiting.answered("a", 0, 20.0)

    assert waiting.patience(20.0 + LATE_S) == pytest.approx(4.0)
    assert waiting.patience(20.0 + 9 * LATE_S) == 1.0

    waiting["b"] = Request(1, False, False, 0.0, 5.0)
    waiting.answered("b", 1, 1_000.0)
    assert waiting.patience(1_000.0) == PATIENCE_MAX


def test_what_was_not_answered_in_time_counts_as_slow_and_again_when_the_answer_comes() -> None:
    waiting = requests(a=5.0)

    waiting.gave_up("a", waiting.end("a"), 5.0)
    assert waiting.patience(5.0) == 2.0

    assert waiting.answered("a", 0, 15.0)
    assert waiting.patience(15.0) == 6.0
    assert not waiting.answered("a", 0, 15.0), "it was told once"


def test_of_requests_that_were_given_up_the_latest_are_remembered() -> None:
    waiting = requests(2, a=5.0, b=5.0, c=5.0)

    for peer in "abc":
        waiting.gave_up(peer, waiting.end(peer), 5.0)

    assert [waiting.answered(peer, number, 6.0) for number, peer in enumerate("abc")] == [False, True, True]


def test_nothing_is_left_of_requests_to_a_peer_that_is_gone() -> None:
    waiting = requests(a=5.0)
    waiting.gave_up("a", waiting.end("a"), 5.0)

    assert waiting.end("a") is None
    assert not waiting.answered("a", 0, 6.0)
