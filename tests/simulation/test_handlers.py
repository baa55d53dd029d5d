"""State of users over a simulated cluster: merged once everywhere, and repaired where broadcast could not reach."""

from __future__ import annotations

import random

import pytest

from partisan_actors.protocols.broadcast.handlers import HandlerOptions
from partisan_actors.simulation.checkers import CheckFailed, eventually
from partisan_actors.simulation.machines import Simulation
from tests.notes import Notes
from tests.static_overlay import random_graph, ring, running, with_handlers


@pytest.mark.parametrize("seed", range(3))
def test_sixteen_nodes_merge_a_thousand_messages_from_random_roots_exactly_once_everywhere(seed: int) -> None:
    links = random_graph(16, 4, seed)
    notes = {node: Notes() for node in links}
    # Without exchanges: every merge is the broadcast's.
    simulation = running(links, with_handlers(links, notes, HandlerOptions(period_s=1e6)), seed)
    rng = random.Random(seed)
    origins = {}

    for number in range(1000):
        origins[number] = rng.randrange(16)
        simulation.broadcast_state(origins[number], "notes", (number, "text"))
        simulation.run_for(0.002)
    simulation.run_for(30.0)

    for node, kept in notes.items():
        assert sorted(kept.merges) == [number for number in origins if origins[number] != node], f"seed {seed}"


@pytest.mark.parametrize("seed", range(3))
def test_what_a_node_missed_comes_by_exchange_and_its_own_gets_out(seed: int) -> None:
    links = ring(8)
    notes = {node: Notes() for node in links}
    simulation = running(links, with_handlers(links, notes, HandlerOptions(period_s=10.0)), seed)
    simulation.cut([3], [2, 4])
    simulation.run_for(1.0)
    for number in range(20):
        simulation.broadcast_state(0, "notes", (number, "text"))
    simulation.broadcast_state(3, "notes", (99, "from the other side"))
    simulation.run_for(1.0)
    assert notes[3].held == {99: "from the other side"}

    simulation.heal()
    simulation.join(3, 2)
    eventually(simulation, lambda _: check_same(simulation, notes), within_s=2 * 12.5 * 5)

    assert len(notes[3].held) == 21
    assert len(notes[3].merges) == len(set(notes[3].merges)), f"seed {seed}"


def check_same(simulation: Simulation, notes: dict[int, Notes]) -> None:
    if any(kept.held != notes[0].held for kept in notes.values()):
        raise CheckFailed(simulation, "the notes differ")
