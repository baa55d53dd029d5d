"""The checkers catch what they are there to catch."""

from __future__ import annotations

import pytest

from partisan_actors.protocols.machine import Peer
from partisan_actors.simulation.checkers import (
    BroadcastCost,
    CheckFailed,
    TraceHash,
    check_complete,
    check_connected,
    check_converged,
    check_delivered_once,
    check_symmetric,
    check_truthful,
    components,
    eventually,
    mean_degree,
    measure_broadcast,
)
from partisan_actors.simulation.machines import Simulation
from tests.static_overlay import StaticOverlay, line, ring, running, with_exchange, with_flood, with_plumtree


def strategy(simulation: Simulation, node: Peer) -> StaticOverlay:
    found = simulation.stack(node).strategy
    assert isinstance(found, StaticOverlay)
    return found


def test_an_overlay_in_two_pieces_is_not_connected() -> None:
    links = line(6)
    simulation = running(links, with_flood(links), seed=1)
    check_connected(simulation)

    simulation.kill(2)
    simulation.run_for(1.0)

    assert components(simulation) == [[3, 4, 5], [0, 1]]
    with pytest.raises(CheckFailed, match=r"seed 1, at 1\.500 s: the overlay is in 2 pieces"):
        check_connected(simulation)


def test_a_one_sided_link_is_not_symmetric() -> None:
    links = ring(4)
    simulation = running(links, with_flood(links), seed=1)
    check_symmetric(simulation)

    strategy(simulation, 0)._up.pop(1)

    with pytest.raises(CheckFailed, match=r"1 one-sided links, such as 1 to 0"):
        check_symmetric(simulation)


def test_a_ring_of_three_is_complete_and_one_of_four_is_not() -> None:
    check_complete(running(ring(3), with_flood(ring(3)), seed=1))

    with pytest.raises(CheckFailed, match="node 0 lacks, or should lack, neighbours: 2"):
        check_complete(running(ring(4), with_flood(ring(4)), seed=1))


def test_a_strategy_that_drops_a_neighbour_in_silence_is_not_truthful() -> None:
    links = ring(4)
    simulation = running(links, with_flood(links), seed=1)
    check_truthful(simulation)

    strategy(simulation, 0)._up.pop(1)

    with pytest.raises(CheckFailed, match="node 0"):
        check_truthful(simulation)


def test_a_broadcast_that_missed_a_node_or_came_twice_is_caught() -> None:
    links = ring(4)
    simulation = running(links, with_flood(links), seed=1)
    simulation.broadcast(0, "news", "once")
    simulation.broadcast(0, "news", "twice")
    simulation.broadcast(0, "news", "twice")
    simulation.run_for(1.0)

    check_delivered_once(simulation, "news", "once", 0)
    with pytest.raises(CheckFailed, match="delivered again on"):
        check_delivered_once(simulation, "news", "twice", 0)
    with pytest.raises(CheckFailed, match="not delivered on 1, 2, 3"):
        check_delivered_once(simulation, "news", "never", 0)


def test_maps_that_differ_have_not_converged() -> None:
    links = line(3)
    simulation = running(links, with_exchange(links), seed=1)
    with simulation.network.rule(lambda sender, receiver, message: None):
        simulation.write(2, "k", (1,), "v")

    with pytest.raises(CheckFailed, match="nodes 0 and 2 differ in k"):
        check_converged(simulation)


def test_eventually_waits_no_longer_than_needed_and_raises_what_still_fails() -> None:
    links = line(3)
    simulation = running(links, with_flood(links), seed=1)
    born = simulation.now_s

    def is_old(simulation: Simulation) -> None:
        if simulation.now_s < born + 4:
            raise CheckFailed(simulation, "too young")

    assert eventually(simulation, is_old, within_s=10.0) == 4.0
    born = simulation.now_s
    with pytest.raises(CheckFailed, match="too young"):
        eventually(simulation, is_old, within_s=2.0)


def test_redundancy_is_payloads_per_delivery_less_one() -> None:
    assert BroadcastCost(payloads=30, control=5, delivered=10, last_delivery_hop=3).redundancy == 2.0


def test_a_flood_round_a_ring_costs_one_payload_too_many() -> None:
    links = ring(5)
    simulation = running(links, with_flood(links), seed=1)

    cost = measure_broadcast(simulation, 0, "news", 1)

    assert mean_degree(simulation) == 2.0
    assert (cost.payloads, cost.control, cost.delivered) == (6, 0, 4)
    assert cost.last_delivery_hop in (2, 3)


def test_control_messages_are_counted_apart() -> None:
    links = ring(5)
    simulation = running(links, with_plumtree(links), seed=1)

    first = measure_broadcast(simulation, 0, "news", 1)
    second = measure_broadcast(simulation, 0, "news", 2)

    assert (first.payloads, first.control) == (6, 2)
    assert (second.payloads, second.control) == (4, 2)


def test_trace_hashes_are_equal_for_equal_events_only() -> None:
    one, two, three = TraceHash(), TraceHash(), TraceHash()
    for event in ("a", "b"):
        one(event)
        two(event)
    for event in ("b", "a"):
        three(event)

    assert one.hexdigest == two.hexdigest != three.hexdigest
    assert one.events == 2
