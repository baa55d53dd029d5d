"""Causal delivery against an oracle that knows every message's whole past: no message is delivered before one of it."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from partisan_actors.protocols.delivery.causal import Causality, Delivery, Stamp
from tests.causality_of_v5 import CausalityOfV5


class World:
    """Nodes that send to each other over a network that delays, reorders and repeats, and what happened before what.

    Every message is one bit; a set of messages is a whole number.
    """

    def __init__(self, rng: random.Random, size: int, kind: type[Causality] = Causality) -> None:
        self.rng = rng
        self.machines: dict[int, Causality] = {node: kind(node) for node in range(size)}
        self.violations = 0
        self.sent = 0
        self.delivered = dict.fromkeys(range(size), 0)
        self._knows = dict.fromkeys(range(size), 0)
        self._past: list[int] = []
        self._to = dict.fromkeys(range(size), 0)
        self._lost = 0
        self._way: list[tuple[int, int, Stamp, int]] = []
        self._words: list[tuple[int, int, int]] = []

    def send(self, sender: int, receiver: int) -> None:
        stamp = self.machines[sender].emit(receiver)
        assert stamp is not None
        number, self.sent = self.sent, self.sent + 1
        self._past.append(self._knows[sender])
        self._knows[sender] |= 1 << number
        self._to[receiver] |= 1 << number
        self._way += [(sender, receiver, stamp, number)] * self.rng.choice((1, 1, 1, 2))

    def send_somewhere(self) -> None:
        sender, receiver = self.rng.sample(sorted(self.machines), 2)
        self.send(sender, receiver)

    def step(self) -> None:
        """Let one message arrive, or one word that something was delivered."""
        if self._words and self.rng.random() < 0.3:
            told, destination, clock = self._words.pop(self.rng.randrange(len(self._words)))
            if told in self.machines:
                self.machines[told].settled(destination, clock)
        elif self._way:
            sender, receiver, stamp, number = self._way.pop(self.rng.randrange(len(self._way)))
            if receiver in self.machines:
                self._deliveries(receiver, self.machines[receiver].receive(sender, stamp, number, 0.0))

    def crash(self, node: int) -> None:
        """What it has sent and is still on the way is lost, and so is what is on the way to it."""
        for sender, receiver, _, number in self._way:
            if node in (sender, receiver):
                self._lost |= 1 << number
        self._way = [each for each in self._way if node not in each[:2]]
        del self.machines[node]
        for other, machine in self.machines.items():
            self._deliveries(other, machine.node_down(node))

    def settle(self) -> None:
        while self._way or self._words:
            self.step()

    def _deliveries(self, receiver: int, deliveries: list[Delivery]) -> None:
        for each in deliveries:
            before = self._past[each.item] & self._to[receiver] & ~self._lost
            self.violations += before & ~self.delivered[receiver] != 0
            assert not self.delivered[receiver] >> each.item & 1, "delivered twice"
            self.delivered[receiver] |= 1 << each.item
            self._knows[receiver] |= self._past[each.item] | 1 << each.item
            assert isinstance(each.sender, int)
            self._words.append((each.sender, receiver, each.clock))

    @property
    def missing(self) -> int:
        """How many messages to live nodes were not delivered, and not lost."""
        return sum((self._to[node] & ~self._lost & ~self.delivered[node]).bit_count() for node in self.machines)


def run(seed: int, size: int, messages: int, kind: type[Causality] = Causality) -> World:
    rng = random.Random(seed)
    world = World(rng, size, kind)
    while world.sent < messages:
        world.send_somewhere()
        for _ in range(rng.choice((0, 0, 1, 2, 3))):
            world.step()
    world.settle()
    return world


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), size=st.integers(2, 6), messages=st.integers(1, 150))
def test_nothing_is_delivered_before_what_it_may_be_an_answer_to(seed: int, size: int, messages: int) -> None:
    world = run(seed, size, messages)

    assert world.violations == 0
    assert world.missing == 0


def test_ten_thousand_messages_between_four_nodes_are_all_in_causal_order() -> None:
    world = run(seed=4, size=4, messages=10_000)

    assert (world.violations, world.missing) == (0, 0)
    # What is settled is forgotten: what is left is what the last words were about.
    assert all(machine.dependency_count <= 4 * 4 for machine in world.machines.values())


def test_the_oracle_sees_that_the_original_is_not_causal() -> None:
    assert run(seed=1, size=4, messages=1000, kind=CausalityOfV5).violations > 0


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), size=st.integers(3, 6), crashes=st.integers(1, 2))
def test_nodes_that_go_down_hold_up_nobody(seed: int, size: int, crashes: int) -> None:
    rng = random.Random(seed)
    world = World(rng, size)
    for _ in range(crashes):
        for _ in range(rng.randrange(80)):
            world.send_somewhere()
            world.step()
        world.crash(rng.choice(sorted(world.machines)))
        if len(world.machines) < 2:
            break
    world.settle()

    assert world.violations == 0
    assert world.missing == 0
    assert all(len(machine) == 0 for machine in world.machines.values())
