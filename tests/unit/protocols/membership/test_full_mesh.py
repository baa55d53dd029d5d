"""The full mesh: how news spreads, and what becomes of members that fail, leave and come back."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path
from random import Random

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.protocols.machine import (
    Connect,
    Disconnect,
    Effect,
    Evicted,
    NeighbourDown,
    NeighbourUp,
    Send,
    SetTimer,
)
from partisan_actors.protocols.membership import full_mesh
from partisan_actors.protocols.membership.full_mesh import FullMesh, FullMeshOptions, Members
from partisan_actors.protocols.membership.redial import RedialOptions
from partisan_actors.protocols.membership.strategy import Evict, Evicting, MembershipStrategy
from partisan_actors.testing.strategy_network import StrategyNetwork

ME, A, B, C = (NodeId(name, 1) for name in ("me", "a", "b", "c"))
OPTIONS = FullMeshOptions(RedialOptions(first_s=1.0, longest_s=8.0, tries_max=5, peers_max=64), removed_max=16)
GIVEN_UP_S = 60.0  # more than all tries take


def member(*others: NodeId) -> FullMesh:
    """A node `ME` that has learned of `others` from the last of them."""
    me = FullMesh(ME, OPTIONS, Random(1))
    me.start(0.0)
    if others:
        me.receive(others[-1], Members(others, (1,) * len(others), False), 0.0)
    return me


def mesh(count: int) -> StrategyNetwork:
    """`count` nodes, numbered from 0, each of which joined through the one before it."""
    network = StrategyNetwork(lambda me, rng: FullMesh(me, OPTIONS, rng), seed=7)
    for node in range(count):
        network.add(node)
        if node:
            network.join(node, node - 1)
    network.deliver_all()
    return network


def others_of(network: StrategyNetwork) -> dict[object, list[object]]:
    return {node: sorted(strategy.neighbours, key=str) for node, strategy in network.nodes.items()}


def everybody_but_itself(*nodes: int) -> dict[object, list[object]]:
    return {node: [other for other in nodes if other != node] for node in nodes}


def sent(effects: list[Effect]) -> list[tuple[object, object]]:
    return [(effect.peer, effect.message) for effect in effects if isinstance(effect, Send)]


def test_it_is_a_membership_strategy() -> None:
    assert isinstance(member(), MembershipStrategy)


def test_joining_asks_the_contact_for_all_it_knows() -> None:
    effects = member().join(A, 0.0)

    assert sent(effects) == [(A, Members((ME,), (1,), answer=True))]


def test_a_node_does_not_join_through_itself() -> None:
    assert member().join(ME, 0.0) == []


def test_every_member_that_is_learned_of_becomes_a_neighbour() -> None:
    me = member()

    effects = me.receive(A, Members((A, B), (1, 1), False), 0.0)

    assert [e for e in effects if not isinstance(e, Send)] == [Connect(A), NeighbourUp(A), Connect(B), NeighbourUp(B)]
    assert me.neighbours == [A, B]


def test_news_goes_to_all_others_with_word_of_who_tells_them() -> None:
    me = member(A, B)

    effects = me.receive(A, Members((C,), (1,), False), 0.0)

    news = Members((ME, C), (1, 1), answer=False)
    assert sent(effects) == [(B, news), (C, news)]


def test_what_is_known_already_is_not_passed_on() -> None:
    me = member(A, B)

    assert me.receive(A, Members((A, B, ME), (1, 1, 1), False), 0.0) == []


def test_nodes_joined_in_a_chain_all_know_each_other() -> None:
    assert others_of(mesh(5)) == everybody_but_itself(0, 1, 2, 3, 4)


def test_a_converged_cluster_is_silent() -> None:
    network = mesh(5)
    before = len(network.sent)

    network.run(10_000.0)

    assert len(network.sent) == before


def test_a_newcomer_is_known_to_all_even_if_its_contact_dies_before_it_tells_anybody() -> None:
    network = mesh(4)
    newcomer = network.add(9)
    network.join(9, 0)
    while not newcomer.neighbours:  # until the contact has answered
        network.deliver_one()

    network.kill(0)
    network.run(GIVEN_UP_S)

    assert others_of(network) == everybody_but_itself(1, 2, 3, 9)


def test_a_crashed_member_is_no_neighbour_but_stays_a_member_for_a_while() -> None:
    me = member(A, B)

    effects = me.peer_down(A, 1.0)

    assert effects[:2] == [NeighbourDown(A, failed=True), Disconnect(A)]
    assert isinstance(effects[2], SetTimer)
    assert me.neighbours == [B]
    assert me.views == {"members": [A, B], "failed": [A]}


def test_a_failure_told_twice_is_one() -> None:
    me = member(A)
    me.peer_down(A, 1.0)

    assert me.peer_down(A, 1.0) == []


def test_a_failed_member_is_back_when_it_speaks_and_hears_what_it_missed() -> None:
    me = member(A, B)
    me.peer_down(A, 1.0)
    asked = sent(me.timer_fired("redial", 9.0))

    effects = me.receive(A, Members((A,), (1,), answer=False), 9.1)

    everything = Members((ME, A, B), (1, 1, 1), answer=True)
    assert asked == [(A, everything)]
    assert effects == [Connect(A), NeighbourUp(A)]


def test_third_parties_do_not_bring_a_failed_member_back() -> None:
    me = member(A, B)
    me.peer_down(A, 1.0)

    me.receive(B, Members((B, A), (1, 3), False), 2.0)

    assert me.neighbours == [B]


def test_a_member_that_stays_away_is_removed_by_all() -> None:
    network = mesh(4)

    network.kill(2)
    network.run(GIVEN_UP_S)
    before = len(network.sent)
    network.run(10_000.0)

    assert others_of(network) == everybody_but_itself(0, 1, 3)
    assert all(2 not in strategy.views["members"] for strategy in network.nodes.values())
    assert len(network.sent) == before, "nobody dials it any more"


def test_a_member_that_is_removed_although_alive_adds_itself_again() -> None:
    network = mesh(4)

    network.block(1, 2)
    network.run(GIVEN_UP_S)
    network.heal()
    network.run(GIVEN_UP_S)

    assert all(len(others) == 3 for others in others_of(network).values()), others_of(network)


def test_a_short_break_is_repaired_by_dialling_again() -> None:
    network = mesh(4)

    network.tear(1, 2, told=[1])
    network.run(GIVEN_UP_S)

    assert others_of(network) == everybody_but_itself(0, 1, 2, 3)
    assert network.failed == [(1, 2)]


def test_a_leaver_is_forgotten_by_all_and_left_with_nobody() -> None:
    network = mesh(4)

    network.leave(3)
    network.run(GIVEN_UP_S)

    assert others_of(network) == {**everybody_but_itself(0, 1, 2), 3: []}
    assert all(strategy.views["failed"] == [] for strategy in network.nodes.values())
    assert network.failed == []


def test_a_leaver_can_come_back_through_anybody_time_and_again() -> None:
    network = mesh(4)

    for cycle in range(20):
        network.leave(3)
        network.join(3, cycle % 3)
        network.run(GIVEN_UP_S)

    assert others_of(network) == everybody_but_itself(0, 1, 2, 3)


def test_a_node_that_left_answers_that_it_is_gone() -> None:
    me = member(A)
    me.leave(1.0)

    effects = me.receive(B, Members((B, ME), (1, 1), answer=True), 2.0)

    assert effects == [Send(B, Members((ME,), (2,), answer=False))]


def test_a_restarted_member_replaces_its_former_life() -> None:
    me, later = member(A, B), NodeId("a", 2)

    effects = me.receive(B, Members((later,), (1,), False), 1.0)

    assert me.neighbours == [B, later]
    assert [effect for effect in effects if not isinstance(effect, Send)] == [
        Connect(later), NeighbourUp(later), NeighbourDown(A, failed=True), Disconnect(A),
    ]  # fmt: skip


def test_a_contact_that_cannot_be_reached_is_tried_again_a_bounded_number_of_times() -> None:
    me = member()
    me.join(A, 0.0)

    tries = sum(len(sent(me.timer_fired("redial", 10.0 * turn))) for turn in range(1, 30))

    assert tries == OPTIONS.redial.tries_max - 1
    assert me.views == {"members": [], "failed": []}


def test_messages_of_other_protocols_are_ignored() -> None:
    assert member().receive(A, "hello", 0.0) == []


# Evicting.


@pytest.mark.parametrize("seed", range(20))
def test_an_evicted_member_is_removed_by_all_and_stands_alone(seed: int) -> None:
    network = StrategyNetwork(lambda me, rng: FullMesh(me, OPTIONS, rng), seed)
    for node in range(5):
        network.add(node)
        network.join(node, 0)
    network.deliver_all()
    evicting = network.nodes[1]
    assert isinstance(evicting, Evicting)

    network.perform(1, evicting.evict(3, network.now))
    network.run(GIVEN_UP_S)

    assert others_of(network) == {**everybody_but_itself(0, 1, 2, 4), 3: []}
    assert network.noticed == [(3, Evicted(1))]
    assert network.failed == []
    network.join(3, 2)
    network.run(GIVEN_UP_S)
    assert others_of(network) == everybody_but_itself(0, 1, 2, 3, 4)


def test_an_evicted_member_that_cannot_be_told_is_back_when_it_speaks() -> None:
    network = mesh(4)
    for other in (0, 1, 2):
        network.block(other, 3)
    network.deliver_all()

    network.perform(1, network.nodes[1].evict(3, network.now))  # type: ignore[attr-defined]  # a FullMesh
    network.run(GIVEN_UP_S)
    without = [3 in network.nodes[node].views["members"] for node in (0, 1, 2)]
    network.heal()
    network.join(3, 0)
    network.run(GIVEN_UP_S)

    assert without == [False] * 3
    assert others_of(network) == everybody_but_itself(0, 1, 2, 3)


def test_evicting_itself_or_a_stranger_does_nothing() -> None:
    me = member(A)

    assert me.evict(ME, 1.0) == []
    assert me.evict(B, 1.0) == []


def test_a_stranger_cannot_evict() -> None:
    me = member(A)

    assert me.receive(B, Evict(), 1.0) == []
    assert me.neighbours == [A]


# Rejoining while others gossip what is old.


@pytest.mark.parametrize("seed", range(10))
def test_twenty_rejoins_while_a_third_node_repeats_old_news_leave_no_ghost_and_no_gap(seed: int) -> None:
    network = StrategyNetwork(lambda me, rng: FullMesh(me, OPTIONS, rng), seed)
    for node in range(4):
        network.add(node)
        network.join(node, 0)
    network.deliver_all()
    old: list[Members] = []

    for cycle in range(20):
        old.append(_everything(network, 2))
        network.leave(3)
        for _ in range(cycle % 5):
            network.deliver_one()
        network.say(2, 0, old[cycle // 2])
        network.join(3, cycle % 3)
        network.say(2, 1, old[cycle])
        network.run(1.0)
        network.say(2, 3, old[0])
    network.run(GIVEN_UP_S)

    assert others_of(network) == everybody_but_itself(0, 1, 2, 3)
    network.leave(3)
    network.run(GIVEN_UP_S)
    for node in (0, 1, 2):
        network.say(2 if node != 2 else 1, node, old[-1])
    network.run(GIVEN_UP_S)
    assert others_of(network) == {**everybody_but_itself(0, 1, 2), 3: []}


def _everything(network: StrategyNetwork, node: int) -> Members:
    """All that `node` knows now, as it would say it."""
    asker = 99
    (answer,) = [
        effect.message
        for effect in network.nodes[node].receive(asker, Members((), (), answer=True), network.now)
        if isinstance(effect, Send) and isinstance(effect.message, Members) and effect.peer == asker
    ]
    return answer


def test_what_a_cluster_says_does_not_grow_with_ten_thousand_joins_and_leaves() -> None:
    def entries_after(cycles: int) -> int:
        me = member(A)
        for cycle in range(cycles):
            name = NodeId(f"n{cycle}", 1)
            me.receive(A, Members((A, name), (1, 1), False), float(cycle))
            me.receive(A, Members((A, name), (1, 2), False), float(cycle))
        (answer,) = [message for _, message in sent(me.receive(B, Members((B,), (1,), True), 1e6))
                     if isinstance(message, Members) and not message.answer and len(message.peers) > 2]  # fmt: skip
        assert me.neighbours == [A, B]
        return len(answer.peers)

    assert entries_after(10_000) <= 2 * entries_after(100)


def test_the_strategy_takes_at_most_152_lines_of_code() -> None:
    assert full_mesh.__file__ is not None
    text = Path(full_mesh.__file__).read_text(encoding="utf-8")
    no_code = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)

    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in no_code
        for line in range(token.start[0], token.end[0] + 1)
    }  # fmt: skip
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))

    assert 100 < len(lines) <= 152
