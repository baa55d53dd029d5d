"""A quarter of all nodes goes down at once, some with every neighbour they had: the others soon know of each of them.

Whole nodes, whose records say of their neighbours only what was so when they joined, as in any large young cluster.
"""

from __future__ import annotations

import random

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.node import repair as repair_module
from partisan_actors.node.presence import Presence
from partisan_actors.node.repair import Repair
from partisan_actors.simulation.cluster import DRIVER, SimulatedCluster

NODES = 48
ORPHANS = 3


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[NodeId]:
    """Who has looked around, each time. Nobody finds anything by sweeps, nor because it happened to dial somebody."""
    monkeypatch.setattr(Repair, "sweep", lambda repair: None)
    monkeypatch.setattr(Presence, "refused", lambda presence, node: None)
    monkeypatch.setattr(repair_module, "LOOKING", 1000.0)
    looked: list[NodeId] = []
    look = Repair._look_around

    def noted(repair: Repair) -> None:
        looked.append(repair._host.me)
        look(repair)

    monkeypatch.setattr(Repair, "_look_around", noted)
    return looked


def neighbours_of(cluster: SimulatedCluster) -> dict[str, list[str]]:
    return {name: [peer.name for peer in cluster.runtime(name).node.neighbours()] for name in cluster.live}


def with_every_neighbour(cluster: SimulatedCluster, seed: int) -> tuple[list[str], list[str]]:
    """A quarter of the nodes, and those among them all of whose neighbours are."""
    rng, neighbours = random.Random(seed), neighbours_of(cluster)
    doomed: dict[str, None] = {}
    for name in rng.sample([name for name in cluster.live if DRIVER not in neighbours[name]], ORPHANS):
        doomed |= dict.fromkeys([name, *neighbours[name]])
    others = [name for name in cluster.live if name not in doomed]
    doomed |= dict.fromkeys(rng.sample(others, max(0, NODES // 4 - len(doomed))))
    return list(doomed), [name for name in doomed if doomed.keys() >= set(neighbours[name])]


def known_up(cluster: SimulatedCluster) -> set[str]:
    """Whom anybody takes to be up."""
    directories = [cluster.runtime(name).node.directory for name in (DRIVER, *cluster.live)]
    return {record.node.name for directory in directories for record in directory.live()}


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_nobody_is_overlooked_although_nobody_is_left_to_miss_it(seed: int, looks: list[NodeId]) -> None:
    with SimulatedCluster(seed=seed, nodes=NODES) as cluster:
        cluster.run_for(5.0)  # until who was a neighbour a moment ago is not looked after any more
        doomed, orphans = with_every_neighbour(cluster, seed)
        assert len(orphans) >= ORPHANS, f"seed {seed}"

        cluster.crash(*doomed)
        survivors = [DRIVER, *cluster.live]
        cluster.run_until(lambda: known_up(cluster) == set(survivors))

        assert len(survivors) / 2 < len(looks) <= 3 * len(survivors), f"seed {seed}: each looks around, a few times"


@pytest.mark.slow
def test_a_death_that_all_its_neighbours_miss_is_no_reason_to_look_at_everybody(looks: list[NodeId]) -> None:
    with SimulatedCluster(seed=1, nodes=NODES) as cluster:
        cluster.run_for(5.0)
        cluster.crash(cluster.live[NODES // 2])
        survivors = {DRIVER, *cluster.live}

        cluster.run_until(lambda: known_up(cluster) == survivors)
        cluster.run_for(10.0)

        assert len(looks) <= len(survivors), "once each, and the one death brought no other"
        assert known_up(cluster) == survivors, "nobody who lives was taken for down"
