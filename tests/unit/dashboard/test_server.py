"""Tests of the web server: pages, the session, actions, problems, and the stream of changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from partisan_actors.dashboard.access import CSRF_HEADER
from partisan_actors.dashboard.catalogue import ENDPOINTS
from partisan_actors.dashboard.endpoints import Desk
from partisan_actors.dashboard.options import DashboardOptions
from partisan_actors.dashboard.server import Server
from partisan_actors.errors import ConfigError
from tests.unit.dashboard.fakes import TOKEN, FakeCluster, member, served, status


def actor_row(actor: str = "actor:a~1/1", **changes: Any) -> Mapping[str, Any]:
    row = {"id": actor, "class": "C", "name": None, "node": "a", "state": "alive", "restarts": 0, "mailbox": 0}
    return {**row, "processed": 3, **changes}


def cluster_with_actors() -> FakeCluster:
    cluster = FakeCluster(member("a"), member("b"))
    cluster.say("inspect.status", status)
    cluster.say("inspect.all_actors", lambda name: [actor_row()] if name == "a" else [])
    cluster.say("inspect.overlay", {"neighbours": [], "views": {}})
    return cluster


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=b", b"no boundary"),
        ("application/x-www-form-urlencoded; charset=none", b"token=%ff"),
        ("application/x-www-form-urlencoded", b"token=\xff\xfe"),
        ("application/x-www-form-urlencoded", b"&".join([b"token=x"] * 1000)),
    ],
)
async def test_a_form_that_is_none_lets_nobody_in_and_is_no_bug(kind: str, body: bytes) -> None:
    async with served(cluster_with_actors(), token=TOKEN) as (client, _):
        async with client.post("/login", data=body, headers={"Content-Type": kind}) as response:
            assert response.status in (400, 401)
        async with client.get("/?token=%ff") as response:
            assert response.status == 401


async def test_the_token_in_the_address_becomes_a_session_and_is_not_kept_in_it() -> None:
    async with served(cluster_with_actors(), token=TOKEN) as (client, server):
        async with client.get("/", allow_redirects=False) as response:
            assert response.status == 401 and "token" in (await response.text()).lower()
        async with client.get(server.url, allow_redirects=False) as response:
            cookie = response.headers["Set-Cookie"]
            assert (response.status, response.headers["Location"]) == (303, "/")
            assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
        async with client.get("/api/v1/session") as response:
            assert response.status == 200 and (await response.json())["csrf"]


async def test_the_form_takes_the_token_too() -> None:
    async with served(cluster_with_actors(), token=TOKEN) as (client, _):
        async with client.post("/login", data={"token": "wrong"}) as response:
            assert response.status == 401
        async with client.post("/login", data={"token": TOKEN}, headers={"Origin": "http://evil.example"}) as response:
            assert response.status == 403
        async with client.post("/login", data={"token": TOKEN}, allow_redirects=False) as response:
            assert response.status == 303
        async with client.get("/api/v1/nodes") as response:
            assert response.status == 200


async def test_every_answer_forbids_what_other_pages_could_do_with_it() -> None:
    async with served(cluster_with_actors(), token=TOKEN) as (client, _):
        for path in ("/", "/api/v1/nodes", "/alive", "/assets/index.html", "/nothing"):
            async with client.get(path) as response:
                policy = response.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy and "unsafe" not in policy
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_page_under_another_name_gets_nothing() -> None:
    async with served(cluster_with_actors()) as (client, _):
        for path in ("/", "/api/v1/nodes", "/alive", "/assets/index.html"):
            async with client.get(path, headers={"Host": "evil.example"}) as response:
                assert response.status == 421


async def test_an_action_needs_the_secret_of_the_session_and_reaches_the_node() -> None:
    cluster = cluster_with_actors()
    cluster.say("steering.kill", None)
    path = "/api/v1/actors/actor:a~1%2F1/kill"
    async with served(cluster) as (client, _):
        async with client.get("/"):
            pass
        async with client.post(path) as response:
            assert response.status == 403
        async with client.get("/api/v1/session") as response:
            csrf = (await response.json())["csrf"]
        async with client.post(path, headers={CSRF_HEADER: csrf}) as response:
            answer = await response.json()

    assert answer["done"] and "kills C actor:a~1/1" in answer["text"]
    (asked,) = [each for each in cluster.asked if each[1] == "steering.kill"]
    assert asked[0] == "a" and asked[2][0] == "actor:a~1/1" and "127.0.0.1" in asked[2][1]


async def test_read_only_refuses_actions_and_nothing_is_asked() -> None:
    cluster = cluster_with_actors()
    async with served(cluster, token=TOKEN, read_only=True) as (client, _):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for endpoint in ENDPOINTS:
            if endpoint.is_action:
                path = endpoint.path.replace("{id}", "x").replace("{name}", "a").replace("{number}", "1")
                async with client.post(path, headers=headers) as response:
                    assert response.status == 403, path

    assert [each[1] for each in cluster.asked] == ["members"]  # when it began


async def test_what_goes_wrong_is_a_problem_in_json_whatever_it_is() -> None:
    cluster = cluster_with_actors()
    cluster.say("inspect.all_actors", [{"nonsense": 1}])
    expected = {
        "/nothing": 404,
        "/api/v1/nodes/z": 404,
        "/api/v1/nodes?limit=x": 400,
        "/api/v1/nodes?nonsense=1": 400,
        "/api/v1/actors": 500,
        "/api/v1/overlay?root=z": 404,
        "/alive": 503,
    }
    async with served(cluster) as (client, _):
        for path, expected_status in expected.items():
            async with client.get(path) as response:
                problem = await response.json(content_type="application/problem+json")
                assert (response.status, problem["status"]) == (expected_status, expected_status), path
                assert "Traceback" not in problem["detail"]
        async with client.delete("/api/v1/nodes") as response:
            assert response.status == 405 and "GET" in response.headers["Allow"]


async def test_the_stream_begins_with_the_whole_overlay_and_goes_on_with_what_changes() -> None:
    cluster = cluster_with_actors()
    async with served(cluster) as (client, _), client.get("/api/v1/changes") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        first = await _next_event(response.content)
        cluster.rows.append(member("c"))
        cluster.answers["c", "inspect.overlay"] = {"neighbours": ["a"], "views": {}}
        second = await _next_event(response.content)

    assert [node["name"] for node in first["nodes"]] == ["a", "b"] and first["changes"] == []
    assert [each["text"] for each in second["changes"]][:1] == ["c is up"]


async def test_a_stream_ends_with_its_session() -> None:
    cluster = cluster_with_actors()
    async with served(cluster, token=TOKEN) as (client, server):
        async with client.get(server.url):
            pass
        async with client.get("/api/v1/session") as response:
            csrf = (await response.json())["csrf"]
        async with client.get("/api/v1/changes") as stream:
            await _next_event(stream.content)
            async with client.post("/logout") as response:
                assert response.status == 403  # as a page of somebody else asks for it
            async with client.post("/logout", headers={CSRF_HEADER: csrf}) as response:
                assert response.status == 204
            cluster.rows.append(member("c"))
            told = await _next_event(stream.content)
            assert told["status"] == 401 and await stream.content.read() == b"\n"
        async with client.get("/api/v1/changes") as response:
            assert response.status == 401


async def test_an_address_that_is_taken_is_an_error_that_says_so() -> None:
    async with served(FakeCluster(member("a"))) as (_, server):
        other = Server(Desk(server._desk.watcher, DashboardOptions("127.0.0.1", server.port), lambda: 0.0))
        with pytest.raises(ConfigError, match="--port"):
            await other.start()


async def _next_event(content: Any) -> Any:
    async for line in content:
        if line.startswith(b"data:"):
            return json.loads(line[5:])
    raise AssertionError("the stream has ended")
