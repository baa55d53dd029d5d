"""Tests of what a node makes of the others' records: one that makes no sense costs nobody a placement."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.node.directory import PREFIX, SUSPECT, UP, NodeRecord
from partisan_actors.scheduler.policy import Request
from partisan_actors.transport.memory import MemoryNetwork
from tests.unit.api.runtimes import runtimes


@pytest.mark.parametrize(
    "told",
    [
        {"total": {"num_cpus": -1.0}},
        {"total": {"num_cpus": float("nan")}},
        {"total": {"": 1.0}},
        {"available": {"num_cpus": float("inf")}},
        {"available": {"CPU": 1.0}},
    ],
)
async def test_a_node_that_tells_nonsense_of_its_resources_is_left_out(told: dict[str, Any]) -> None:
    async with runtimes(MemoryNetwork(), "a", "b") as (one, other):
        scheduler, directory = one.scheduler, one.node.directory
        odd = NodeRecord(NodeId("odd", 1), ("odd:1",), **told)

        directory.changed(PREFIX + "odd", (1, 1, UP), odd.packed())

        assert directory.is_up(odd.node)
        assert [candidate.node for candidate in scheduler.candidates({})] == [one.node.me, other.node.me]
        assert scheduler.choose(Request.parse(placement="random"))


async def test_a_suspect_is_known_to_be_one_until_it_refutes_that() -> None:
    async with runtimes(MemoryNetwork(), "a", "b") as (one, other):
        directory, key = one.node.directory, PREFIX + "b"
        record, version = directory.records["b"], directory.stamps["b"][1]

        directory.changed(key, (other.node.me.incarnation, version, SUSPECT, 1), record.packed())
        assert [each.suspected for each in one.scheduler.candidates({})] == [False, True]

        directory.changed(key, (other.node.me.incarnation, version + 1, UP), record.packed())
        assert [each.suspected for each in one.scheduler.candidates({})] == [False, False]
