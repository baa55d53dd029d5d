"""Coverage: what is expected follows from the protocols, and what never happened fails a suite."""

from __future__ import annotations

import pytest

from partisan_actors.faults.operations import Crash
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.protocols.machine import Disconnect, Effect, NeighbourDown, NeighbourUp, Peer
from partisan_actors.protocols.membership.hyparview_messages import Join, Neighbor, NeighborReply
from partisan_actors.simulation.coverage import RECOVERED, Coverage, NeverHappened, situations_of
from partisan_actors.simulation.machines import Simulation
from partisan_actors.simulation.stacks import Stacks
from tests.unit.simulation.puppets import Stage


def test_every_declared_message_and_each_value_of_its_flags_is_expected() -> None:
    expected = situations_of(Stacks()(Simulation(1), 0))

    for situation in (
        "hyparview.join",
        "hyparview.neighbor high=True",
        "hyparview.neighbor high=False",
        "hyparview.neighbor_reply accepted=False",
        "hyparview.disconnect leaving=True",
        "plumtree.graft",
        "plumtree.prune",
        "exchange.want",
    ):
        assert situation in expected
    assert len(expected) == len(set(expected))


def test_messages_count_by_tag_and_by_flag() -> None:
    coverage = Coverage()
    stage = Stage(2, observers=[coverage])

    stage.send(0, 1, Join(1), Neighbor(2, True), NeighborReply(1, False, 0), NeighborReply(1, False, 0))
    stage.simulation.run_for(2.0)

    assert coverage.counts == {
        "hyparview.join": 1,
        "hyparview.neighbor": 1,
        "hyparview.neighbor high=True": 1,
        "hyparview.neighbor_reply": 2,
        "hyparview.neighbor_reply accepted=False": 2,
    }


def test_what_never_happened_is_listed_unless_there_is_an_excuse() -> None:
    coverage = Coverage()
    coverage.saw("a")
    coverage.merge({"b": 3})

    coverage.check(["a", "b", "c"], excused={"c": "it takes two clusters"})
    with pytest.raises(NeverHappened, match="never happened: c; d") as caught:
        coverage.check(["a", "c", "b", "d"])
    assert caught.value.missing == ("c", "d")


def test_the_faults_of_a_plan_are_situations() -> None:
    coverage = Coverage()

    coverage.plan(FaultPlan((Crash(1.0, "all"), Crash(2.0, "all"))))

    assert coverage.counts == {"fault crash": 2}


def test_a_node_that_was_alone_and_found_somebody_is_a_situation_and_a_new_one_is_none() -> None:
    coverage = Coverage()
    stage = Stage(2, observers=[coverage])

    def do(node: Peer, *effects: Effect) -> int:
        stage.do(node, *effects)
        return coverage.counts[RECOVERED]

    counts = [
        do(0),
        do(0, NeighbourUp(1)),
        do(0, NeighbourDown(1, failed=True), Disconnect(1)),
        do(0),
        do(0, NeighbourUp(1)),
    ]

    assert counts == [0, 0, 0, 0, 1]
