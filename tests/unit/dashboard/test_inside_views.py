"""Stacks and settings: asked of the node that they are of, changed by whoever may act, and refused as the node says."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientSession

from partisan_actors.errors import ConfigError
from tests.unit.dashboard.fakes import TOKEN, FakeCluster, member, served
from tests.unit.dashboard.test_jaeger import asked
from tests.unit.dashboard.test_server import actor_row

STACKS = {"node": "b", "pid": 1, "threads": [], "coroutines": [], "left_out": 0}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def cluster() -> FakeCluster:
    made = FakeCluster(member("a"), member("b"))
    ended = actor_row("actor:a~1/2", state="stopped", reason="", kind="")
    made.say("inspect.all_actors", lambda name: [actor_row(node="b"), ended] if name == "a" else [])
    made.answers["b", "stacks.node"] = STACKS
    made.answers["b", "stacks.actor"] = lambda actor: {**STACKS, "actor": actor}
    made.answers["b", "settings.effective"] = [
        {"name": "log_level", "value": "WARNING", "source": "default", "may_change": True}
    ]

    def change(name: str, value: str, who: str) -> Any:
        if value == "LOUD":
            return ConfigError("log_level", value, "a level that there is")
        return {"name": name, "before": "WARNING", "now": value}

    made.answers["b", "settings.change"] = change
    return made


async def test_stacks_are_those_of_the_node_or_of_the_node_that_has_the_actor() -> None:
    made = cluster()
    async with served(made) as (client, _):
        node = await asked(client, "/api/v1/nodes/b/stacks")
        actor = await asked(client, "/api/v1/actors/actor:a~1%2F1/stacks")
        await asked(client, "/api/v1/nodes/nobody/stacks", status=404)
        await asked(client, "/api/v1/actors/actor:a~1%2F2/stacks", status=409)
        await asked(client, "/api/v1/nodes/a/stacks", status=502)

    assert node == STACKS and actor["actor"] == "actor:a~1/1"


async def test_settings_are_told_and_changed_by_who_may_act() -> None:
    made = cluster()
    async with served(made, token=TOKEN) as (client, _):
        client.headers.update(BEARER)
        told = await asked(client, "/api/v1/nodes/b/settings")
        changed = await post(client, setting="log_level", value="INFO")
        refused = await post(client, setting="log_level", value="LOUD")
        unknown = await post(client, setting="cookie", value="mine")

    assert told["rows"][0]["name"] == "log_level" and "log_level" in told["changeable"]
    assert changed == (200, "log_level of node b is INFO, and was WARNING")
    assert refused[0] == 409 and "a level that there is" in refused[1]
    assert unknown[0] == 400
    assert [args[2] for node, question, args in made.asked if question == "settings.change"] == [
        "the dashboard, for somebody at 127.0.0.1"
    ] * 2


async def test_a_read_only_dashboard_changes_nothing() -> None:
    made = cluster()
    async with served(made, token=TOKEN, read_only=True) as (client, _):
        client.headers.update(BEARER)

        assert (await post(client, setting="log_level", value="INFO"))[0] == 403

    assert made.count("settings.change") == 0


async def post(client: ClientSession, **query: str) -> tuple[int, str]:
    async with client.post("/api/v1/nodes/b/settings", params=query) as answer:
        told = await answer.json()
        return answer.status, told.get("text") or told["detail"]
