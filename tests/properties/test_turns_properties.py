"""Large messages beside small ones: whatever way they take and however long, each stream arrives in order, and only
what comes after something large in its own stream ever waits."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from partisan_actors.protocols.delivery.turns import PATIENCE_S, Arrivals, Departures, Ready


@dataclass
class Pair:
    """A sender and a receiver with lanes in between, on which bytes come in order, and a bulk way on which they do not.

    An item is its stream, its number in that, and whether it is large.
    """

    rng: random.Random
    lanes: int
    departures: Departures = field(default_factory=Departures)
    arrivals: Arrivals = field(default_factory=Arrivals)
    delivered: dict[int, list[int]] = field(default_factory=dict)
    lost: list[tuple[int, int]] = field(default_factory=list)
    sent: dict[int, int] = field(default_factory=dict)
    marked: int = 0

    def __post_init__(self) -> None:
        self.on_lane: list[deque[tuple[int | None, int, tuple[int, int]]]] = [deque() for _ in range(self.lanes)]
        self.on_bulk: list[int] = []
        self.back: list[int] = []

    def send(self, stream: int, *, is_large: bool) -> None:
        number = self.sent[stream] = self.sent.get(stream, 0) + 1
        lane = self.on_lane[stream % self.lanes]
        if is_large:
            transfer = self.departures.begin(stream, stream % self.lanes)
            lane.append((stream, transfer, (stream, number)))
            self.on_bulk.append(transfer)
        elif stream in self.departures.streams:
            self.marked += 1
            lane.append((stream, 0, (stream, number)))
        else:
            lane.append((None, 0, (stream, number)))

    def step(self, now: float, loss: float = 0.0) -> None:
        """Let one thing arrive somewhere."""
        choice = self.rng.randrange(3)
        lane = self.rng.choice(self.on_lane)
        if choice == 0 and lane:
            marked, transfer, item = lane.popleft()
            before = self.arrivals.held_count
            if marked is None:
                self._deliver([Ready(item, None)])
            else:
                self._deliver(self.arrivals.take(marked, transfer, item, None, now))
            if self.arrivals.held_count > before:
                assert marked is not None
        elif choice == 1 and self.on_bulk:
            transfer = self.on_bulk.pop(self.rng.randrange(len(self.on_bulk)))
            if self.rng.random() >= loss:
                self._deliver(self.arrivals.arrived(transfer, b"", now))
                self.back.append(transfer)
        elif self.back:
            self.departures.end(self.back.pop(0))

    def expire(self, now: float) -> None:
        for transfer in self.arrivals.expired(now, 0.0):
            item, ready = self.arrivals.give_up(transfer)
            if item is not None:
                self.lost.append(item)
            self._deliver(ready)

    def _deliver(self, ready: list[Ready]) -> None:
        for (stream, number), _ in ready:
            self.delivered.setdefault(stream, []).append(number)

    @property
    def is_quiet(self) -> bool:
        return not self.on_bulk and not self.back and not any(self.on_lane)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 80), st.integers(1, 3), st.integers(1, 4), st.floats(0.0, 0.6))
def test_every_stream_arrives_whole_and_in_order(seed: int, count: int, lanes: int, streams: int, large: float) -> None:
    rng = random.Random(seed)
    pair, left = Pair(rng, lanes), count

    while left or not pair.is_quiet:
        if left and rng.random() < 0.3:
            pair.send(rng.randrange(streams), is_large=rng.random() < large)
            left -= 1
        pair.step(0.0)

    assert pair.delivered == {stream: list(range(1, last + 1)) for stream, last in pair.sent.items()}
    assert pair.arrivals.is_idle and pair.arrivals.held_count == 0
    assert not pair.departures.streams


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60), st.floats(0.1, 0.9))
def test_what_is_lost_is_given_up_in_time_and_everything_else_arrives_in_order(
    seed: int, count: int, loss: float
) -> None:
    rng = random.Random(seed)
    pair, left = Pair(rng, 2), count

    while left or not pair.is_quiet:
        if left and rng.random() < 0.3:
            pair.send(rng.randrange(3), is_large=rng.random() < 0.4)
            left -= 1
        pair.step(0.0, loss)
    pair.expire(PATIENCE_S - 1.0)
    assert not pair.lost
    pair.expire(PATIENCE_S)

    assert pair.arrivals.is_idle and pair.arrivals.held_count == 0
    for stream, last in pair.sent.items():
        lost = [number for where, number in pair.lost if where == stream]
        arrived = pair.delivered.get(stream, [])
        assert arrived == sorted(arrived)
        assert sorted(arrived + lost) == list(range(1, last + 1))


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_a_stream_without_anything_large_is_never_marked_and_never_waits(seed: int, count: int) -> None:
    rng = random.Random(seed)
    pair = Pair(rng, 1)
    for _ in range(count):
        pair.send(1, is_large=rng.random() < 0.5)
        marked = pair.marked
        pair.send(2, is_large=False)
        assert pair.marked == marked

    while pair.on_lane[0]:
        _, _, (stream, number) = pair.on_lane[0][0]
        pair.on_bulk.clear()
        before = len(pair.delivered.get(2, []))
        pair.step(0.0)
        if stream == 2 and (not pair.on_lane[0] or pair.on_lane[0][0][2] != (stream, number)):
            assert len(pair.delivered[2]) == before + 1

    assert pair.delivered[2] == list(range(1, count + 1))
