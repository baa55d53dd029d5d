"""Crashes: looked-up reach is what a flood of real messages reaches, and repair goes one attempt at a time."""

from __future__ import annotations

import pytest

from partisan_actors.protocols.membership.hyparview import HyParView
from partisan_actors.simulation.cycles import CycleEngine
from partisan_actors.simulation.papers.failures import Floods, by_connection, by_sending, crash
from partisan_actors.simulation.papers.overlays import broadcast, dress, flood, stable_overlay

NODES = 200


def crashed(seed: int, share: float) -> CycleEngine:
    engine = CycleEngine.restored(stable_overlay(seed, NODES).stable)
    crash(engine, share)
    return engine


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
def test_what_is_looked_up_is_what_a_flood_of_messages_reaches(share: float) -> None:
    engine = crashed(1, share)
    engine.slow_failures = True
    dress(engine, flood)
    floods = Floods(engine)

    for number in range(4):
        for origin in (node for node in engine.live[number::7] if isinstance(node, int)):
            reached, _ = broadcast(engine, origin, number)
            assert 100 * reached / len(engine.live) == pytest.approx(floods.share(origin)), f"share {share}"
        engine.break_connections()
        engine.tell_failures()
        floods.look_again()


def test_the_first_reach_is_that_of_the_crash_and_repair_brings_everybody_back() -> None:
    after = by_connection(1, NODES, 60, 200)

    first = [reach for reach, in_giant in zip(after.reaches[:1], after.in_giant[:1], strict=True) if in_giant]
    assert all(reach == after.giant for reach in first)
    assert after.reaches[-1] >= 99.0
    assert after.mean == pytest.approx(sum(after.reaches) / 200)


def test_repair_makes_one_attempt_for_each_free_place_between_two_messages() -> None:
    engine = crashed(2, 0.8)
    engine.slow_failures = True
    before = {node: len(machine.neighbours) for node, machine in engine.machines.items()}
    engine.break_connections()
    asked: dict[object, int] = {}
    for node, machine in engine.machines.items():
        assert isinstance(machine, HyParView)
        asked[node] = sum(peer not in engine.machines for peer in machine.neighbours)

    told = engine.tell_failures()

    assert told == sum(asked.values()) > 0
    dead = [peer for machine in engine.machines.values() for peer in machine.neighbours if peer not in engine.machines]
    assert dead == [] and max(before.values()) == 5


def test_floods_that_must_find_failures_themselves_recover_more_slowly_than_broken_connections() -> None:
    sending, connection = by_sending(1, NODES, 80, 300), by_connection(1, NODES, 80, 300)

    assert sending.giant == connection.giant
    assert sending.simulated > 0 == connection.simulated
    assert sum(sending.reaches[:10]) < sum(connection.reaches[:10])


def test_a_crash_takes_the_same_nodes_every_time() -> None:
    assert crashed(3, 0.5).live == crashed(3, 0.5).live
    assert len(crashed(3, 0.5).live) == NODES // 2
