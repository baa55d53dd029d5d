"""A run is its seed: the same events in the same order, also in another process that hashes strings differently."""

from __future__ import annotations

import os
import subprocess
import sys

from partisan_actors.ids import NodeId
from partisan_actors.simulation.checkers import TraceHash
from partisan_actors.simulation.machines import Simulation
from tests.simulation.hyparview_cluster import complete


def trace_of(seed: int) -> str:
    """The hash of everything that happens to 40 nodes that join, write, broadcast, crash and are cut apart."""
    trace = TraceHash()
    simulation = Simulation(seed, on_event=trace)
    nodes = [NodeId(f"n{number}", number) for number in range(40)]
    simulation.grow(nodes, complete, contact=nodes[0])
    for number, node in enumerate(nodes):
        simulation.write(node, f"node/{node.name}", (number,), node.name)
        simulation.broadcast(node, "news", number)
    simulation.run_for(5.0)
    simulation.kill(*nodes[5:15])
    simulation.run_for(5.0)
    simulation.cut(nodes[:20], nodes[20:])
    simulation.write(nodes[0], "k", (1,), None)
    simulation.run_for(10.0)
    simulation.heal()
    simulation.run_for(30.0)
    assert trace.events > 10_000
    return trace.hexdigest


def test_the_same_seed_gives_the_same_trace_and_another_seed_another() -> None:
    first, again, other = trace_of(7), trace_of(7), trace_of(8)

    assert first == again
    assert first != other


def test_the_trace_does_not_depend_on_the_processs_hash_seed() -> None:
    program = "from tests.simulation.test_repeatability import trace_of; print(trace_of(7))"
    traces = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }

    assert traces == {f"{trace_of(7)}\n"}
