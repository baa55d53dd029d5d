"""Tests of how a node says it is."""

from __future__ import annotations

import pytest

from partisan_actors.api.health import HEALTH
from partisan_actors.api.observer import Observer
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import COOKIE
from tests.unit.api.runtimes import door, runtimes


async def test_a_node_is_ready_with_as_many_neighbours_as_there_are_nodes_or_its_overlay_wants() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a") as (a,), Observer(COOKIE, transport=door(network)) as observer:
        await observer.connect([a.node.address])

        alone = await observer.ask(observer.contact, HEALTH, "ready")

    assert alone["ready"] and (alone["neighbours"], alone["neighbours_min"]) == (0, 0)


async def test_a_node_that_has_lost_its_neighbours_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a", "b") as (a, _):
        with monkeypatch.context() as patch:
            patch.setattr(a.node, "neighbours", tuple)
            found = await a.health.ready(None)

    assert not found["ready"] and found["why"] == ["it has 0 of at least 1 neighbours"]


async def test_a_node_that_takes_no_work_or_leaves_is_not_ready() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a") as (a,):
        a.scheduler.close_room()
        drained = await a.health.ready(None)
        a.node.is_leaving = True
        leaving = await a.health.ready(None)

    assert drained["why"] == ["it is drained and takes no new work"]
    assert leaving["why"][0] == "it is leaving the cluster"
