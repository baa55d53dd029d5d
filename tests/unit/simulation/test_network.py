"""Network: delays, order, losses, cuts."""

from __future__ import annotations

import random

import pytest

from partisan_actors.simulation.clock import nanoseconds
from partisan_actors.simulation.network import DROP, PASS, Network, constant_latency, uniform_latency


@pytest.mark.parametrize("seed", range(3))
def test_messages_between_one_pair_arrive_in_order_and_within_the_latency(seed: int) -> None:
    network = Network(seed, uniform_latency(0.001, 0.010))

    arrivals = [network.arrival("a", "b", now_ns) for now_ns in range(0, 1_000_000, 10_000)]

    assert arrivals == sorted(arrivals)
    assert arrivals[0] >= nanoseconds(0.001)
    assert arrivals[-1] <= 1_000_000 + nanoseconds(0.010)


def test_messages_of_different_pairs_overtake_each_other() -> None:
    network = Network(1, uniform_latency(0.001, 0.010))

    arrivals = [network.arrival("a", peer, 0) for peer in range(20)]

    assert arrivals != sorted(arrivals)


def test_constant_latency_is_constant() -> None:
    latency = constant_latency(0.002)

    assert {latency("a", "b", random.Random(1)) for _ in range(5)} == {2_000_000}


def test_a_rule_loses_or_delays_messages_while_its_block_lasts() -> None:
    network = Network(1, constant_latency(0.001))

    with network.rule(lambda sender, receiver, message: DROP if message == "bad" else 0.5):
        lost = network.message_arrival("a", "b", "bad", 0)
        late = network.message_arrival("a", "b", "good", 0)
    passed = network.message_arrival("c", "d", "bad", 0)

    assert lost is None
    assert late == nanoseconds(0.501)
    assert passed == nanoseconds(0.001)


def test_a_delayed_message_holds_up_those_behind_it() -> None:
    network = Network(1, constant_latency(0.001))

    with network.rule(lambda sender, receiver, message: 1.0 if message == "slow" else PASS):
        slow = network.message_arrival("a", "b", "slow", 0)
        behind = network.message_arrival("a", "b", "quick", 0)

    assert slow == behind == nanoseconds(1.001)


def test_a_cut_concerns_both_directions_and_nobody_else_until_healed() -> None:
    network = Network(1, constant_latency(0.001))

    network.cut(["a", "b"], ["c"])
    during = [network.is_cut("a", "c"), network.is_cut("c", "b"), network.is_cut("a", "b"), network.is_cut("c", "d")]
    network.heal()

    assert during == [True, True, False, False]
    assert not network.is_cut("a", "c")
