"""Who owes an answer, and until when."""

from __future__ import annotations

from partisan_actors.protocols.membership.hyparview_requests import Request, Requests


def requests(size_max: int = 4, **deadlines: float) -> Requests:
    waiting = Requests(size_max)
    for number, (peer, deadline) in enumerate(deadlines.items()):
        waiting[peer] = Request(number, False, False, deadline)
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
