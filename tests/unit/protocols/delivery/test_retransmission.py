"""Acknowledged messages: numbered, kept, sent again, given up; taken in order and once."""

from __future__ import annotations

import random
from typing import Any

import pytest

from partisan_actors.protocols.delivery import retransmission
from partisan_actors.protocols.delivery.retransmission import JITTER, STEADY_TRIES, AckOptions, Kept, Outbox, Window

OPTIONS = AckOptions(retransmit_s=1.0, retransmit_longest_s=8.0, give_up_s=30.0, messages_max=4, bytes_max=100)


class Said(Kept):
    """A message that says a word."""

    __slots__ = ("word",)

    def __init__(self, word: str, size: int, now: float) -> None:
        super().__init__(size, now)
        self.word = word


def words(messages: list[Said]) -> list[str]:
    return [each.word for each in messages]


def outbox(count: int = 0, options: AckOptions = OPTIONS, epoch: int = 1) -> Outbox[Said]:
    """A stream with so many messages, all handed in at second 0."""
    made: Outbox[Said] = Outbox(epoch, options, random.Random(1))
    for number in range(1, count + 1):
        made.push(Said(f"m{number}", 1, 0.0))
    return made


def numbers(kept: list[Said]) -> list[int]:
    return [each.number for each in kept]


def take(window: Window, *arriving: int, base: int = 1, epoch: int = 1) -> list[Any]:
    """What can be handled after these messages have arrived."""
    return [item for number in arriving for item in window.accept(epoch, base, number, f"m{number}", 1).ready]


def test_what_is_acknowledged_is_let_go_and_the_rest_is_kept() -> None:
    box = outbox(3)

    assert words(box.acknowledge(1, 2, [])) == ["m1", "m2"]

    assert len(box) == 1
    assert box.base == 3
    assert words(box.acknowledge(1, 3, [])) == ["m3"]
    assert box.is_idle
    assert box.bytes_kept == 0


def test_an_acknowledgement_of_another_epoch_means_nothing() -> None:
    box = outbox(2, epoch=5)

    assert box.acknowledge(4, 2, []) == []

    assert len(box) == 2


def test_a_message_is_sent_again_each_interval_and_then_less_and_less_often() -> None:
    box = outbox(1)
    times, now = [], 0.0

    while now < 25.0:
        now += 0.01
        if box.due(now):
            times.append(now)

    waits = [after - before for before, after in zip([0.0, *times], times, strict=False)]
    assert all(1.0 - JITTER <= wait <= 1.02 for wait in waits[:STEADY_TRIES])
    assert [round(wait / 2.0**index) for index, wait in enumerate(waits[STEADY_TRIES : STEADY_TRIES + 3], 1)] == [1] * 3
    assert max(waits) <= 8.02


def test_the_first_copies_lost_cost_one_interval_each() -> None:
    for lost in (1, 3):
        box, now, tries = outbox(1), 0.0, 0
        while tries < lost:
            now += 0.01
            tries += len(box.due(now))
        assert now <= (lost + 1) * OPTIONS.retransmit_s + 1.0


def test_what_is_acknowledged_out_of_order_is_not_sent_again() -> None:
    box = outbox(3)

    box.acknowledge(1, 0, [2])

    assert numbers(box.due(2.0)) == [1, 3]


def test_what_was_sent_on_a_connection_that_is_lost_is_due_at_once_without_costing_a_try() -> None:
    box = outbox(2)
    box.connection_lost(0.1)
    box.push(Said("m3", 1, 0.2))

    assert numbers(box.due(0.2)) == [1, 2]

    assert box.due(1.0) == []
    assert numbers(box.due(1.21)) == [1, 2, 3]


def test_there_is_room_up_to_the_bounds_and_always_for_the_first() -> None:
    assert outbox(3).has_room(1)
    assert not outbox(4).has_room(1)
    assert not outbox(1).has_room(100)
    assert outbox().has_room(1000)


