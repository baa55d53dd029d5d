"""Flood: everything to everybody, once."""

from __future__ import annotations

import random

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.protocols.broadcast.flood import Flood, Flooded, FloodOptions
from partisan_actors.protocols.machine import Deliver, Send
from tests.static_overlay import line, random_graph, running, with_flood


def flood(*neighbours: str) -> Flood:
    machine = Flood("me", FloodOptions(), random.Random(1))
    for peer in neighbours:
        machine.neighbour_up(peer, 0.0)
    return machine


def test_the_origin_sends_to_every_neighbour_and_delivers_nothing_to_itself() -> None:
    machine = flood("a", "b")

    effects = machine.broadcast("news", 1, 0.0)

    assert effects == [Send("a", Flooded("me", 1, "news", 1, 1)), Send("b", Flooded("me", 1, "news", 1, 1))]


def test_a_first_copy_goes_on_to_everybody_but_its_sender_and_is_delivered() -> None:
    machine = flood("a", "b", "c")

    effects = machine.receive("a", Flooded("o", 1, "news", 2, 1), 0.0)

    onward = Flooded("o", 1, "news", 3, 1)
    assert effects == [Send("b", onward), Send("c", onward), Deliver("news", "o", "a", 2, 1)]


def test_further_copies_do_nothing() -> None:
    machine = flood("a", "b")
    machine.receive("a", Flooded("o", 1, "news", 2, 1), 0.0)
    machine.broadcast("news", 1, 0.0)

    assert machine.receive("b", Flooded("o", 1, "news", 2, 1), 0.0) == []
    assert machine.receive("b", Flooded("me", 1, "news", 2, 1), 0.0) == []


def test_a_lost_neighbour_gets_nothing_more() -> None:
    machine = flood("a", "b")

    machine.neighbour_down("a", 0.0)

    assert machine.eager == ["b"]
    assert [effect.peer for effect in machine.broadcast("news", 1, 0.0) if isinstance(effect, Send)] == ["b"]


def test_a_message_stops_at_the_bound_of_hops_and_is_counted_there() -> None:
    links = line(8)
    simulation = running(links, with_flood(links, FloodOptions(hops_max=5)), seed=1)

    simulation.broadcast(0, "news", 1)
    simulation.run_for(1.0)

    assert [delivery.node for delivery in simulation.deliveries] == [1, 2, 3, 4, 5]
    assert simulation.stack(5).broadcasting.expired == 1  # type: ignore[attr-defined]  # a Flood


@pytest.mark.parametrize("seed", range(3))
def test_a_flood_costs_the_sum_of_degrees_less_the_spanning_tree(seed: int) -> None:
    links = random_graph(40, 5, seed)
    simulation = running(links, with_flood(links), seed)

    simulation.broadcast(0, "news", 1)
    simulation.run_for(2.0)

    assert simulation.received[Flooded] == sum(map(len, links.values())) - 39
    assert sorted(delivery.node for delivery in simulation.deliveries) == list(range(1, 40))


def test_an_option_that_makes_no_sense_is_refused_by_its_name() -> None:
    with pytest.raises(ConfigError, match="hops_max"):
        FloodOptions(hops_max=0)
