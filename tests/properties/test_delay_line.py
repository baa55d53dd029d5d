"""The imitated wire: everything arrives, in order, late, and never more is on the way than the window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from partisan_actors.cli.bench.paper.delay_line import DelayLine

DELAY_S = 0.25  # exact in binary, as are the steps: times can be compared
WINDOW = 1000
steps = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 600)), max_size=60)


@given(steps)
def test_what_is_put_in_comes_out_in_order_and_exactly_one_delay_later(steps: list[tuple[int, int]]) -> None:
    line, now = DelayLine(DELAY_S, WINDOW), 0.0
    put: list[tuple[float, int]] = []
    out: list[tuple[float, int]] = []

    def look(until: float) -> None:
        while (due := line.next_event()) <= until:
            out.extend((due, int(data)) for data in line.take(due))
            line.room(due)

    for count, (pause, _) in enumerate(steps):
        now += pause / 16
        look(now)
        line.put(b"%d" % count, now)
        put.append((now, count))
    look(now + 1)

    assert out == [(time + DELAY_S, number) for time, number in put]
    assert line.is_empty


@given(steps)
def test_a_sender_that_keeps_to_the_room_never_has_more_than_the_window_unacknowledged(
    steps: list[tuple[int, int]],
) -> None:
    line, now = DelayLine(DELAY_S, WINDOW), 0.0
    sent: list[tuple[float, int]] = []
    for pause, size in steps:
        now += pause / 16
        while (due := line.next_event()) <= now:
            line.take(due)
            line.room(due)
        take = min(size, line.room(now))
        if take > 0:
            line.put(bytes(take), now)
            sent.append((now, take))
        unacknowledged = sum(size for time, size in sent if time + 2 * DELAY_S > now)
        assert unacknowledged == WINDOW - line.room(now)
        assert unacknowledged <= WINDOW


def test_the_throughput_is_the_window_for_each_round_trip() -> None:
    line, now, arrived = DelayLine(DELAY_S, WINDOW), 0.0, 0
    while now < 10:
        room = line.room(now)
        if room > 0:
            line.put(bytes(room), now)
        now = line.next_event()
        arrived += sum(map(len, line.take(now)))

    assert arrived == WINDOW * 20  # twenty round trips of half a second
