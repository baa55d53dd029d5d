"""Tests of turns: what waits behind something large, what does not, and the bounds of both."""

from __future__ import annotations

import pytest

from partisan_actors.protocols.delivery import turns
from partisan_actors.protocols.delivery.turns import PATIENCE_S, Arrivals, Departures, Ready


def test_a_message_waits_for_what_is_large_before_it_in_its_stream_and_no_other_does() -> None:
    arrivals = Arrivals()

    assert arrivals.take(1, 7, "large", None, 0.0) == []
    assert arrivals.take(1, 0, "behind", None, 0.0) == []
    assert arrivals.take(2, 0, "elsewhere", None, 0.0) == [Ready("elsewhere", None)]
    assert arrivals.held_count == 2
    assert arrivals.arrived(7, b"buffers", 0.0) == [Ready("large", b"buffers"), Ready("behind", None)]
    assert arrivals.is_idle and arrivals.held_count == 0


def test_buffers_may_come_before_their_head() -> None:
    arrivals = Arrivals()

    assert arrivals.arrived(3, b"early", 0.0) == []
    assert not arrivals.is_idle
    assert arrivals.take(1, 3, "large", None, 0.0) == [Ready("large", b"early")]
    assert arrivals.is_idle


def test_two_large_ones_of_a_stream_are_delivered_in_order_though_the_second_comes_first() -> None:
    arrivals = Arrivals()
    arrivals.take(1, 1, "first", None, 0.0)
    arrivals.take(1, 2, "second", None, 0.0)

    assert arrivals.arrived(2, b"2", 0.0) == []
    assert arrivals.arrived(1, b"1", 0.0) == [Ready("first", b"1"), Ready("second", b"2")]


def test_what_is_given_up_lets_those_behind_it_go_on() -> None:
    arrivals = Arrivals()
    arrivals.take(1, 1, "lost", None, 0.0)
    arrivals.take(1, 0, "behind", None, 0.0)

    assert arrivals.give_up(1) == ("lost", [Ready("behind", None)])
    assert arrivals.give_up(1) == (None, [])
    assert arrivals.is_idle


def test_patience_ends_only_when_nothing_made_progress_for_so_long() -> None:
    arrivals = Arrivals()
    arrivals.take(1, 1, "waits", None, 0.0)
    arrivals.arrived(2, b"without a head", 1.0)

    assert arrivals.expired(PATIENCE_S - 0.1, heard_at=0.0) == []
    assert arrivals.expired(PATIENCE_S, heard_at=5.0) == []
    assert arrivals.expired(PATIENCE_S, heard_at=0.0) == [1]
    assert arrivals.expired(PATIENCE_S + 1.0, heard_at=0.0) == [1, 2]


def test_what_is_held_back_is_bounded_and_what_need_not_wait_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "HELD_MAX", 3)
    arrivals = Arrivals()
    for number in range(3):
        arrivals.take(1, number + 1, number, None, 0.0)

    with pytest.raises(OverflowError):
        arrivals.take(1, 0, "behind", None, 0.0)
    with pytest.raises(OverflowError):
        arrivals.take(2, 9, "large", None, 0.0)
    assert arrivals.held_count == 3


def test_transfers_without_a_head_are_bounded_and_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "EARLY_MAX", 2)
    arrivals = Arrivals()
    for transfer in (1, 2, 3):
        arrivals.arrived(transfer, b"x", 0.0)

    assert arrivals.take(1, 1, "its buffers are forgotten", None, 0.0) == []
    assert arrivals.take(2, 2, "kept", None, 0.0) == [Ready("kept", b"x")]


def test_a_transfer_that_comes_twice_is_refused() -> None:
    arrivals = Arrivals()
    arrivals.take(1, 1, "first", None, 0.0)

    with pytest.raises(ValueError, match="transfer 1 came twice"):
        arrivals.take(2, 1, "again", None, 0.0)


def test_the_sender_marks_a_stream_until_all_its_transfers_have_ended() -> None:
    departures = Departures()
    first, second, other = (departures.begin(stream, "lane") for stream in (5, 5, 6))

    departures.end(first)
    departures.end(first)
    departures.end(99)
    assert departures.streams == {5: 1, 6: 1}
    departures.end(second)
    assert departures.streams == {6: 1}
    assert departures.end_lane(0) == [(other, "lane")]
    assert not departures.streams


def test_with_a_lane_are_lost_the_transfers_on_it_and_no_others() -> None:
    departures = Departures()
    here = [departures.begin(stream, f"way {stream}", 2) for stream in (5, 6)]
    elsewhere = departures.begin(5, "way 5", 0)

    assert departures.end_lane(2) == [(here[0], "way 5"), (here[1], "way 6")]
    assert departures.streams == {5: 1}
    departures.end(elsewhere)
    assert not departures.streams
