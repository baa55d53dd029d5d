"""Acknowledged messages over a network that loses, repeats and reorders, with messages that are given up on the way."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from partisan_actors.protocols.delivery.retransmission import AckOptions, Kept, Outbox, Window

OPTIONS = AckOptions(retransmit_s=1.0, retransmit_longest_s=4.0, give_up_s=20.0)
STEP_S = 0.3


class Numbered(Kept):
    """A message that is a number."""

    __slots__ = ("item",)

    def __init__(self, item: int, size: int, now: float) -> None:
        super().__init__(size, now)
        self.item = item


class Way:
    """Both ends of a stream, and the network between them."""

    def __init__(self, rng: random.Random, loss: float) -> None:
        self.outbox: Outbox[Numbered] = Outbox(1, OPTIONS, rng)
        self.window = Window()
        self.handled: list[int] = []
        self.acknowledged: list[int] = []
        self.given_up: list[int] = []
        self.missed = 0
        self.loss = loss
        self._rng = rng
        self._there: list[tuple[int, int, int]] = []
        self._back: list[tuple[int, list[int]]] = []

    def push(self, item: int, now: float) -> None:
        kept = Numbered(item, self._rng.choice((1, 1000)), now)
        self.outbox.push(kept)
        self._send(kept.number, item)

    def step(self, now: float) -> None:
        """Give up and send what is due, let some of it arrive, and answer it."""
        self.given_up += [each.item for each in self.outbox.expire(now)]
        for kept in self.outbox.due(now):
            self._send(kept.number, kept.item)
        if self.outbox.notice_due(now):
            self._send(0, 0)
        self._rng.shuffle(self._there)
        for _ in range(self._rng.randrange(len(self._there) + 1)):
            base, number, item = self._there.pop()
            arrived = self.window.accept(1, base, number, item, 1)
            self.handled += arrived.ready
            self.missed += arrived.given_up
            self._back += [(self.window.last, self.window.early())] * self._copies()
        self._rng.shuffle(self._back)
        for _ in range(self._rng.randrange(len(self._back) + 1)):
            self.acknowledged += [each.item for each in self.outbox.acknowledge(1, *self._back.pop())]

    def _send(self, number: int, item: int) -> None:
        self._there += [(self.outbox.base, number, item)] * self._copies()

    def _copies(self) -> int:
        return 0 if self._rng.random() < self.loss else self._rng.choice((1, 1, 2))


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40), loss=st.floats(0.0, 0.4))
def test_whatever_is_lost_every_message_is_handled_once_in_order_and_acknowledged_once(
    seed: int, count: int, loss: float
) -> None:
    rng = random.Random(seed)
    way, now, pushed = Way(rng, loss), 0.0, 0

    while not (pushed == count and way.outbox.is_idle):
        for _ in range(rng.randrange(4)):
            if pushed < count:
                way.push(pushed, now)
                pushed += 1
        way.step(now)
        now += STEP_S
        assert now < 10_000.0

    settled = sorted(way.acknowledged + way.given_up)
    assert settled == list(range(count))
    assert way.handled == sorted(set(way.handled))
    assert set(way.acknowledged) <= set(way.handled)
    if not way.given_up:
        assert way.handled == list(range(count))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), outages=st.lists(st.integers(1, 100), min_size=1, max_size=4))
def test_after_whatever_was_given_up_the_stream_goes_on_and_the_receiver_knows_how_many_are_missing(
    seed: int, outages: list[int]
) -> None:
    rng = random.Random(seed)
    way, now, pushed = Way(rng, 0.0), 0.0, 0

    for steps in outages:
        way.loss = 1.0
        for _ in range(steps):
            way.push(pushed, now)
            pushed += 1
            way.step(now)
            now += STEP_S
        way.loss = 0.2
        for _ in range(10):
            way.step(now)
            now += STEP_S
    while not way.outbox.is_idle:
        way.step(now)
        now += STEP_S
        assert now < 10_000.0

    assert way.handled == sorted(set(way.handled))
    assert sorted(way.acknowledged + way.given_up) == list(range(pushed))
    assert len(way.handled) + way.missed == pushed