def test_a_message_too_old_is_given_up_and_the_base_says_so() -> None:
    box = outbox(2)
    box.push(Said("young", 1, 20.0))

    assert box.expire(29.9) == []
    assert words(box.expire(30.0)) == ["m1", "m2"]

    assert box.base == 3
    assert len(box) == 1


def test_when_all_is_given_up_a_notice_is_due_until_it_is_acknowledged() -> None:
    box = outbox(2)
    box.expire(31.0)

    assert box.notice_due(31.0)
    assert not box.notice_due(31.1)
    assert box.notice_due(33.0)
    assert not box.is_idle
    box.acknowledge(1, 2, [])
    assert box.is_idle
    assert not box.notice_due(99.0)


def test_when_the_receiver_is_down_nothing_is_left_to_say() -> None:
    box = outbox(2)

    assert words(box.clear()) == ["m1", "m2"]

    assert box.is_idle
    assert box.bytes_kept == 0


def test_large_messages_have_more_time() -> None:
    box: Outbox[Said] = Outbox(1, AckOptions(), random.Random(1))
    box.push(Said("large", 8 * retransmission.BYTES_PER_S, 0.0))

    assert box.due(5.0) == []
    assert numbers(box.due(9.5)) == [1]


def test_no_more_is_sent_again_in_one_go_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retransmission, "AGAIN_BYTES_MAX", 2)

    assert numbers(outbox(4).due(2.0)) == [1, 2]


def test_messages_are_handed_on_in_order_and_once() -> None:
    window = Window()

    assert take(window, 2, 3) == []
    assert window.early() == [2, 3]
    assert take(window, 1) == ["m1", "m2", "m3"]
    assert take(window, 1, 2, 3) == []
    assert window.duplicates == 3
    assert (window.last, window.early()) == (3, [])


def test_the_next_one_is_taken_at_once_and_whatever_else_comes_is_not() -> None:
    window = Window()
    take(window, 1, epoch=2)

    assert window.takes_next(2, 1, 2)
    assert not window.takes_next(2, 1, 2)
    assert not window.takes_next(1, 1, 3)
    assert not window.takes_next(2, 1, 4)
    assert not window.takes_next(2, 1, 0)
    assert take(window, 5, epoch=2) == []
    assert not window.takes_next(2, 1, 3)
    assert take(window, 3, 4, epoch=2) == ["m3", "m4", "m5"]
    assert window.takes_next(2, 3, 6)


def test_what_was_given_up_is_not_waited_for_and_what_of_it_is_here_is_handled() -> None:
    window = Window()
    take(window, 1, 3, 4)

    arrived = window.accept(1, 5, 6, "m6", 1)
    assert arrived.ready == ["m3", "m4"]
    assert arrived.given_up == 1

    assert take(window, 5, base=5) == ["m5", "m6"]


def test_a_notice_moves_the_window_and_is_no_message() -> None:
    window = Window()

    arrived = window.accept(1, 4, 0, None, 0)

    assert (arrived.ready, arrived.given_up, window.last) == ([], 3, 3)


def test_a_later_epoch_begins_anew_and_an_earlier_one_is_over() -> None:
    window = Window()
    take(window, 1, 3, epoch=1)

    assert take(window, 1, epoch=2) == ["m1"]
    assert take(window, 2, epoch=1) == []
    assert window.early() == []


def test_what_comes_too_early_is_dropped_at_the_bound_but_the_next_in_order_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retransmission, "EARLY_MESSAGES_MAX", 2)
    window = Window()
    take(window, 3, 4, 5)

    assert window.early() == [3, 4]
    assert take(window, 2, 1) == ["m1"]
    assert take(window, 2) == ["m2", "m3", "m4"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retransmit_s", 0),
        ("give_up_s", -1.0),
        ("give_up_s", float("inf")),
        ("retransmit_longest_s", 0.5),
        ("messages_max", 0),
        ("bytes_max", 1.5),
        ("messages_max", True),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        AckOptions(**{name: value})
