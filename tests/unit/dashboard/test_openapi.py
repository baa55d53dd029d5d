"""Tests of the document that describes the API: it is whole, and answers are as it says."""

from __future__ import annotations

import json
import re

from partisan_actors.dashboard.catalogue import ENDPOINTS
from partisan_actors.dashboard.openapi import openapi
from partisan_actors.dashboard.schemas import columns_of
from partisan_actors.dashboard.server import STREAMS
from tests.house.source import ROOT
from tests.unit.dashboard.fakes import FakeCluster, member, served


def test_every_endpoint_is_in_it_with_its_parameters_and_its_problems() -> None:
    document = openapi(ENDPOINTS, "1.0")

    json.dumps(document)
    operations = [document["paths"][each.path][each.method.lower()] for each in ENDPOINTS]
    assert len({operation["operationId"] for operation in operations}) == len(ENDPOINTS)
    for endpoint, operation in zip(ENDPOINTS, operations, strict=True):
        assert endpoint.summary.endswith(".")
        assert [each["name"] for each in operation["parameters"]] == [each.name for each in endpoint.parameters]
        assert ("403" in operation["responses"]) == endpoint.is_action
        assert all(f"{{{each.name}}}" in endpoint.path for each in endpoint.parameters if each.in_path)


def test_whatever_can_be_sorted_is_a_column() -> None:
    for endpoint in ENDPOINTS:
        for parameter in endpoint.parameters:
            if parameter.name == "sort":
                orders = parameter.plain()["schema"]["enum"]
                assert {order.removeprefix("-") for order in orders} <= set(columns_of(endpoint.answer))


async def test_it_is_served() -> None:
    async with served(FakeCluster(member("a"))) as (client, _), client.get("/api/v1/openapi.json") as response:
        assert (await response.json())["openapi"].startswith("3.1")


def test_the_page_of_the_manual_lists_every_path_and_no_other() -> None:
    page = (ROOT / "docs" / "dashboard.md").read_text(encoding="utf-8")
    listed = {path for path in re.findall(r"`(/[^`\s]*)`", page) if path != "/"}

    assert listed == {endpoint.path for endpoint in ENDPOINTS} | set(STREAMS)
