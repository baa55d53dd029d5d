"""Tests of who restarts an actor: every node decides alike, and one of them acts."""

from __future__ import annotations

import random

import pytest

from partisan_actors.actors.restart import GUARDIANS, choose_guardians, may_restart, rendezvous, should_act
from partisan_actors.ids import ActorId, NodeId

NODES = [NodeId(f"node-{number}", 1) for number in range(10)]
ACTOR = ActorId(NodeId("owner", 1), 7)


def test_the_order_of_preference_is_the_same_wherever_it_is_asked_for() -> None:
    shuffled = random.Random(1).sample(NODES, len(NODES))

    assert rendezvous("key", shuffled) == rendezvous("key", NODES)


def test_a_node_that_comes_or_goes_changes_nothing_among_the_others() -> None:
    before = rendezvous("key", NODES)

    for gone in NODES:
        assert rendezvous("key", [node for node in NODES if node != gone]) == [node for node in before if node != gone]


def test_keys_are_spread_over_the_nodes() -> None:
    firsts = [rendezvous(f"key-{number}", NODES)[0] for number in range(2000)]

    assert all(120 < firsts.count(node) < 280 for node in NODES)


def test_the_owner_acts_first_and_the_host_is_no_guardian() -> None:
    owner, host = NODES[0], NODES[1]

    guardians = choose_guardians(ACTOR, owner, host, NODES)

    assert guardians[0] == owner and host not in guardians
    assert len(guardians) == len(set(guardians)) == GUARDIANS + 1


def test_an_owner_that_is_the_host_or_nobody_is_left_out() -> None:
    host = NODES[1]

    assert len(choose_guardians(ACTOR, host, host, NODES)) == GUARDIANS
    assert choose_guardians(ACTOR, None, host, NODES) == choose_guardians(ACTOR, host, host, NODES)


def test_a_small_cluster_has_as_many_guardians_as_there_are_nodes() -> None:
    assert choose_guardians(ACTOR, None, NODES[0], NODES[:2]) == [NODES[1]]
    assert choose_guardians(ACTOR, None, NODES[0], NODES[:1]) == []


@pytest.mark.parametrize(
    ("life", "max_restarts", "answer"),
    [(0, 0, False), (0, 1, True), (1, 1, False), (4, 5, True), (10**6, -1, True)],
)
def test_an_actor_is_restarted_as_often_as_it_may_be(life: int, max_restarts: int, answer: bool) -> None:
    assert may_restart(life, max_restarts) is answer


def test_of_the_guardians_that_are_up_exactly_one_acts() -> None:
    rng = random.Random(3)
    for _ in range(200):
        guardians = rng.sample(NODES, 3)
        up = {node for node in guardians if rng.random() < 0.7}

        acting = [node for node in up if should_act(node, guardians, up.__contains__)]

        assert acting == [node for node in guardians if node in up][:1]


def test_a_node_knows_that_it_is_up_whatever_others_say() -> None:
    assert should_act(NODES[0], NODES[:3], lambda node: False)
    assert not should_act(NODES[1], NODES[:3], lambda node: node == NODES[0])
