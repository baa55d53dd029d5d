"""Tests of faults from the dashboard: who takes part, who is told, and where nothing is injected."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientSession

from partisan_actors.dashboard.options import DashboardOptions
from tests.unit.dashboard.fakes import TOKEN, FakeCluster, member, served, status

BEARER = {"Authorization": f"Bearer {TOKEN}"}
CUT = {"do": "cut", "at_s": 0.5, "until_s": 20.5, "side": ["a"]}


def cluster(*, allowing: str = "ab") -> FakeCluster:
    """Three nodes, of which some allow faults and carry out a cut."""
    made = FakeCluster(member("a"), member("b"), member("c"))
    made.say("inspect.status", lambda name: status(name, fault_rules=int(name in allowing)))
    made.say("steering.note", None)

    def answers(what: str, *args: Any) -> Any:
        plans = [{"plan": 1, "elapsed_s": 5.5, "version": 1, "operations": [CUT]}]
        return {"list": {"plans": plans, "counts": {"drop": 3}, "rules": 1}, "add": {"plan": 2}, "clear": 1}[what]

    for name in "abc":
        refusal = ValueError("a node that was started with --allow-faults")
        made.answers[name, "control.faults"] = answers if name in allowing else refusal
    return made


async def post(client: ClientSession, query: str) -> tuple[int, Any]:
    async with client.post(f"/api/v1/faults{query}", headers=BEARER) as answer:
        return answer.status, await answer.json()


async def test_a_fault_that_several_nodes_carry_out_is_one_row_and_who_refuses_is_no_silence() -> None:
    async with served(cluster()) as (client, _), client.get("/api/v1/faults") as response:
        found = await response.json()

    (row,) = found["rows"]
    assert (row["operation"], row["nodes"], row["begins_s"], row["left_s"]) == ("cut", ["a", "b"], 0.0, 15.0)
    assert (found["asked"], found["answered"], found["allowed_on"]) == (3, 3, ["a", "b"])


async def test_every_page_is_told_on_which_nodes_there_are_faults() -> None:
    async with served(cluster(allowing="b")) as (client, _), client.get("/api/v1/warnings") as response:
        assert (await response.json())["faulted"] == ["b"]


async def test_a_fault_begins_on_those_who_allow_it_and_they_hear_first_who_asks() -> None:
    made = cluster()
    async with served(made, token=TOKEN) as (client, _):
        answer, told = await post(client, "?operation=loss&nodes=c&percent=10&seconds=9")

    assert (answer, told["nodes"]) == (200, ["a", "b"])
    added = [(node, args) for node, question, args in made.asked if question == "control.faults" and args[0] == "add"]
    assert [node for node, _ in added] == ["a", "b"] and added[0][1] == added[1][1], "the same chance for both"
    (operation,) = added[0][1][1]["operations"]
    assert operation == {"do": "loss", "at_s": 0.5, "until_s": 9.5, "rate": 0.1, "senders": ["c"]}
    notes = [(node, args[1]) for node, question, args in made.asked if question == "steering.note"]
    assert notes == [(node, "the dashboard, for somebody at 127.0.0.1,") for node in "ab"]


async def test_what_makes_no_sense_is_refused_and_nobody_hears_of_it() -> None:
    made = cluster()
    async with served(made, token=TOKEN) as (client, _):
        for query in (
            "?operation=cut&nodes=nobody",
            "?operation=cut&nodes=%25%25",
            "?operation=join",
            "?operation=cut",
        ):
            answer, _ = await post(client, f"{query}&seconds=0" if query.endswith("=cut") else query)
            assert answer == 400, query

    assert not [each for each in made.asked if each[1] == "control.faults" and each[2][0] == "add"]


async def test_without_a_node_that_allows_it_nothing_is_injected() -> None:
    async with served(cluster(allowing=""), token=TOKEN) as (client, _):
        answer, told = await post(client, "?operation=crash&nodes=all")
        assert answer == 409 and "--allow-faults" in told["detail"]
        assert (await post(client, "/clear"))[0] == 409


async def test_all_faults_are_ended_at_once() -> None:
    made = cluster()
    async with served(made, token=TOKEN) as (client, _):
        answer, told = await post(client, "/clear")

    assert (answer, told["text"]) == (200, "ended 2 plans on 2 nodes")


async def test_a_dashboard_that_only_shows_injects_nothing() -> None:
    async with served(cluster(), token=TOKEN, read_only=True) as (client, _):
        assert (await post(client, "?operation=cut&nodes=a"))[0] == 403
        async with client.get("/api/v1/faults", headers=BEARER) as response:
            assert (await response.json())["may_inject"] is False


def test_from_where_others_can_reach_it_nothing_is_injected_unless_that_was_allowed() -> None:
    assert DashboardOptions("127.0.0.1").may_inject and not DashboardOptions("0.0.0.0").may_inject
    assert DashboardOptions("0.0.0.0", allow_faults=True).may_inject
    assert not DashboardOptions("127.0.0.1", allow_faults=False).may_inject
