"""A run under every kind of fault is its seed and its plan: the same events, also where strings hash differently."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from partisan_actors.faults.operations import (
    OPERATIONS,
    Crash,
    Cut,
    Delay,
    Duplicate,
    Hold,
    Join,
    Leave,
    Loss,
    Reorder,
    Reset,
    Restart,
    Slow,
    Stall,
)
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.simulation.checkers import TraceHash
from partisan_actors.simulation.scenario import Scenario, play
from partisan_actors.simulation.stacks import Stacks

EVERYTHING = FaultPlan(
    (
        Loss(1, 20, 0.05, senders="50%"),
        Delay(2, 9, 0.1, 0.5, receivers="20%"),
        Duplicate(1, 20, 0.1),
        Reorder(3, 12, 0.3, 1.0),
        Cut(5, 18, "30%", one_way=True),
        Cut(7, 15, "3 random"),
        Hold(4, 10, "4 random", "2 random"),
        Slow(2, 14, "20%", 0.02),
        Stall(6, 13, "2 random"),
        Reset(8, "50%"),
        Reset(11, "3 random", half_open=True),
        Crash(9, "4 random"),
        Restart(16),
        Join(10, 3),
        Leave(12, "2 random"),
    ),
    spared=("n0",),
)


def trace_of(overlay: str, seed: int) -> str:
    """The hash of a run of 25 nodes to which everything happens that can."""
    trace = TraceHash()
    outcome = play(Scenario(Stacks(overlay), 25, seed, EVERYTHING, latency="lognormal:0.005:1"), on_event=trace)
    assert outcome.failure is None
    assert trace.events > 4_000
    return trace.hexdigest


def test_the_plan_has_every_kind_of_fault() -> None:
    assert {type(operation) for operation in EVERYTHING.operations} == set(OPERATIONS.values())


@pytest.mark.parametrize("overlay", ["hyparview", pytest.param("full_mesh", marks=pytest.mark.slow)])
def test_the_same_seed_and_plan_give_the_same_trace_and_another_seed_another(overlay: str) -> None:
    first, again, other = trace_of(overlay, 7), trace_of(overlay, 7), trace_of(overlay, 8)

    assert first == again
    assert first != other


def test_the_trace_does_not_depend_on_the_processs_hash_seed() -> None:
    program = "from tests.simulation.test_faults_repeat import trace_of; print(trace_of('hyparview', 7))"
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

    assert traces == {f"{trace_of('hyparview', 7)}\n"}
