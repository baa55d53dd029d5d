"""Tests of how the dashboard asks: once for everybody, and never waiting long for who is silent."""

from __future__ import annotations

import asyncio

import pytest

from partisan_actors.dashboard.problems import Problem
from partisan_actors.dashboard.watching import FRESH_S, Watcher
from tests.unit.dashboard.fakes import FakeCluster, member


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def watcher_of(cluster: FakeCluster, clock: Clock | None = None) -> Watcher:
    made = Watcher(cluster, lambda: ["a:1", "b:1"], clock or Clock())
    await made.start()
    return made


async def test_many_who_look_at_the_same_thing_are_one_question() -> None:
    cluster, clock = FakeCluster(member("a"), member("b"), member("c", "down")), Clock()
    cluster.say("inspect.status", "fine")
    watcher = await watcher_of(cluster, clock)

    found = await asyncio.gather(*(watcher.survey("inspect", "status") for _ in range(10)))

    assert found[0].facts() == {"cluster": "fake", "asked": 2, "answered": 2, "unanswered": []}
    assert cluster.count("inspect.status") == 2
    await watcher.survey("inspect", "status")
    assert cluster.count("inspect.status") == 2
    clock.now = FRESH_S
    await watcher.survey("inspect", "status")
    assert cluster.count("inspect.status") == 4


async def test_questions_with_other_arguments_are_others() -> None:
    cluster = FakeCluster(member("a"))
    watcher = await watcher_of(cluster)

    await asyncio.gather(watcher.survey("x", "y", {"limit": 1}), watcher.survey("x", "y", {"limit": 2}))

    assert [each[2] for each in cluster.asked if each[1] == "x.y"] == [({"limit": 1},), ({"limit": 2},)]


async def test_a_node_that_is_silent_is_named_and_then_waited_for_no_more_until_it_answers() -> None:
    cluster, clock = FakeCluster(member("a"), member("b")), Clock()
    cluster.answers = {("a", "x.y"): 1, ("b", "x.y"): ConnectionError("it is gone")}
    watcher = await watcher_of(cluster, clock)
    assert (await watcher.survey("x", "y")).facts()["unanswered"] == [{"name": "b", "why": "it is gone"}]

    back = cluster.answers["b", "x.y"] = asyncio.Event()
    clock.now += FRESH_S
    found = await watcher.survey("x", "y")  # it returns although nothing comes from b
    assert [answer.name for answer in found.answered] == ["a"]

    back.set()
    async with asyncio.timeout(60):
        while len(found.answered) < 2:
            clock.now += FRESH_S
            found = await watcher.survey("x", "y")
    await watcher.close()


async def test_a_visitor_who_goes_away_takes_no_answer_from_others() -> None:
    cluster = FakeCluster(member("a"))
    answer = cluster.answers["a", "x.y"] = asyncio.Event()
    watcher = await watcher_of(cluster)
    first, second = (asyncio.ensure_future(watcher.survey("x", "y")) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()
    answer.set()

    assert (await second).answered[0].value == "late"


async def test_another_node_is_asked_for_the_members_when_the_contact_is_gone() -> None:
    cluster, clock = FakeCluster(member("a"), member("b")), Clock()
    watcher = await watcher_of(cluster, clock)
    await watcher.members()

    cluster.answers["a", "members"] = ConnectionError()
    clock.now += FRESH_S

    assert [row["name"] for row in await watcher.members()] == ["a", "b"]
    assert cluster.contact.name == "b"


async def test_when_nobody_answers_that_is_the_answer_and_it_is_tried_again() -> None:
    cluster, clock = FakeCluster(member("a")), Clock()
    watcher = await watcher_of(cluster, clock)
    cluster.is_gone = True
    clock.now += FRESH_S

    with pytest.raises(Problem) as caught:
        await watcher.survey("x", "y")
    assert caught.value.status == 503

    cluster.is_gone = False
    assert await watcher.members()


async def test_what_was_said_before_an_action_is_not_told_after_it() -> None:
    cluster = FakeCluster(member("a"))
    cluster.say("x.y", 1)
    cluster.say("x.do", None)
    watcher = await watcher_of(cluster)
    await watcher.survey("x", "y")

    await watcher.act("a", "x", "do")
    await watcher.survey("x", "y")

    assert cluster.count("x.y") == 2


async def test_refusals_silence_and_unknown_nodes_are_problems_of_their_own() -> None:
    cluster = FakeCluster(member("a"))
    cluster.answers = {("a", "x.no"): ValueError("never"), ("a", "x.gone"): ConnectionError("lost")}
    watcher = await watcher_of(cluster)

    statuses = []
    for name, method in (("a", "no"), ("a", "gone"), ("z", "no")):
        with pytest.raises(Problem) as caught:
            await watcher.act(name, "x", method)
        statuses.append(caught.value.status)

    assert statuses == [409, 502, 404]
