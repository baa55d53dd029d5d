"""Tests of `/metrics`: all nodes at one address, each with its name, and those that are silent told as such."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from partisan_actors.telemetry.metrics import point
from tests.unit.dashboard.fakes import TOKEN, FakeCluster, member, served


def cluster() -> FakeCluster:
    """Two nodes that answer, and one that does not."""
    found = FakeCluster(member("a"), member("b"), member("c"), member("d", "down"))
    for name, calls in (("a", 3), ("b", 4)):
        found.answers[name, "metrics.snapshot"] = [
            point("partisan.node.up", 1),
            point("partisan.calls", calls, "Shop", "price", "ask"),
        ]
    found.answers["c", "metrics.snapshot"] = TimeoutError("it is silent")
    return found


def read(text: str) -> dict[tuple[str, str], float]:
    """Values by the name of the series and of the node."""
    families = text_string_to_metric_families(text)
    return {(it.name, it.labels["partisan_node_name"]): it.value for family in families for it in family.samples}


async def test_what_each_node_measures_has_its_name_and_a_silent_one_is_not_up() -> None:
    async with served(cluster()) as (client, _), client.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert read(await response.text()) == {
            ("partisan_node_up", "a"): 1,
            ("partisan_node_up", "b"): 1,
            ("partisan_node_up", "c"): 0,
            ("partisan_calls_total", "a"): 3,
            ("partisan_calls_total", "b"): 4,
        }


async def test_one_node_can_be_asked_for_and_what_is_not_known_is_passed_over() -> None:
    query = {"node": "b", "whatever": "1"}
    async with served(cluster()) as (client, _), client.get("/metrics", params=query) as response:
        assert {node for _, node in read(await response.text())} == {"b"}


async def test_it_is_no_less_protected_than_the_rest_and_takes_a_bearer_s_token() -> None:
    async with served(cluster(), token=TOKEN) as (client, _):
        async with client.get("/metrics") as refused:
            assert refused.status == 401
        async with client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}) as response:
            assert response.status == 200
