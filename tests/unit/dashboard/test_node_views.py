"""Tests of the cluster at a glance and of what it says somebody should look at."""

from __future__ import annotations

from partisan_actors.api.observer import Answer
from partisan_actors.dashboard.node_views import alerts_of
from partisan_actors.dashboard.watching import Survey
from tests.unit.dashboard.fakes import FakeCluster, member, served, status


def test_what_is_wrong_is_told_the_worst_first() -> None:
    rows = [member("a"), member("b", "down"), member("c", "suspect", suspected_by=["a"]), member("d")]
    troubles = [{"kind": "x", "count": 2, "first": "HyParView raised"}]
    answers = [
        Answer(rows[0], status("a", insecure=True, fault_rules=1, troubles=troubles)),
        Answer(rows[2], status("c")),
        Answer(rows[3], why="nothing came", is_silent=True),
    ]

    alerts = alerts_of(Survey("fake", rows, answers))

    assert [(each["severity"], each["node"]) for each in alerts] == [
        ("error", "a"),
        ("error", "a"),
        ("error", "b"),
        ("error", "d"),
        ("warning", "a"),
        ("warning", "c"),
    ]
    assert "suspected by a" in alerts[-1]["text"] and "HyParView raised" in alerts[1]["text"]


def test_a_cluster_that_is_well_has_nothing_to_look_at() -> None:
    rows = [member("a")]

    assert alerts_of(Survey("fake", rows, [Answer(rows[0], status("a"))])) == []


async def test_the_cluster_at_a_glance_adds_up_what_answered_and_says_who_did_not() -> None:
    cluster = FakeCluster(member("a"), member("b"), member("p", hosted_by="a"), member("c", "left"))
    cluster.say("inspect.status", lambda name: status(name) if name != "b" else ValueError("no"))
    async with served(cluster) as (client, _), client.get("/api/v1/cluster") as response:
        found = await response.json()

    assert found["nodes"] == {"up": 2, "suspect": 0, "down": 0, "left": 1} and found["processes"] == 1
    assert found["totals"]["tasks_finished"] == 14 and found["resources"]["total"] == {"num_cpus": 2.0}
    assert (found["asked"], found["answered"]) == (3, 2) and found["unanswered"] == [{"name": "b", "why": "no"}]
    assert found["calls"]["measured_by"] == 0


async def test_a_node_that_does_not_answer_still_has_its_row() -> None:
    cluster = FakeCluster(member("a", neighbours=["b"]), member("b"))
    cluster.answers["b", "inspect.status"] = status("b")
    async with served(cluster) as (client, _):
        async with client.get("/api/v1/nodes/a") as response:
            one = await response.json()
        async with client.get("/api/v1/nodes?sort=-name") as response:
            table = await response.json()

    assert one["status"] is None and one["neighbours"] == ["b"] and "no request" in one["row"]["why"]
    assert [row["name"] for row in table["rows"]] == ["b", "a"]
