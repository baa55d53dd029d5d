"""Streams over a network that loses, repeats and reorders: in order, each once, and nothing is left out."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from partisan_actors.protocols.delivery.stream import Incoming, Outgoing


class Way:
    """One direction of a stream, and the network between its ends."""

    def __init__(self, rng: random.Random, loss: float) -> None:
        self.outgoing, self.incoming = Outgoing(), Incoming()
        self.handled: list[int] = []
        self._rng = rng
        self._loss = loss
        self._there: list[tuple[int, int, int]] = []
        self._back: list[tuple[int, int]] = []

    def step(self, now: float) -> None:
        """Send what is due, let some of it arrive, and answer it."""
        for parcel in (*self.outgoing.take(now), *self.outgoing.again(now)):
            self._there += [(self.outgoing.epoch, parcel.number, parcel.item)] * self._copies()
        self._rng.shuffle(self._there)
        for _ in range(self._rng.randrange(len(self._there) + 1)):
            epoch, number, item = self._there.pop()
            self.incoming.sees(epoch)
            self.handled += self.incoming.accept(epoch, number, item)
            self._back += [(self.incoming.epoch, self.incoming.last)] * self._copies()
        self._rng.shuffle(self._back)
        for _ in range(self._rng.randrange(len(self._back) + 1)):
            self.outgoing.acknowledge(*self._back.pop(), now)

    def _copies(self) -> int:
        return 0 if self._rng.random() < self._loss else self._rng.choice((1, 1, 2))


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 60), loss=st.floats(0.0, 0.7))
def test_whatever_is_lost_on_the_way_all_messages_arrive_once_and_in_order(seed: int, count: int, loss: float) -> None:
    rng = random.Random(seed)
    way, now, pushed = Way(rng, loss), 0.0, 0

    while not (pushed == count and way.outgoing.is_idle):
        for _ in range(rng.randrange(4)):
            if pushed < count:
                assert way.outgoing.push(pushed, rng.choice((1, 1000)))
                pushed += 1
        way.step(now)
        now += 0.3
        assert way.handled == list(range(len(way.handled)))
        assert now < 10_000.0

    assert way.handled == list(range(count))


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), batches=st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_after_giving_up_only_a_beginning_of_each_epoch_has_arrived_and_never_twice(
    seed: int, batches: list[int]
) -> None:
    rng = random.Random(seed)
    way, now, number, begun = Way(rng, 0.3), 0.0, 0, []

    for batch in batches:
        begun.append(range(number, number + batch))
        for _ in range(batch):
            way.outgoing.push(number, 1)
            number += 1
        for _ in range(rng.randrange(8)):
            way.step(now)
            now += 0.3
        way.outgoing.give_up()

    for epoch in begun:
        arrived = [item for item in way.handled if item in epoch]
        assert arrived == list(epoch)[: len(arrived)]
    assert way.handled == sorted(set(way.handled))
