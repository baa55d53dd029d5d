"""Tests of what a node tells the doctor."""

from __future__ import annotations

import time

from partisan_actors.api.checkup import CHECKUP
from partisan_actors.api.observer import Observer
from partisan_actors.cli.doctor.findings import ERROR
from partisan_actors.cli.doctor.nodes import judge_node
from partisan_actors.transport.memory import MemoryNetwork
from tests.nodes import COOKIE
from tests.unit.api.runtimes import door, runtimes


async def test_a_node_tells_its_time_and_facts_that_can_be_judged() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a") as (a,), Observer(COOKIE, transport=door(network)) as observer:
        await observer.connect([a.node.address])

        before = time.time()
        now = await observer.ask(observer.contact, CHECKUP, "now")
        after = time.time()
        facts = await observer.ask(observer.contact, CHECKUP, "facts")

    assert before <= now <= after
    assert facts["name"] == "a" and facts["not_ready"] == [] and not facts["takes_anybody"]
    found = list(judge_node(facts, after))
    assert {"binding", "open files"} <= {finding.check for finding in found}
    assert not [finding for finding in found if finding.check == "binding" and finding.severity == ERROR]


async def test_troubles_are_told() -> None:
    network = MemoryNetwork()
    async with runtimes(network, "a") as (a,), Observer(COOKIE, transport=door(network)) as observer:
        await observer.connect([a.node.address])
        a.node.troubles.tell("the kind", "the text")

        facts = await observer.ask(observer.contact, CHECKUP, "facts")

    assert [(trouble["kind"], trouble["count"]) for trouble in facts["troubles"]] == [("the kind", 1)]
