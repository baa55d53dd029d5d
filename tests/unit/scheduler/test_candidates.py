"""Tests of what a node makes of the others' records: one that makes no sense costs nobody a placement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.node.directory import PREFIX, SUSPECT, UP, NodeRecord
from partisan_actors.scheduler.policy import Ranking, Request, Verdict
from partisan_actors.scheduler.resources import Resources
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


async def test_a_plain_choice_is_remembered_until_a_record_changes_or_room_is_taken_here() -> None:
    async with runtimes(MemoryNetwork(), "a", "b") as (one, other):
        choosing, directory = one.scheduler.choosing, one.node.directory
        request = Request.parse(num_cpus=0.1)
        first = choosing.choose_plainly(request)
        assert choosing.choose_plainly(request) is first

        one.scheduler.room.acquire("work", request)
        second = choosing.choose_plainly(request)
        assert second is not first

        record, version = directory.records["b"], directory.stamps["b"][1]
        changed = replace(record, available={"num_cpus": 0.05})
        directory.changed(PREFIX + "b", (other.node.me.incarnation, version + 1, UP), changed.packed())
        third = choosing.choose_plainly(request)
        assert third is not second
        assert isinstance(third, Ranking)
        assert other.node.me not in third.nodes
        assert choosing.told_room(other.node.me) == Resources.of(num_cpus=0.05)


async def test_an_equal_request_that_is_another_object_gets_a_choice_of_its_own() -> None:
    async with runtimes(MemoryNetwork(), "a") as (one,):
        choosing = one.scheduler.choosing
        assert choosing.choose_plainly(Request.parse(num_cpus=0.1)) is not None
        assert isinstance(choosing.choose_plainly(Request.parse(num_cpus=10_000)), Verdict)
