"""Streams without a connection: numbering, acknowledging, sending again, giving up."""

from __future__ import annotations

import pytest

from partisan_actors.protocols.delivery.stream import (
    GIVE_UP_S,
    LIFE_EPOCHS,
    QUEUE_BYTES_MAX,
    RESEND_AFTER_S,
    RESEND_LONGEST_S,
    WINDOW_BYTES,
    WINDOW_MESSAGES,
    Incoming,
    Outgoing,
    Parcel,
)


def sent(count: int, now: float = 0.0, size: int = 1) -> Outgoing:
    """A stream with so many messages under way."""
    outgoing = Outgoing()
    for number in range(1, count + 1):
        assert outgoing.push(f"m{number}", size)
    outgoing.take(now)
    return outgoing


def test_messages_are_numbered_in_the_order_in_which_they_were_pushed() -> None:
    outgoing = Outgoing()
    outgoing.push("a", 1)
    outgoing.push("b", 2)

    assert outgoing.take(0.0) == [Parcel(1, "a", 1), Parcel(2, "b", 2)]
    assert outgoing.take(0.0) == []


def test_what_is_acknowledged_is_forgotten_and_the_rest_is_sent_again_in_time() -> None:
    outgoing = sent(3)

    outgoing.acknowledge(1, 2, now=0.5)

    assert outgoing.again(0.5 + RESEND_AFTER_S - 0.01) == []
    assert outgoing.again(0.5 + RESEND_AFTER_S + 0.01) == [Parcel(3, "m3", 1)]


def test_waits_between_tries_grow_to_the_longest() -> None:
    outgoing, now, waits = sent(1), 0.0, []
    for _ in range(4):
        began = now
        while not outgoing.again(now):
            now += 0.01
        waits.append(round(now - began, 1))

    assert waits == [RESEND_AFTER_S, RESEND_LONGEST_S, RESEND_LONGEST_S, RESEND_LONGEST_S]


def test_in_a_hurry_everything_goes_again_at_once() -> None:
    assert [parcel.number for parcel in sent(2).again(0.0, hurry=True)] == [1, 2]


def test_an_acknowledged_stream_is_idle_and_has_nothing_to_send_again() -> None:
    outgoing = sent(2)

    outgoing.acknowledge(1, 2, now=0.0)

    assert outgoing.is_idle
    assert outgoing.again(100.0) == [] and not outgoing.is_hopeless(100.0)


def test_the_window_bounds_how_many_messages_are_under_way() -> None:
    outgoing = Outgoing()
    for _ in range(WINDOW_MESSAGES + 2):
        outgoing.push("m", 1)

    assert len(outgoing.take(0.0)) == WINDOW_MESSAGES
    outgoing.acknowledge(1, 1, now=0.0)
    assert [parcel.number for parcel in outgoing.take(0.0)] == [WINDOW_MESSAGES + 1]


def test_the_window_bounds_the_bytes_under_way_but_lets_one_large_message_pass() -> None:
    outgoing = Outgoing()
    outgoing.push("large", WINDOW_BYTES + 1)
    outgoing.push("small", 1)

    assert [parcel.item for parcel in outgoing.take(0.0)] == ["large"]
    outgoing.acknowledge(1, 1, now=0.0)
    assert [parcel.item for parcel in outgoing.take(0.0)] == ["small"]


def test_all_that_waits_can_be_taken_at_once_for_a_way_that_loses_nothing() -> None:
    outgoing = Outgoing()
    for _ in range(WINDOW_MESSAGES + 2):
        outgoing.push("m", 1)

    assert len(outgoing.take(0.0, whole=True)) == WINDOW_MESSAGES + 2


def test_a_full_queue_refuses() -> None:
    outgoing = Outgoing()
    outgoing.push("under way", 1)
    outgoing.take(0.0)
    assert outgoing.push("waits", QUEUE_BYTES_MAX)

    assert not outgoing.push("too much", 1)


def test_a_stream_without_progress_is_hopeless_in_the_end_and_progress_puts_that_off() -> None:
    outgoing = sent(2)

    assert not outgoing.is_hopeless(GIVE_UP_S - 0.1)
    assert outgoing.is_hopeless(GIVE_UP_S + 0.1)
    outgoing.acknowledge(1, 1, now=5.0)
    assert not outgoing.is_hopeless(GIVE_UP_S + 0.1)


def test_a_large_message_is_given_longer() -> None:
    outgoing = sent(1, size=WINDOW_BYTES)

    assert outgoing.again(RESEND_AFTER_S + 0.1) == []
    assert not outgoing.is_hopeless(GIVE_UP_S + 0.1)
    assert outgoing.is_hopeless(GIVE_UP_S + 60.0)


def test_after_giving_up_numbers_begin_anew_in_the_next_epoch() -> None:
    outgoing = sent(2)

    assert outgoing.give_up() == 2
    outgoing.push("new", 1)

    assert outgoing.epoch == 2
    assert outgoing.take(0.0) == [Parcel(1, "new", 1)]
    outgoing.acknowledge(1, 2, now=0.0)
    assert not outgoing.is_idle


def heard(epoch: int = 1) -> Incoming:
    """The receiving end of a stream of which something was heard."""
    incoming = Incoming()
    incoming.sees(epoch)
    return incoming


def test_messages_that_come_early_wait_for_those_before() -> None:
    incoming = heard()

    assert incoming.accept(1, 2, "b") == []
    assert incoming.last == 0
    assert incoming.accept(1, 1, "a") == ["a", "b"]
    assert incoming.last == 2


def test_what_was_here_before_is_not_handled_again() -> None:
    incoming = heard()
    incoming.accept(1, 1, "a")
    incoming.accept(1, 3, "c")

    assert incoming.accept(1, 1, "a") == []
    assert incoming.accept(1, 3, "c") == []
    assert incoming.accept(1, 2, "b") == ["b", "c"]


@pytest.mark.parametrize("number", [0, -1, 2 * WINDOW_MESSAGES + 1])
def test_a_number_that_no_sender_would_use_is_ignored(number: int) -> None:
    assert heard().accept(1, number, "x") == []


def test_a_new_epoch_is_noticed_once_and_starts_from_one() -> None:
    incoming = heard()
    incoming.accept(1, 1, "a")
    incoming.accept(1, 3, "never")

    assert incoming.sees(2) and not incoming.sees(2)
    assert incoming.accept(1, 2, "late") == []
    assert incoming.accept(2, 1, "b") == ["b"]
    assert incoming.accept(2, 3, "d") == []
    assert incoming.last == 1


def test_whoever_hears_for_the_first_time_has_lost_nothing_unless_that_is_after_something_was_given_up() -> None:
    assert not Incoming().sees(1)
    assert not Incoming().sees(Outgoing(life=3).epoch)
    assert Incoming().sees(2)
    assert Incoming().sees(3 * LIFE_EPOCHS + 2)


def test_who_remembers_a_stream_takes_no_message_of_another_life_of_it_for_a_former_one() -> None:
    incoming = heard()
    incoming.accept(1, 1, "before")
    forgetful = Outgoing(life=1)
    forgetful.push("after", 1)
    (parcel,) = forgetful.take(0.0)

    forgetful.acknowledge(incoming.epoch, incoming.last, now=0.0)
    assert not forgetful.is_idle

    assert incoming.sees(forgetful.epoch), "what was under way is lost"
    assert incoming.accept(forgetful.epoch, parcel.number, parcel.item) == ["after"]
