"""The ring of examples/ keeps the rules of membership strategies under every interleaving, and heals."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.strategy import MembershipStrategy
from partisan_actors.testing.conformance import MembershipConformance
from partisan_actors.testing.strategy_network import StrategyNetwork
from tests.ring_example import RING, load

LINES_MAX = 100


def build(node: Peer, rng: Random) -> Any:
    ring = load()
    return ring.Ring(node, ring.RingOptions(), rng)


def joined(count: int, seed: int, *, reorders: bool = False) -> StrategyNetwork:
    """All at once, each through another."""
    net = StrategyNetwork(build, seed, reorders=reorders)
    for node in range(count):
        net.add(node)
    for node in range(1, count):
        net.join(node, Random(seed * 100 + node).randrange(node))
    return net


def assert_whole(net: StrategyNetwork) -> None:
    assert net.components() == 1
    assert net.asymmetric() == []
    if len(net.nodes) > 8:
        assert {len(node.neighbours) for node in net.nodes.values()} == {4}


def test_it_is_a_strategy_in_less_than_a_hundred_lines() -> None:
    assert isinstance(build(1, Random(1)), MembershipStrategy)
    assert len(RING.read_text(encoding="utf-8").splitlines()) < LINES_MAX


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 14), reorders=st.booleans())
def test_however_they_join_they_come_to_one_symmetric_ring(seed: int, count: int, reorders: bool) -> None:
    net = joined(count, seed, reorders=reorders)

    net.run(20.0)

    assert_whole(net)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_ring_that_lost_a_third_at_once_closes_and_takes_them_back(seed: int) -> None:
    net = joined(12, seed)
    net.run(20.0)

    dead = Random(seed).sample(sorted(net.nodes, key=str), 4)
    for node in dead:
        net.kill(node)
    net.run(30.0)
    assert_whole(net)

    for node in dead:
        net.add(node)
        net.join(node, next(iter(net.nodes)))
    net.run(30.0)
    assert_whole(net)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_who_leaves_is_forgotten_and_a_split_ring_grows_together_again(seed: int) -> None:
    net = joined(10, seed)
    net.run(20.0)

    net.leave(3)
    net.run(10.0)
    assert net.nodes[3].neighbours == [] and all(3 not in node.neighbours for node in net.nodes.values())
    net.join(3, 5)
    net.run(10.0)
    assert_whole(net)

    halves = [range(5), range(5, 10)]
    for one in halves[0]:
        for other in halves[1]:
            net.block(one, other)
    net.run(20.0)
    assert net.components() == 2
    net.heal()
    net.run(60.0)
    assert_whole(net)


class TestConformance(MembershipConformance):
    """The shipped suite, as whoever writes a strategy runs it."""

    def make(self, me: Any, rng: Random) -> Any:
        return build(me, rng)


def test_a_period_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="gossip_period_s = 0"):
        load().RingOptions(gossip_period_s=0)
